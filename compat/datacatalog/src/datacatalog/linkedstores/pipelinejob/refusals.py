"""What Jobpass refuses, as the errors that users of the original know."""

from __future__ import annotations

from datacatalog.linkedstores.pipelinejob.events import ADMIN_EVENTS
from datacatalog.linkedstores.pipelinejob.exceptions import (
    DuplicateJobError,
    JobUpdateFailure,
    UnknownJob,
    UnknownPipeline,
)
from datacatalog.tokens.exceptions import InvalidAdminToken, InvalidToken
from jobpass import errors

_ADMIN_TOKEN = "jp_adm_"  # noqa: S105 - what admin tokens begin with


def refused_token(name: str) -> InvalidToken:
    """The error of a token that does not open the event or action ``name``."""
    if name in ADMIN_EVENTS:
        return InvalidAdminToken("Administrative token was not valid")
    return InvalidToken("Token was not valid")


def need_admin(token: object) -> str:
    """``token`` if it can be an admin token at all; whether it is one, the record says."""
    if isinstance(token, str) and token.startswith(_ADMIN_TOKEN):
        return token
    raise refused_token("reset")


def no_job(uuid: object) -> UnknownJob:
    """The error of a uuid that names no job."""
    shown = uuid[:64] if isinstance(uuid, str) else type(uuid).__name__
    return UnknownJob(f"{shown} is not a valid job ID")


def refusal(error: errors.Error, uuid: object = "", name: str = "") -> Exception:
    """``error``, which answered the event or action ``name`` on the job ``uuid``, as the original's class."""
    if isinstance(error, errors.IllegalTransition):
        from transitions import MachineError  # costs more to import than all the rest

        return MachineError(f"Can't trigger event {name} from state {error.detail.get('state')}!")
    if isinstance(error, errors.UnknownEvent):
        return KeyError(name)
    if isinstance(error, errors.InvalidToken | errors.Denied):
        return refused_token(name)
    if isinstance(error, errors.UnknownJob):
        return no_job(uuid)
    if isinstance(error, errors.UnknownPipeline):
        return UnknownPipeline(error.message)
    if isinstance(error, errors.JobExists):
        return DuplicateJobError(error.message)
    if isinstance(error, errors.Conflict):
        return JobUpdateFailure(error.message)
    if isinstance(error, errors.InvalidInput):
        # What no JSON can hold is found before anything is asked, and has no request.
        unsent = "json.data" in error.detail.get("fields", {}) and "request_id" not in error.detail
        return TypeError(error.message) if unsent else ValueError(error.message)
    return error
