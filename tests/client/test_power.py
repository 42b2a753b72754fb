"""Both clients against a real server: admin keys, accounts, job tokens, the audit, introspection and revocation."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobpass.errors import (
    AlreadyExists,
    Conflict,
    Denied,
    InvalidInput,
    InvalidToken,
    LoginFailed,
    MalformedToken,
    UnknownCredential,
    UnknownJob,
    UnknownPrincipal,
    WrongKind,
)


@pytest.fixture
def key(author: Any, operator: Any) -> tuple[str, str]:
    """The id and the text of a collected admin key of the author."""
    asked = author.request_admin_key("a test", "in memory", lifetime_seconds=60)
    operator.approve_admin_key(asked.id, asked.request_hash)
    return asked.id, author.collect_admin_key(asked.id)


def test_an_admin_key_from_request_to_revocation(author: Any, operator: Any, make: Any, served: Any, job: Any) -> None:
    asked = author.request_admin_key("reset jobs", "a vault", lifetime_seconds=120, scope={"events": ["reset"]})
    assert (asked.state, asked.lifetime_seconds, asked.scope) == ("requested", 120, {"events": ["reset"]})
    with pytest.raises(Conflict):
        author.collect_admin_key(asked.id)
    changed = author.change_admin_key(asked.id, "reset jobs", "a vault", scope={"events": ["reset", "ready"]})
    assert changed.request_hash != asked.request_hash
    with pytest.raises(Conflict):
        operator.approve_admin_key(asked.id, asked.request_hash)
    with pytest.raises(Denied):
        author.approve_admin_key(asked.id, changed.request_hash)
    assert operator.admin_key(asked.id) == changed
    assert operator.approve_admin_key(asked.id, changed.request_hash).state == "approved"
    text = author.collect_admin_key(asked.id)
    with pytest.raises(Conflict):
        author.collect_admin_key(asked.id)
    admin = make(served.url, author.admin_token(text))
    for event in ("run", "fail"):
        author.send(job.uuid, event)
    assert admin.send(job.uuid, "reset").token is None
    with pytest.raises(Denied):
        admin.send(job.uuid, "update")
    assert author.revoke_admin_key(asked.id, "done with it").reason == "done with it"
    with pytest.raises(InvalidToken):
        admin.send(job.uuid, "ready")


def test_admin_keys_are_listed_and_denied(author: Any, operator: Any, make: Any, served: Any) -> None:
    made = [author.request_admin_key(f"use {n}", "nowhere").id for n in range(3)]
    assert operator.deny_admin_key(made[0], "too vague").state == "denied"
    mine = {one.id: one for one in author.iter_admin_keys(limit=2)}
    assert set(made) <= set(mine)
    assert mine[made[0]].reason == "too vague"
    page = author.admin_keys(limit=1)
    assert page.next is not None
    assert author.admin_keys(limit=1, after=page.next).admin_keys != page.admin_keys
    other = make(served.url)
    other.login(served.other, served.password)
    assert not set(made) & {one.id for one in other.iter_admin_keys()}
    for unknown in (made[0], "0" * 32, "", "..", "a/b"):
        with pytest.raises(UnknownCredential):
            other.admin_key(unknown)
    assert author.admin_lifetime() == 3600


def test_what_cannot_be_asked_is_told(author: Any) -> None:
    for asked in (
        {"use_case": " ", "storage": "x"},
        {"use_case": "x", "storage": "x" * 5000},
        {"use_case": "x", "storage": "x", "lifetime_seconds": 0},
        {"use_case": "x", "storage": "x", "scope": {"nonsense": 1}},
        {"use_case": "x", "storage": "x", "scope": {"expires_at": 1}},
        {"use_case": "x", "storage": "x", "scope": {"jobs": {1, 2}}},
    ):
        with pytest.raises(InvalidInput):
            author.request_admin_key(**asked)


def test_an_admin_token_is_made_offline(author: Any, key: tuple[str, str], make: Any, served: Any, job: Any) -> None:
    token = author.admin_token(key[1])
    assert token.startswith("jp_adm_")
    assert author.admin_token(key[1]) == token  # one window, one text
    make(served.url, token).delete_job(job.uuid)
    with pytest.raises(UnknownJob):
        author.job(job.uuid)
    with pytest.raises(InvalidToken):  # the key itself opens nothing
        make(served.url, key[1]).job(job.uuid)
    with pytest.raises(WrongKind):
        author.admin_token(job.token)
    with pytest.raises(MalformedToken):
        author.admin_token("no key")


def test_a_job_s_token_again_and_another_one(author: Any, own_client: Any, make: Any, served: Any, job: Any) -> None:
    assert author.job_token(job.uuid) == job.token
    graceful = author.rotate_job_token(job.uuid, 60)
    assert own_client.job(job.uuid).uuid == job.uuid
    final = author.rotate_job_token(job.uuid)
    for dead in (job.token, graceful):
        with pytest.raises(InvalidToken):
            make(served.url, dead).job(job.uuid)
    assert make(served.url, final).job(job.uuid).uuid == job.uuid
    with pytest.raises(Denied):
        author.delete_job(job.uuid)
    with pytest.raises(Denied):
        make(served.url, final).job_token(job.uuid)
    for unknown in ("..", "", "10700000-0000-5000-8000-000000000000"):
        with pytest.raises(UnknownJob):
            author.job_token(unknown)


def test_accounts(operator: Any, author: Any, make: Any, served: Any) -> None:
    email, password = f"{secrets.token_hex(6)}@example.org", "quite unusual words"
    made = operator.create_user(email, password)
    assert (made.email, made.role, made.active) == (email, "author", True)
    assert operator.user(made.id) == made
    assert made in list(operator.iter_users(limit=2))
    assert operator.users(limit=1).users != [made]
    with pytest.raises(AlreadyExists):
        operator.create_user(email, password)
    with pytest.raises(InvalidInput):
        operator.create_user("x" + email, "short")
    with pytest.raises(Denied):
        author.create_user("y" + email, password)
    person = make(served.url)
    person.login(email, password)
    assert operator.disable_user(made.id).active is False
    with pytest.raises(InvalidToken):
        person.me()
    with pytest.raises(LoginFailed):
        make(served.url).login(email, password)
    operator.enable_user(made.id)
    with pytest.raises(InvalidToken):
        person.me()  # what has ended stays so
    again = make(served.url)
    again.login(email, password)
    with pytest.raises(LoginFailed):
        again.set_password(made.id, "another good phrase", "not the present one")
    again.set_password(made.id, "another good phrase", password)
    with pytest.raises(InvalidToken):
        again.me()
    again.login(email, "another good phrase")
    for unknown in (10**9, -1):
        with pytest.raises((UnknownPrincipal, InvalidInput)):
            operator.user(unknown)


def test_introspection_and_revocation(author: Any, make: Any, served: Any, job: Any, own_client: Any) -> None:
    told = author.introspect(job.token)
    assert (told.active, told.kind, told.job) == (True, "document", job.uuid)
    narrow = author.attenuate(token=job.token, events=["update"], expires_in_seconds=100)
    told = author.introspect(narrow)
    assert told.scope == "update"
    assert abs(told.exp - datetime.now(UTC).timestamp() - 100) < 30
    for dead in ("no token", "jp_doc_AAAA", "é & = %", narrow[:-4]):
        assert author.introspect(dead).__struct_fields__
        assert author.introspect(dead).active is False
        author.revoke(dead)
    other = make(served.url)
    other.login(served.other, served.password)
    assert other.introspect(job.token).active is False  # not their business
    author.revoke(narrow)
    assert author.introspect(job.token).active is False
    with pytest.raises(InvalidToken):
        own_client.job(job.uuid)
    author.revoke(author.token)
    with pytest.raises(InvalidToken):
        author.me()


def test_the_audit_is_read_in_order_and_by_filter(operator: Any, author: Any, job: Any) -> None:
    author.rotate_job_token(job.uuid)
    rotated = [entry for entry in operator.iter_audit(name="job.rotated", limit=1) if entry.subject == job.uuid]
    assert len(rotated) == 1
    assert rotated[0].data == {"grace_seconds": 0}
    entries = list(operator.iter_audit(limit=7))
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    at = rotated[0].at
    assert rotated[0] in list(operator.iter_audit(since=at, name="job.rotated"))
    assert rotated[0] not in list(operator.iter_audit(until=at, name="job.rotated"))
    assert not list(operator.iter_audit(since=datetime.now(UTC) + timedelta(days=1)))
    assert {e.principal for e in operator.iter_audit(principal=rotated[0].principal)} == {rotated[0].principal}
    with pytest.raises(Denied):
        author.audit()
    with pytest.raises(InvalidInput):
        operator.audit(since=datetime(2030, 1, 1))  # noqa: DTZ001 - without a zone on purpose


def test_the_audit_can_be_followed(operator: Any, author: Any, job: Any, make: Any, served: Any) -> None:
    slept: list[float] = []
    watcher = make(served.url, operator.token, slept=slept)
    seen = []
    for entry in watcher.iter_audit(name="job.rotated", follow=True):
        if entry.subject == job.uuid:
            seen.append(entry.sequence)
            if len(seen) == 2:
                break
        if not seen and not slept:
            author.rotate_job_token(job.uuid)
            author.rotate_job_token(job.uuid)
    assert seen == sorted(seen)


def test_lifecycles_are_data(author: Any) -> None:
    found = {one.name: one for one in author.lifecycles()}
    assert {"pipeline", "compute"} <= set(found)
    assert found["pipeline"].table["CREATED"]["run"] == "RUNNING"
    assert set(found["pipeline"].admin_only) == {"reset", "ready", "delete"}
