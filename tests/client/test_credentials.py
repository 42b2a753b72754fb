"""Both clients against a real server, and one in process: job tokens, API keys, accounts, platforms, leaks."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import jobpass
from jobpass.client.exchange import Retries
from jobpass.errors import (
    AlreadyExists,
    Conflict,
    Denied,
    InvalidInput,
    InvalidToken,
    LimitExceeded,
    ServerUnavailable,
    UnknownCredential,
    UnknownPlatform,
)
from jobpass.wire.platforms import Maintenance

PASSWORD = "quite unusual words"


@pytest.fixture
def person(operator: Any, make: Any, served: Any) -> Any:
    """A client that is logged in as an author of this test's own."""
    client, email = make(served.url), f"{secrets.token_hex(6)}@example.org"
    operator.create_user(email, PASSWORD)
    client.login(email, PASSWORD)
    return client


@pytest.fixture
def platform(operator: Any) -> Any:
    return operator.create_platform(f"sim:{secrets.token_hex(4)}", description="a machine")


def test_a_token_from_its_making_to_its_end(person: Any, make: Any, served: Any) -> None:
    made = person.create_token("ci", duration_seconds=60, priority=1)
    assert (made.token[:7], made.duration, made.label) == ("jp_job_", 60, "ci")
    program = make(served.url, made.token)
    assert program.me().user_id == person.me().user_id
    record = person.token_record(made.token_id)
    assert (record.label, record.priority, record.state, record.count, record.may_mint) == ("ci", 1, "active", 1, True)
    assert record.credential == made.credential
    person.update_token(made.token_id, label="cd")
    assert [(one.id, one.label, one.priority) for one in program.token_records()] == [(made.token_id, "cd", 1)]
    person.revoke_token(made.token)
    with pytest.raises(InvalidToken):
        program.me()
    assert person.token_records() == []
    assert [one.is_revoked for one in person.token_records(revoked=True)] == [True]
    person.reopen_token(made.token_id)
    assert program.me().email == person.me().email
    with pytest.raises(Conflict):
        person.reopen_token(made.token_id)
    person.delete_tokens([made.token_id])
    with pytest.raises(UnknownCredential):
        person.token_record(made.token_id)
    with pytest.raises(UnknownCredential):
        person.delete_tokens([made.token])


def test_what_is_made_with_a_token_is_less_and_ends_with_it(person: Any, make: Any, served: Any) -> None:
    parent = person.create_token(duration_seconds=100, priority=1)
    program = make(served.url, parent.token)
    with pytest.raises(LimitExceeded):
        program.create_token(priority=2)
    child = program.create_token(duration_seconds=10**6, actions=["account.read"], may_mint=False)
    assert child.duration <= 100
    assert person.token_record(child.token_id).parent == parent.credential
    assert person.token_record(child.token_id).actions == ["account.read"]
    grand = make(served.url, child.token)
    assert grand.me().user_id == person.me().user_id
    for refused in (grand.create_token, grand.token_records):
        with pytest.raises(Denied):
            refused()
    person.revoke_token(parent.token_id, compromised=True)
    with pytest.raises(InvalidToken):
        grand.me()
    for one in (parent, child):
        with pytest.raises(Conflict):
            person.reopen_token(one.token_id)


def test_all_tokens_are_iterated_although_some_end_meanwhile(person: Any) -> None:
    made = [person.create_token().token_id for _ in range(9)]
    assert [one.id for one in person.iter_token_records()] == made
    for limit in (1, 2, 3, 4, 8, 9):
        assert [one.id for one in person.iter_token_records(limit=limit)] == made, limit
    seen = []
    for one in person.iter_token_records(limit=2):
        seen.append(one.id)
        if len(seen) == 4:
            person.delete_tokens(made[:3])  # what follows moves up by three
    assert seen == made
    assert [one.id for one in person.iter_token_records(limit=3)] == made[3:]
    with pytest.raises(InvalidInput):
        list(person.iter_token_records(limit=0))


def test_an_operator_makes_and_sees_those_of_others(operator: Any, person: Any, author: Any, make: Any) -> None:
    user = person.me().user_id
    given = operator.create_token("from an operator", user_id=user)
    assert make(operator.url, given.token).me().user_id == user
    assert [one.id for one in operator.token_records(user_id=user)] == [given.token_id]
    assert [one.id for one in operator.iter_token_records(user_id=user, expired=True)] == [given.token_id]
    for refused in (lambda: author.token_records(user_id=user), lambda: author.create_token(user_id=user)):
        with pytest.raises(Denied):
            refused()
    for hidden in (lambda: author.token_record(given.token_id), lambda: author.revoke_token(given.token)):
        with pytest.raises(UnknownCredential):
            hidden()


@pytest.mark.parametrize(
    "asked",
    [
        {"label": ""},
        {"label": "x" * 129},
        {"duration_seconds": 0},
        {"duration_seconds": 10**12},
        {"priority": -1},
        {"actions": ["fly"]},
        {"actions": "account.read"},
        {"platforms": "sim:a"},
        {"user_id": 10**12},
        {"label": "\ud800"},
    ],
)
def test_a_token_that_cannot_be_is_refused(author: Any, asked: dict[str, Any]) -> None:
    error = Denied if "user_id" in asked else InvalidInput
    with pytest.raises(error):
        author.create_token(**asked)


def test_what_names_no_token_is_refused(author: Any) -> None:
    for which in ("", "jp_job_nonsense", "\ud800", 10**15, -1, 10**30):
        for operation in (author.revoke_token, author.reopen_token):
            with pytest.raises((UnknownCredential, InvalidInput)):
                operation(which)
    for which in ([1, "jp_job_x"], "jp_job_x", [10**12], ["jp_job_x"], [-1]):
        with pytest.raises((UnknownCredential, InvalidInput)):
            author.delete_tokens(which)
    for number in (10**12, -1, "..", ""):
        with pytest.raises(UnknownCredential):
            author.token_record(number)
        with pytest.raises(UnknownCredential):
            author.update_token(number, label="x")
    taken = author.create_token().label
    with pytest.raises(AlreadyExists):
        author.create_token(taken)


def test_api_keys(operator: Any, author: Any, platform: Any, make: Any, served: Any) -> None:
    made = operator.create_api_key(f"w-{secrets.token_hex(4)}", platforms=[platform.name], duration_seconds=60)
    assert (made.key[:7], made.duration, made.platforms, made.state) == ("jp_key_", 60, [platform.name], "active")
    worker = make(served.url, made.key)
    for refused in (worker.me, worker.token_records, worker.platforms):
        with pytest.raises((Denied, InvalidToken)):
            refused()
    shown = operator.api_key(made.id)
    assert (shown.label, shown.credential) == (made.label, made.credential)
    assert shown.key != made.key
    assert made.id in [one.id for one in operator.iter_api_keys(limit=1)]
    assert operator.revoke_api_key(made.id).state == "revoked"
    assert made.id not in [one.id for one in operator.iter_api_keys()]
    assert made.id in [one.id for one in operator.iter_api_keys(revoked=True, expired=True)]
    assert operator.reopen_api_key(made.id).state == "active"
    with pytest.raises(Conflict):
        operator.reopen_api_key(made.id)
    assert operator.revoke_api_key(made.id, compromised=True).state == "compromised"
    with pytest.raises(Conflict):
        operator.reopen_api_key(made.id)
    operator.delete_api_key(made.id)
    with pytest.raises(UnknownCredential):
        operator.api_key(made.id)
    for asked in ({"platforms": ["sim:unknown"]}, {"platforms": "sim:a"}, {"duration_seconds": 0}, {"label": " "}):
        with pytest.raises(InvalidInput):
            operator.create_api_key(**asked)
    for operation in (author.create_api_key, author.api_keys):
        with pytest.raises(Denied):
            operation()
    for number in (10**12, "..", -1):
        with pytest.raises(UnknownCredential):
            operator.api_key(number)


def test_a_leak_is_told_of_and_contained(person: Any, author: Any, operator: Any, make: Any, served: Any) -> None:
    parent = person.create_token("leaky")
    program = make(served.url, parent.token)
    child = program.create_token()
    pipeline = program.create_pipeline(served.members)
    job = program.create_job(pipeline["uuid"], {"case": secrets.token_hex(8)})
    program.send(job.uuid, "run")
    with pytest.raises(UnknownCredential):
        author.contain(parent.token)
    for hashed in (False, True):
        for asking in (person, operator):
            told = asking.contain(parent.token, hashed=hashed)
            assert (told.kind, told.living, told.label, told.stopped) == ("job", True, "leaky", None)
            assert (told.user_id, told.credential) == (person.me().user_id, f"job:{parent.credential}")
            assert [one.credential for one in told.descendants] == [child.credential]
            assert [(one.uuid, one.events) for one in told.jobs] == [(job.uuid, 2)]
            assert [one.name for one in told.events] == ["create", "run"]
            assert (list(told.addresses), told.more) == (["127.0.0.1"], False)
            assert all(isinstance(one.data, dict) for one in told.audit)
    assert program.me().user_id == told.user_id, "nothing has ended yet"
    narrow = program.attenuate(actions=["account.read"])
    stopped = person.contain(narrow, revoke=True, rotate_jobs=True, hashed=True).stopped
    assert {one.credential for one in stopped.credentials} == {parent.credential, child.credential}
    assert stopped.jobs == [job.uuid]
    for dead in (parent.token, child.token, job.token):
        with pytest.raises(InvalidToken):
            make(served.url, dead).jobs()
    again = person.contain(parent.token, revoke=True)
    assert (again.living, again.stopped.credentials, again.stopped.jobs) == (False, [], [])
    assert person.me().user_id == told.user_id


def test_a_fingerprint_is_all_that_is_sent(author: Any, make: Any, served: Any, hostile: Any, play: Any) -> None:
    made = author.create_token()
    asking = make(hostile.plays(play.through(served.port, deliver=True)), author.token)
    assert asking.contain(made.token, hashed=True).living
    (request,) = hostile.requests
    body = request.partition(b"\r\n\r\n")[2].decode()
    secret = made.token.removeprefix("jp_job_")
    assert not any(secret[start : start + 24] in body for start in range(len(secret) - 24))
    for text in ("no token", "", "jp_job_x", "\ud800", "jp_job_" + "A" * 9000):
        with pytest.raises(InvalidInput):
            author.contain(text, hashed=True)
        with pytest.raises(InvalidInput):
            author.contain(text)


def test_platforms(operator: Any, author: Any, make: Any, served: Any) -> None:
    name = f"qpu:{secrets.token_hex(4)}"
    start = datetime(2030, 1, 1, tzinfo=UTC)
    made = operator.create_platform(
        name,
        description="a machine",
        type="physical",
        max_shots=1000,
        max_duration_seconds=60,
        constraints={"nodes": {"max": 3}},
        maintenance=Maintenance(start, start + timedelta(hours=1)),
    )
    assert (made.name, made.status, made.max_shots, made.max_duration) == (name, "available", 1000, 60)
    assert (made.constraints, made.maintenance.start_time) == ({"nodes": {"max": 3}}, start)
    assert made.specs == {"constraints": {"nodes": {"max": 3}}}
    assert author.platform(name) == operator.platform(name) == made
    assert made in author.platforms()
    anybody = make(served.url)
    assert name in [one.name for one in anybody.public_platforms()]
    changed = operator.update_platform(name, status="unavailable", max_shots=None, maintenance=None)
    assert (changed.status, changed.max_shots, changed.maintenance) == ("unavailable", None, None)
    assert (changed.description, changed.max_duration, changed.constraints) == ("a machine", 60, made.constraints)
    assert operator.update_platform(name) == changed
    assert operator.retire_platform(name).status == "retired"
    with pytest.raises(UnknownPlatform):
        author.platform(name)
    assert name in [one.name for one in operator.platforms()]
    with pytest.raises(AlreadyExists):
        operator.create_platform(name)
    for asked in (
        {"name": "no colon"},
        {"name": "sim:x", "max_shots": 0},
        {"name": "sim:x", "constraints": {"x": {1, 2}}},
        {"name": "sim:x", "maintenance": Maintenance(datetime(2030, 1, 1))},  # noqa: DTZ001 - without a zone on purpose
        {"name": "sim:x", "maintenance": Maintenance(start, start)},
    ):
        with pytest.raises(InvalidInput):
            operator.create_platform(**asked)
    with pytest.raises(Denied):
        author.create_platform("sim:mine")
    for unknown in ("sim:unknown", "..", "", "a/b"):
        with pytest.raises(UnknownPlatform):
            operator.platform(unknown)


def test_accounts_with_what_they_may(operator: Any, make: Any, served: Any, platform: Any) -> None:
    email = f"{secrets.token_hex(6)}@example.org"
    made = operator.create_user(
        email,
        PASSWORD,
        first_name="Ann",
        last_name="Bell",
        priority=5,
        company_id=7,
        platform_ids=[platform.id],
        max_jobs_in_queue=3,
        max_concurrent_jobs=1,
    )
    assert (made.first_name, made.last_name, made.priority, made.company_id) == ("Ann", "Bell", 5, 7)
    assert (made.platform_ids, made.max_jobs_in_queue, made.max_concurrent_jobs) == ([platform.id], 3, 1)
    ann = make(served.url)
    ann.login(email, PASSWORD)
    assert [one.id for one in ann.platforms()] == [platform.id]
    token = ann.create_token(priority=5)
    changed = operator.update_user(made.id, priority=1, platform_ids=[], company_id=None)
    assert (changed.first_name, changed.priority, changed.platform_ids, changed.company_id) == ("Ann", 1, [], None)
    assert ann.platforms() == []
    assert ann.token_record(token.token_id).priority == 1
    assert operator.update_user(made.id) == changed
    assert operator.update_user(made.id, role="operator", platform_ids=None).is_admin is True
    assert operator.update_user(made.id, active=False).active is False
    for dead in (ann.me, make(served.url, token.token).me):
        with pytest.raises(InvalidToken):
            dead()
    for asked in ({"first_name": "a\0b"}, {"priority": 10**6}, {"email": "none"}, {"platform_ids": "text"}):
        with pytest.raises(InvalidInput):
            operator.update_user(made.id, **asked)
    assert operator.create_user("x" + email, PASSWORD, active=False).active is False
    with pytest.raises(Conflict):
        operator.update_user(operator.me().user_id, active=False)


def test_no_secret_is_shown(author: Any, operator: Any) -> None:
    made, key = author.create_token(), operator.create_api_key()
    for shown in (repr(made), repr(key), repr(author.token_record(made.token_id))):
        assert made.token not in shown
        assert key.key not in shown


def test_a_token_is_not_made_twice(author: Any, make: Any, served: Any, hostile: Any, play: Any) -> None:
    label = secrets.token_hex(6)
    lost = play.through(served.port, deliver=False)
    asking = make(hostile.plays(lost), author.token, slept=[], retries=Retries(attempts=3))
    with pytest.raises(ServerUnavailable):
        asking.create_token(label)
    assert len(hostile.requests) == 1
    (made,) = [one for one in author.token_records() if one.label == label]
    hostile.plays(lost, play.through(served.port, deliver=True))
    asking.revoke_token(made.id)  # may be done twice, and was
    assert len(hostile.requests) == 2
    assert made.id not in [one.id for one in author.token_records()]


def test_the_same_in_process() -> None:
    with jobpass.open("memory:") as operator:
        made = operator.create_token("here", duration_seconds=60)
        with pytest.raises(AlreadyExists):
            operator.create_token("here")
        assert [one.label for one in operator.iter_token_records(limit=1)] == ["here"]
        key = operator.create_api_key(platforms=[operator.create_platform("sim:here").name])
        assert [one.id for one in operator.iter_api_keys()] == [key.id]
        assert [one.name for one in operator.public_platforms()] == ["sim:here"]
        assert operator.with_token(made.token).me().email == operator.me().email
        assert len(operator.contain(made.token, revoke=True, hashed=True).stopped.credentials) == 1
        with pytest.raises(InvalidToken):
            operator.with_token(made.token).me()
