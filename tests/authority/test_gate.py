"""Judges on jobs that are not there: gone since they were looked at, or never made."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import pytest

from jobpass.authority.bearer import Bearer
from jobpass.authority.gate import Gate, Submission
from jobpass.errors import UnknownJob
from jobpass.lifecycle.standard import STANDARD
from jobpass.records import Credential, Principal, Session
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


def test_no_judge_makes_anything_of_a_job_that_is_not_there() -> None:
    gate = Gate(Keyring.generate(secrets.token_bytes(4), secrets.token_bytes(32)), STANDARD)
    for judge in (
        gate.judge_event(admin(), UUID, Submission("", "run", b"null", NOW, None)),
        gate.judge_rotation(admin(), UUID, 1, NOW, 0),
        gate.judge_deletion(admin(), UUID, NOW),
    ):
        with pytest.raises(UnknownJob):
            judge(None, None)


async def test_an_unknown_job_is_not_rotated(house: House) -> None:
    ann = await house.person("ann@example.org")
    with pytest.raises(UnknownJob):
        await house.authority.jobs.rotate(ann, UUID)
