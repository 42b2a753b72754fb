"""The whole answer: every ground is found, and nothing that has an objection is allowed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jobpass.authority.bearer import Bearer
from jobpass.authority.decide import Allowed, Denied, decide
from jobpass.authority.policy import ACTIONS, KIND_ACTIONS, ROLE_ACTIONS
from jobpass.records import NO_LINK, Credential, Job, Principal, Session
from jobpass.tokens.access import Access
from jobpass.tokens.caveats import Events, ExpiresAt
from jobpass.tokens.token import Verified

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
UUID = "1071269f-b251-5a5f-bec1-6d7f77131f3f"
OTHER = "1071269f-b251-5a5f-bec1-6d7f77131f40"
JOB = Job(UUID, "pipeline", "RUNNING", "run", 2, NO_LINK, "00000000", 7, 1, "106", NOW, NOW)
DOCUMENT = Verified("document", "00000000", UUID, 7, None, None, ())
ID = "0" * 32


def document(**changes: object) -> Bearer:
    return Bearer(replace(DOCUMENT, **changes))


def person(user: int = 1, role: str = "author", active: bool = True, **changes: object) -> Bearer:
    credential = Credential(ID, "login", user, "login", NOW, NOW + timedelta(hours=1))
    principal = Principal(user, "a@b", role, active, NOW)
    verified = Verified("login", "00000000", None, None, ID, None, ())
    return Bearer(verified, Session(replace(credential, **changes), principal))


def send(event: str = "update", job: str = UUID, at: datetime = NOW) -> Access:
    return Access("jobs.event", at, job, event, "RUNNING")


def grounds(decision: Allowed | Denied) -> set[str]:
    return {o.ground for o in decision.objections} if isinstance(decision, Denied) else set()


def test_a_document_token_opens_its_job_and_nothing_else() -> None:
    assert decide(document(), send(), JOB) == Allowed("document:00000000")
    assert grounds(decide(document(job_uuid=OTHER), send(), JOB)) == {"hidden"}
    assert grounds(decide(document(serial=8), send(), JOB)) == {"ended"}
    assert grounds(decide(document(kid="00000001"), send(), JOB)) == {"ended"}
    for action in set(ACTIONS) - KIND_ACTIONS["document"]:
        assert "policy" in grounds(decide(document(), Access(action, NOW), None))


def test_a_rotated_serial_lives_until_its_grace_ends() -> None:
    rotated = replace(
        JOB, serial=9, previous_serial=7, previous_kid="00000000", previous_until=NOW + timedelta(seconds=5)
    )
    assert not grounds(decide(document(), send(), rotated))
    assert grounds(decide(document(), send(at=NOW + timedelta(seconds=5)), rotated)) == {"ended"}
    assert grounds(decide(document(serial=6), send(), rotated)) == {"ended"}


def test_every_objection_is_collected() -> None:
    verified = replace(DOCUMENT, serial=8, caveats=(ExpiresAt(0), Events(("run",))))
    decision = decide(Bearer(verified), send("reset", OTHER), JOB, admin_only=True)
    assert grounds(decision) == {"hidden", "ended", "expired", "caveat", "policy"}


@pytest.mark.parametrize("bearer", [document(), person(), person(role="operator")])
def test_what_the_lifecycle_reserves_needs_an_admin_token(bearer: Bearer) -> None:
    assert grounds(decide(bearer, send("reset"), JOB, admin_only=True)) == {"policy"}


def test_the_owner_moves_the_job_an_operator_sees_it_a_stranger_does_not() -> None:
    read = Access("jobs.read", NOW, UUID)
    assert not grounds(decide(person(1), send(), JOB))
    assert not grounds(decide(person(2, "operator"), read, JOB))
    assert grounds(decide(person(2, "operator"), send(), JOB)) == {"policy"}
    assert grounds(decide(person(2), send(), JOB)) == {"hidden"}
    assert grounds(decide(person(2), read, JOB)) == {"hidden"}


def test_a_record_ends_its_token() -> None:
    assert grounds(decide(person(revoked_at=NOW), send(), JOB)) == {"ended"}
    assert grounds(decide(person(active=False), send(), JOB)) == {"disabled"}
    assert grounds(decide(person(expires_at=NOW), send(), JOB)) == {"expired"}
    assert grounds(decide(person(id="1" * 32), send(), JOB)) == {"ended"}
    assert grounds(decide(person(kind="apikey"), send(), JOB)) == {"ended"}
    assert grounds(decide(Bearer(person().verified), send(), JOB)) == {"ended"}


kinds = st.sampled_from(["document", "admin", "login", "job", "apikey"])


@given(
    kinds,
    st.sampled_from(sorted(ACTIONS)),
    st.sampled_from([1, 2]),
    st.sampled_from(["author", "operator"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, JOB]),
)
def test_allowed_means_that_every_table_says_yes(
    kind: str, action: str, user: int, role: str, active: bool, revoked: bool, admin_only: bool, job: Job | None
) -> None:
    base = person(user, role, active, kind=kind, revoked_at=NOW if revoked else None)
    bearer = (
        document()
        if kind == "document"
        else replace(base, verified=Verified(kind, "00000000", None, None, ID, None, ()))
    )
    event = "reset" if action == "jobs.event" else None
    decision = decide(bearer, Access(action, NOW, job.uuid if job else None, event), job, admin_only=admin_only)
    if isinstance(decision, Denied):
        assert decision.objections
        return
    assert action in KIND_ACTIONS[kind]
    assert not admin_only or kind == "admin"
    if kind == "document":
        assert job is not None
        return
    assert active
    assert not revoked
    if kind != "admin":
        acting = "author" if kind == "job" else role
        assert action in ROLE_ACTIONS[acting]
        seen = {"jobs.read", "tokens.contain"}
        assert job is None or user == JOB.owner or (acting == "operator" and action in seen)
