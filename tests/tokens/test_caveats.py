"""Each caveat: what it forbids, what it says nothing about, and which texts of it are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobpass.errors import InvalidInput, MalformedToken
from jobpass.tokens.access import Access
from jobpass.tokens.caveats import (
    MAX_EPOCH_SECONDS,
    MAX_ITEMS,
    Actions,
    Caveat,
    Cidr,
    Events,
    ExpiresAt,
    Jobs,
    Platforms,
    States,
    earliest_expiry,
    first_expiry,
    read_all,
    write,
    write_all,
)

AT = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
SECOND = int(AT.timestamp())


def access(**parts: str) -> Access:
    action = parts.pop("action", "jobs.event")
    return Access(action, AT, **parts)


def forbids(caveat: Caveat, attempt: Access) -> bool:
    """The answer of the caveat as a server reads it from a token."""
    (read,) = read_all([write(caveat)])
    assert read == caveat
    reason = read.prohibits(attempt)
    assert reason is None or (reason.endswith(".") and reason.isascii())
    return reason is not None


def test_expires_at_forbids_from_that_very_second_on() -> None:
    caveat = ExpiresAt(SECOND)
    tick = timedelta(microseconds=1)
    answers = [forbids(caveat, Access("jobs.read", AT + delta)) for delta in (-tick, 0 * tick, tick, timedelta(days=1))]
    assert answers == [False, True, True, True]


@pytest.mark.parametrize("at", [0, MAX_EPOCH_SECONDS])
def test_expires_at_at_its_bounds(at: int) -> None:
    assert forbids(ExpiresAt(at), access()) is (at == 0)


@pytest.mark.parametrize(
    ("caveat", "attempt", "forbidden"),
    [
        (Jobs(("a",)), access(job="a"), False),
        (Jobs(("a", "b")), access(job="b"), False),
        (Jobs(("a",)), access(job="b"), True),
        (Jobs(("a",)), access(job="A"), True),
        (Jobs(("ab",)), access(job="a"), True),
        (Jobs(("a",)), access(), True),
        (Jobs(()), access(job="a"), True),
        (Jobs(()), access(), True),
        (Events(("update",)), access(event="update"), False),
        (Events(("update",)), access(event="finish"), True),
        (Events(("update",)), access(event="Update"), True),
        (Events(("update",)), access(action="jobs.read"), False),
        (Events(()), access(event="update"), True),
        (Events(()), access(action="jobs.read"), False),
        (States({"RUNNING": ("update",)}), access(event="update", state="RUNNING"), False),
        (States({"RUNNING": ("update",)}), access(event="finish", state="RUNNING"), True),
        (States({"RUNNING": ("update",)}), access(event="update", state="PENDING"), True),
        (States({"RUNNING": ("update",)}), access(event="update"), True),
        (States({"RUNNING": ()}), access(event="update", state="RUNNING"), True),
        (States({}), access(event="update", state="RUNNING"), True),
        (States({}), access(action="jobs.read", state="RUNNING"), False),
        (Actions(("jobs.read",)), access(action="jobs.read"), False),
        (Actions(("jobs.read",)), access(action="jobs.event", event="update"), True),
        (Actions(("jobs",)), access(action="jobs.read"), True),
        (Actions(()), access(action="jobs.read"), True),
        (Platforms(("local",)), access(platform="local"), False),
        (Platforms(("local",)), access(platform="remote"), True),
        (Platforms(("local",)), access(), False),
        (Platforms(()), access(platform="local"), True),
        (Platforms(()), access(), False),
        (Cidr(("10.0.0.0/8",)), access(address="10.255.0.1"), False),
        (Cidr(("10.0.0.0/8",)), access(address="11.0.0.1"), True),
        (Cidr(("10.0.0.0/8",)), access(address="::ffff:10.1.2.3"), False),
        (Cidr(("10.0.0.0/8",)), access(address="::ffff:a01:203"), False),
        (Cidr(("10.0.0.0/8",)), access(address="::10.1.2.3"), True),
        (Cidr(("::ffff:10.0.0.0/104",)), access(address="10.1.2.3"), False),
        (Cidr(("::ffff:10.0.0.0/104",)), access(address="::ffff:11.1.2.3"), True),
        (Cidr(("192.168.1.7",)), access(address="192.168.1.7"), False),
        (Cidr(("192.168.1.7",)), access(address="192.168.1.8"), True),
        (Cidr(("2001:db8::/32", "10.0.0.0/8")), access(address="2001:db8::1"), False),
        (Cidr(("2001:db8::/32", "10.0.0.0/8")), access(address="10.0.0.1"), False),
        (Cidr(("2001:db8::/32",)), access(address="2001:db9::1"), True),
        (Cidr(("0.0.0.0/0",)), access(address="2001:db8::1"), True),
        (Cidr(("::/0",)), access(address="10.0.0.1"), True),
        (Cidr(("0.0.0.0/0", "::/0")), access(), True),
        (Cidr(("0.0.0.0/0", "::/0")), access(address=""), True),
        (Cidr(("0.0.0.0/0", "::/0")), access(address="unix:/run/socket"), True),
        (Cidr(("0.0.0.0/0", "::/0")), access(address="10.0.0.01"), True),
        (Cidr(()), access(address="10.0.0.1"), True),
    ],
)
def test_what_is_forbidden(caveat: Caveat, attempt: Access, forbidden: bool) -> None:
    assert forbids(caveat, attempt) is forbidden


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "{}",
        "[]",
        '"expires_at"',
        '["expires_at"]',
        '["expires_at",1,2]',
        '["expires_at","1"]',
        '["expires_at",1.0]',
        '["expires_at",1e3]',
        '["expires_at",true]',
        '["expires_at",null]',
        '["expires_at",-1]',
        '["expires_at",01]',
        '["expires_at",NaN]',
        f'["expires_at",{MAX_EPOCH_SECONDS + 1}]',
        '["expires_at",' + "9" * 400 + "]",
        '["expires_at",1]x',
        '["expires_at",1],',
        '\ufeff["expires_at",1]',
        '["Expires_at",1]',
        '["expires_at ",1]',
        '["nobefore",1]',
        '["jobs",["a"],"more"]',
        '["jobs",["a"],null]',
        '["jobs","a"]',
        '["jobs",[1]]',
        '["jobs",[null]]',
        '["jobs",null]',
        '["jobs",{"a":1}]',
        '["jobs",["a",]]',
        '["jobs",["\\ud800"]]',
        '["jobs",["\\ud800\\u0041"]]',
        '["jobs",["a\x00"]]',
        '["jobs",[' + ",".join(['"x"'] * (MAX_ITEMS + 1)) + "]]",
        '["states",["RUNNING"]]',
        '["states",{"RUNNING":"update"}]',
        '["states",{"RUNNING":["update"]},[]]',
        '["states",{"RUNNING":[],"RUNNING":["update"]}]',
        '["states",{"RUNNING":[],"\\u0052UNNING":["update"]}]',
        '["states",{1:[]}]',
        '["cidr",["10.0.0.1/8"]]',
        '["cidr",["10.0.0.0/33"]]',
        '["cidr",["10.0.0.0/"]]',
        '["cidr",["10.0.0.0/-1"]]',
        '["cidr",["10.0.0.0/255.0.0.0"]]',
        '["cidr",["10.0.0.0/0.255.255.255"]]',
        '["cidr",["10.0.0.0/8/8"]]',
        '["cidr",["fe80::%eth0/64"]]',
        '["cidr",["localhost"]]',
        '["cidr",["10.0.0.0/8",""]]',
        '["cidr",[" 10.0.0.0/8"]]',
        '["cidr",["\u0661\u0660.0.0.0/8"]]',
        '["cidr",["10.0.0.0/\u0668"]]',
        "[" * 6000,
        '["jobs",' + "[" * 6000,
        '["jobs",["a"]' + "]" * 6000,
    ],
    ids=lambda text: text[:40].encode("ascii", "backslashreplace").decode(),
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(MalformedToken):
        read_all([b'["jobs",["a"]]', text.encode()])


@pytest.mark.parametrize(
    "raw", [b'["jobs",["\xff"]]', b'["jobs",["\xed\xa0\x80"]]', b'["jobs",["\xc0\x80"]]', b'["\xff"]']
)
def test_utf_8_is_strict(raw: bytes) -> None:
    with pytest.raises(MalformedToken) as caught:
        read_all([raw])
    assert caught.value.__context__ is None  # the decoder's error holds what it read


def test_other_json_spellings_of_the_same_are_read() -> None:
    texts = [b' [ "expires_at" , 1 ] ', b'["\\u0065xpires_at",1]', '["jobs",["é\\u0000"]]'.encode()]
    assert read_all(texts) == (ExpiresAt(1), ExpiresAt(1), Jobs(("é\0",)))


@pytest.mark.parametrize(
    "caveat",
    [
        ExpiresAt(-1),
        ExpiresAt(MAX_EPOCH_SECONDS + 1),
        ExpiresAt(1.5),  # type: ignore[arg-type]
        ExpiresAt("1"),  # type: ignore[arg-type]
        Jobs("abc"),  # type: ignore[arg-type]
        Jobs((1,)),  # type: ignore[arg-type]
        Jobs(("x",) * (MAX_ITEMS + 1)),
        Jobs(("\ud800",)),
        Cidr(("10.0.0.1/8",)),
        States({"RUNNING": "update"}),  # type: ignore[dict-item]
        "expires_at",
        object(),
    ],
)
def test_an_unsound_caveat_is_not_written(caveat: Caveat) -> None:
    with pytest.raises(InvalidInput):
        write(caveat)


def test_the_texts_are_those_of_the_format() -> None:
    caveats = [ExpiresAt(1795352384), Jobs(("a",)), States({"RUNNING": ("update", "resource")}), Cidr(("::1",))]
    assert write_all(caveats) == (
        b'["expires_at",1795352384]',
        b'["jobs",["a"]]',
        b'["states",{"RUNNING":["update","resource"]}]',
        b'["cidr",["::1"]]',
    )


def test_each_caveat_tells_its_code() -> None:
    caveats = [ExpiresAt(1), Jobs(()), Events(()), States({}), Actions(()), Platforms(()), Cidr(())]
    assert [c.code for c in caveats] == ["expires_at", "jobs", "events", "states", "actions", "platforms", "cidr"]


def test_earliest_expiry() -> None:
    assert earliest_expiry([Jobs(())]) is None
    assert earliest_expiry([ExpiresAt(7), Jobs(()), ExpiresAt(5), ExpiresAt(9)]) == 5


def test_first_expiry() -> None:
    assert first_expiry([Jobs(())]) is None
    assert first_expiry([Jobs(()), ExpiresAt(7), ExpiresAt(5)]) == 7


names = st.sampled_from(["a", "b", "c"])
lists = st.lists(names, max_size=3).map(tuple)


maybe = st.none() | names
attempts = st.builds(Access, names, st.just(AT), maybe, maybe, maybe, maybe)


@given(st.sampled_from([Jobs, Events, Actions, Platforms]), lists, attempts)
def test_a_shorter_list_forbids_at_least_as_much(kind: type[Jobs], allowed: tuple[str, ...], attempt: Access) -> None:
    reasons = [kind(allowed[:size]).prohibits(attempt) for size in range(len(allowed) + 1)]
    assert all(longer is None or shorter is not None for shorter, longer in pairwise(reasons))
