"""Judges on jobs that are not there: gone since they were looked at, or never made."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from jobpass.authority.bearer import Bearer
from jobpass.authority.gate import Gate, Submission
from jobpass.errors import Conflict, UnknownJob
from jobpass.lifecycle.standard import STANDARD
from jobpass.records import Change, Credential, Job, Principal, Session
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.token import Verified
from support.house import House

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
UUID = "1071269f-b251-5a5f-bec1-6d7f77131f3f"
ID = "ab" * 16


def admin() -> Bearer:
    """The bearer of an admin token that is good."""
    record = Session(Credential(ID, "admin", 1, "", NOW, None), Principal(1, "ann@example.org", "author", True, NOW))
    return Bearer(Verified("admin", "00000000", None, None, ID, None, ()), record)


def submission(name: str) -> Submission:
    return Submission("", name, b"null", NOW, None)


def test_a_job_that_is_not_at_its_beginning_is_not_canceled_whatever_its_sequence() -> None:
    """As one that another system made in the middle of its life."""
    gate = Gate(Keyring.generate(secrets.token_bytes(4), secrets.token_bytes(32)), STANDARD)
    judge = gate.judge_cancellation(admin(), UUID, NOW)
    made = Job(UUID, "pipeline", "CREATED", "create", 1, b"", "", 1, 1, "", NOW, NOW)
    assert judge(made, None) == Change(made, None, None)
    for other in (replace(made, state="RUNNING"), replace(made, sequence=2), replace(made, lifecycle="compute")):
        with pytest.raises(Conflict):
            judge(other, None)


def test_no_judge_makes_anything_of_a_job_that_is_not_there() -> None:
    gate = Gate(Keyring.generate(secrets.token_bytes(4), secrets.token_bytes(32)), STANDARD)
    for judge in (
        gate.judge_event(admin(), UUID, submission("run")),
        gate.judge_rotation(admin(), UUID, 1, NOW, 0),
        gate.judge_deletion(admin(), UUID, NOW),
        gate.judge_cancellation(admin(), UUID, NOW),
        gate.judge_reset(admin(), UUID, submission("reset"), submission("ready")),
        gate.judge_relapse(admin(), UUID, submission("ready"), submission("reset"), 2),
    ):
        with pytest.raises(UnknownJob):
            judge(None, None)


async def test_an_unknown_job_is_not_rotated(house: House) -> None:
    ann = await house.person("ann@example.org")
    with pytest.raises(UnknownJob):
        await house.authority.jobs.rotate(ann, UUID)
