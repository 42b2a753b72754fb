"""Who a bearer speaks for, and what that lets them do, where only somebody with an account may ask."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jobpass.errors import Denied, RevokedToken
from jobpass.records import HELD
from jobpass.tokens.access import Access

if TYPE_CHECKING:
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.ports import AccountStore
    from jobpass.records import Job, Principal, Session
    from jobpass.tokens.token import Verified


def session_of(bearer: Bearer) -> Session:
    """The record behind the token and its owner; ``RevokedToken`` for a token without a record."""
    if bearer.session is None:
        raise RevokedToken("The token has no record.")
    return bearer.session


def principal_of(bearer: Bearer) -> Principal:
    """The principal behind the token; ``RevokedToken`` for a token without a record."""
    return session_of(bearer).principal


def is_operators_login(bearer: Bearer) -> bool:
    """Whether it is an operator's login, which opens what is everybody's; an operator's other tokens do not."""
    return bearer.verified.kind == "login" and principal_of(bearer).role == "operator"


def may_see(bearer: Bearer, owner: int) -> bool:
    """Whether what is ``owner``'s is the business of the token's owner: operators see everybody's."""
    principal = principal_of(bearer)
    return principal.role == "operator" or principal.id == owner


def expect_whole(bearer: Bearer, what: str) -> None:
    """Refuse a narrowed token, saying ``what`` it does not do: what that leaves behind would be narrowed by nothing,
    and would outlive it."""
    if bearer.verified.caveats:
        raise Denied(reasons=[f"a narrowed token {what}"])


def is_of_lease(verified: Verified, job: Job | None) -> bool:
    """Whether a document token is that of a worker which has the job now."""
    if job is None or job.work is None or job.state not in HELD:
        return False
    return (verified.serial, verified.kid) == (job.work.lease, job.kid)


def admitting(gate: Gate, clock: Clock) -> Callable[[Bearer, str], datetime]:
    """What asks the gate whether a bearer may do something that is about no job, and tells the moment of that."""

    def admit(bearer: Bearer, action: str) -> datetime:
        at = clock.now()
        gate.admit(bearer, Access(action, at, address=bearer.address))
        return at

    return admit


async def anew(store: AccountStore, bearer: Bearer) -> Bearer:
    """The same with its record as it stands now: it may have ended since it was presented."""
    identity = bearer.verified.credential_id
    if identity is None:
        return bearer
    session = await store.find_session(identity)
    if session is None:
        raise RevokedToken("There is no record of this token.")
    return replace(bearer, session=session)
