"""The keyed chain: its exact bytes, and that every edit is found at its place."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jobpass.authority.chain import first_break, link
from jobpass.records import NO_LINK, Event, Job

KEY = bytes(range(32))
UUID = "1071269f-b251-5a5f-bec1-6d7f77131f3f"
AT = datetime(2026, 11, 22, 12, 0, 0, 1, tzinfo=UTC)


def event(sequence: int, name: str = "update", **changes: object) -> Event:
    plain = Event(
        sequence,
        f"108{sequence:05d}-0000-5000-8000-000000000000",
        name,
        b'{"n":%d}' % sequence,
        AT + timedelta(seconds=sequence),
        "RUNNING",
        "document:00000001",
        None,
        "00000000",
        NO_LINK,
    )
    return replace(plain, **changes)


def chained(*events: Event) -> list[Event]:
    done, previous = [], NO_LINK
    for one in events:
        previous = link(KEY, previous, UUID, one)
        done.append(replace(one, link=previous))
    return done


def row(events: list[Event]) -> Job:
    last = events[-1]
    return Job(UUID, "pipeline", last.state, last.name, last.sequence, last.link, "00000000", 1, 1, "106", AT, last.at)


def key_of(_kid: str) -> bytes:
    return KEY


def test_the_link_is_what_the_page_says_to_the_byte() -> None:
    one = event(1, "create", key="retry-1")
    parts = [
        bytes(32),
        UUID.encode(),
        one.uuid.encode(),
        b"1",
        b"1795348801000001",
        b"create",
        b'{"n":1}',
        b"RUNNING",
        b"document:00000001",
        b"retry-1",
    ]
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    assert link(KEY, NO_LINK, UUID, one) == hmac.new(KEY, message, hashlib.sha256).digest()


def test_a_whole_history_holds() -> None:
    events = chained(event(1, "create"), event(2), event(3))
    assert first_break(row(events), events, key_of) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "finish"),
        ("data", b'{"n":22}'),
        ("at", AT),
        ("state", "FINISHED"),
        ("credential", "login:1"),
        ("key", "other"),
        ("uuid", "10800002-0000-5000-8000-000000000001"),
        ("link", bytes(32)),
    ],
)
def test_an_edited_event_is_named(field: str, value: object) -> None:
    events = chained(event(1, "create"), event(2), event(3))
    events[1] = replace(events[1], **{field: value})
    assert first_break(row(events), events, key_of) == 2


def test_an_editor_who_recomputes_with_another_key_is_found() -> None:
    events = chained(event(1, "create"), event(2), event(3))
    forged = replace(events[1], data=b"{}")
    forged = replace(forged, link=link(bytes(32), events[0].link, UUID, forged))
    assert first_break(row(events), [events[0], forged, events[2]], key_of) == 2


def test_reordered_removed_and_truncated_events_are_named() -> None:
    events = chained(event(1, "create"), event(2), event(3))
    job = row(events)
    assert first_break(job, [events[0], events[2], events[1]], key_of) == 2
    assert first_break(job, [events[0], events[2]], key_of) == 2
    assert first_break(job, events[:2], key_of) == 3
    assert first_break(job, [], key_of) == 1
    assert first_break(job, events[1:], key_of) == 1


def test_events_beyond_the_row_are_found() -> None:
    events = chained(event(1, "create"), event(2), event(3))
    assert first_break(row(events[:2]), events, key_of) == 2


@pytest.mark.parametrize(("field", "value"), [("state", "FAILED"), ("last_event", "fail"), ("head", bytes(32))])
def test_a_row_that_does_not_fit_its_history_is_found(field: str, value: object) -> None:
    events = chained(event(1, "create"), event(2))
    assert first_break(replace(row(events), **{field: value}), events, key_of) == 2


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(st.tuples(texts, texts, texts, texts), st.tuples(texts, texts, texts, texts))
def test_no_two_events_share_a_message(first: tuple[str, ...], second: tuple[str, ...]) -> None:
    """Lengths before the parts: what moves over a border between two parts makes another link."""

    def made(parts: tuple[str, ...]) -> bytes:
        name, state, credential, key = parts
        return link(KEY, NO_LINK, UUID, event(1, name, state=state, credential=credential, key=key or None))

    assert (made(first) == made(second)) == (first == second)
