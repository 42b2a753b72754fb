"""From the authority's records of tokens to the messages of the contract."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import UNSET, Raw, UnsetType

from jobpass.tokens.token import Kind, beginning
from jobpass.wire.credentials import (
    ApiKeyAnswer,
    AuditTouch,
    ContainAnswer,
    Kin,
    Stopped,
    Token,
    TokenGenerateResponse,
    TokenListed,
    TokenUsageResponse,
    TokenUsageUnit,
    TouchedEvent,
    TouchedJob,
)

if TYPE_CHECKING:
    from jobpass.authority.containment import Contained, Trace
    from jobpass.authority.issuing import Issued
    from jobpass.records import Credential, Event, Session, Usage


def state(credential: Credential, at: datetime) -> str:
    """``active``, ``expired``, ``revoked`` or ``compromised``; what ended by decision has ended so."""
    if credential.revoked_at is not None:
        return "compromised" if credential.ended_by == "compromised" else "revoked"
    if credential.expires_at is not None and at >= credential.expires_at:
        return "expired"
    return "active"


def generated(issued: Issued) -> TokenGenerateResponse:
    """A job token that was made."""
    credential = issued.credential
    return TokenGenerateResponse(
        token=issued.token,
        token_id=credential.number,
        duration=_seconds(credential),
        credential=credential.id,
        label=credential.label,
        expiration_date=credential.expires_at or credential.issued_at,
    )


def listed(session: Session, at: datetime) -> TokenListed:
    """A job token in a list."""
    one = session.credential
    return TokenListed(
        id=one.number,
        label=one.label,
        key=beginning("job", one.kid, one.id),
        user_id=one.owner,
        priority=min(one.priority, session.principal.profile.priority),
        count=one.uses,
        created_date=one.issued_at,
        expiration_date=one.expires_at,
        last_used_time=one.last_used_at,
        is_revoked=one.revoked_at is not None,
        credential=one.id,
        parent=one.parent,
        state=state(one, at),
    )


def token(session: Session, at: datetime) -> Token:
    """A job token with all that is known of it."""
    one, owner = session.credential, session.principal
    platforms, actions = one.terms.platforms, one.terms.actions
    return Token(
        id=one.number,
        label=one.label,
        token=beginning("job", one.kid, one.id),
        user_id=one.owner,
        email=owner.email,
        priority=min(one.priority, owner.profile.priority),
        user_priority=owner.profile.priority,
        company_id=owner.profile.company_id,
        company_name=None,
        count=one.uses,
        created_date=one.issued_at,
        expiration_date=one.expires_at,
        last_used_time=one.last_used_at,
        last_used_duration=None if one.last_used_at is None else max(0, int((at - one.last_used_at).total_seconds())),
        valid=state(one, at) == "active" and owner.active,
        is_apikey=False,
        is_explorer_token=one.terms.explorer,
        credential=one.id,
        parent=one.parent,
        issuer=one.issuer,
        state=state(one, at),
        revoked_date=one.revoked_at,
        platforms=None if platforms is None else list(platforms),
        actions=None if actions is None else list(actions),
        may_mint=one.terms.mints,
    )


def used(number: int, usage: list[Usage]) -> TokenUsageResponse:
    """What was done with one token."""
    units = [TokenUsageUnit(one.platform, one.jobs, one.seconds) for one in usage]
    return TokenUsageResponse(number, sum(one.jobs for one in usage), units)


def api_key(credential: Credential, at: datetime, text: str | None = None) -> ApiKeyAnswer:
    """An API key; with its whole ``text`` where it is made."""
    kind: Kind = "apikey"
    platforms = credential.terms.platforms
    return ApiKeyAnswer(
        id=credential.number,
        key=text or beginning(kind, credential.kid, credential.id),
        label=credential.label,
        user_id=credential.owner,
        platforms=None if platforms is None else list(platforms),
        duration=_seconds(credential),
        created_date=credential.issued_at,
        expiration_date=credential.expires_at,
        last_used_time=credential.last_used_at,
        count=credential.uses,
        state=state(credential, at),
        revoked_date=credential.revoked_at,
        credential=credential.id,
        parent=credential.parent,
    )


def kin(credential: Credential, at: datetime) -> Kin:
    """A credential in a line."""
    return Kin(
        credential.id,
        credential.kind,
        credential.label,
        credential.owner,
        credential.issued_at,
        credential.expires_at,
        state(credential, at),
    )


def trace(found: Trace, at: datetime, contained: Contained | None) -> ContainAnswer:
    """What is known of a leaked token, and what its end stopped if it was ended."""
    record = None if found.session is None else found.session.credential
    return ContainAnswer(
        kind=found.kind,
        credential=found.credential,
        living=found.living,
        user_id=None if found.owner is None else found.owner.id,
        email=None if found.owner is None else found.owner.email,
        label=None if record is None else record.label,
        job_uuid=None if found.job is None else found.job.uuid,
        issued_at=None if record is None else record.issued_at,
        expires_at=None if record is None else record.expires_at,
        ancestors=[kin(one, at) for one in found.lineage.ancestors],
        descendants=[kin(one, at) for one in found.lineage.descendants],
        jobs=[TouchedJob(one.uuid, one.owner, one.events, one.first_at, one.last_at) for one in found.jobs],
        events=[_touched(one.job_uuid, one.event) for one in found.touches],
        audit=[
            AuditTouch(one.at, one.name, one.credential, one.address, one.subject, Raw(one.data))
            for one in found.entries
        ],
        addresses=found.addresses,
        counted=found.counted,
        more=found.more,
        stopped=_stopped(contained, at),
    )


def _stopped(contained: Contained | None, at: datetime) -> Stopped | UnsetType:
    if contained is None:
        return UNSET
    return Stopped([kin(one, at) for one in contained.ended], list(contained.rotated), list(contained.disabled))


def _touched(job_uuid: str, event: Event) -> TouchedEvent:
    return TouchedEvent(
        job_uuid, event.sequence, event.uuid, event.name, event.at, event.state, event.credential, event.address
    )


def _seconds(credential: Credential) -> int:
    """How long the credential lives in all; what is not a whole second does not count."""
    if credential.expires_at is None:
        return 0
    return int((credential.expires_at - credential.issued_at).total_seconds())
