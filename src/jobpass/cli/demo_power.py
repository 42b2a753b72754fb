"""The demo's part about power: an admin key is requested, reviewed by somebody else, used, and revoked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jobpass.cli import output
from jobpass.errors import Conflict, Denied, Error, InvalidToken

if TYPE_CHECKING:
    from jobpass.cli.demo_telling import Telling
    from jobpass.client.results import Job
    from jobpass.client.sync import Client

AUTHOR = "ada@localhost"
USE_CASE = "run the nightly index again after its input was replaced"
STORAGE = "in the memory of the process that needs it"


def play(told: Telling, operator: Client, job: Job) -> None:
    """All of it, on a job that has ended."""
    from jobpass.compose import make_password

    told.title("Power: what a document token may never do, on request and after a review")
    password = make_password()
    operator.create_user(AUTHOR, password)
    author = operator.with_token(None)
    author.login(AUTHOR, password)
    asked = author.request_admin_key(USE_CASE, STORAGE, lifetime_seconds=60, scope={"jobs": [job.uuid]})
    told.say(f"   {AUTHOR} asks for an admin key: {asked.use_case}; scope {output.compact(asked.scope)}")
    _refuse(told, "the requester reviews", lambda: author.approve_admin_key(asked.id, asked.request_hash), Denied)
    _refuse(told, "approving another request", lambda: operator.approve_admin_key(asked.id, "0" * 64), Conflict)
    operator.approve_admin_key(asked.id, asked.request_hash)
    told.say(f"   the operator approved exactly what was asked ({asked.request_hash[:16]}…)")
    admin = author.with_token(author.admin_token(author.collect_admin_key(asked.id)))
    _refuse(told, "collecting the key again", lambda: author.collect_admin_key(asked.id), Conflict)
    for event, state in (("reset", "RESET"), ("ready", "CREATED")):
        answer = admin.send(job.uuid, event)
        told.check(f"{event} with a token made from the key, offline", answer.state == state, answer.state)
    last = operator.history(job.uuid, after=answer.sequence - 1).events[-1]
    told.check("the record names the key", asked.id in last.credential, last.credential)
    operator.revoke_admin_key(asked.id, "the demo is over")
    _refuse(told, "reset after the key was revoked", lambda: admin.send(job.uuid, "reset"), InvalidToken)
    names = [entry.name for entry in operator.iter_audit() if entry.subject == asked.id]
    reviewed = [f"admin_key.{step}" for step in ("requested", "approved", "collected", "revoked")]
    told.check("the audit holds each step", [name for name in names if name in reviewed] == reviewed, ", ".join(names))


def _refuse(told: Telling, what: str, act: Callable[[], Any], expected: type[Error]) -> None:
    try:
        act()
    except Error as refusal:
        told.check(what, isinstance(refusal, expected), f"{refusal.code}. {output.sentence(refusal)}")
    else:
        told.check(what, held=False, detail="it was accepted")
