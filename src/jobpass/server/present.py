"""From the authority's records to the messages of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, Raw, UnsetType

from jobpass.wire.messages import (
    CredentialAnswer,
    EventAnswer,
    HistoryEntry,
    HistoryPage,
    JobAnswer,
    LoginAnswer,
    MeAnswer,
    VerifyAnswer,
)

if TYPE_CHECKING:
    from jobpass.authority.accounts import LoggedIn
    from jobpass.authority.jobs import Accepted
    from jobpass.records import Event, Job, Page, Pipeline, Session


def job(record: Job, data: bytes | None = None, token: str | UnsetType = UNSET) -> JobAnswer:
    """A job, with its data where one is asked for, and with its token where one is given out."""
    return JobAnswer(
        uuid=record.uuid,
        lifecycle=record.lifecycle,
        state=record.state,
        last_event=record.last_event,
        sequence=record.sequence,
        pipeline_uuid=record.pipeline_uuid,
        child_of=list(record.child_of),
        archive_path=record.archive_path,
        session=record.session,
        owner=record.owner,
        created_at=record.created_at,
        updated_at=record.updated_at,
        data=UNSET if data is None else Raw(data),
        token=token,
    )


def accepted(uuid: str, outcome: Accepted, presented: str | None) -> EventAnswer:
    """What an event did. ``presented`` is the document token that came with it: what was attenuated stays so."""
    event = outcome.event
    token = outcome.token if presented is None else presented
    return EventAnswer(uuid, event.state, event.name, event.sequence, event.uuid, token)


def history(events: list[Event], limit: int) -> HistoryPage:
    """One page of a history; there may be more if it is full."""
    entries = [
        HistoryEntry(
            event.sequence,
            event.uuid,
            event.name,
            Raw(event.data),
            event.at,
            event.state,
            event.credential,
            event.link.hex(),
        )
        for event in events
    ]
    return HistoryPage(entries, events[-1].sequence if len(events) == limit else None)


def verified(record: Job, broken_at: int | None) -> VerifyAnswer:
    """Whether a job's history holds."""
    return VerifyAnswer(record.uuid, record.sequence, broken_at is None, broken_at)


def pipeline(record: Pipeline) -> Raw:
    """A pipeline as it was given, byte for byte, with its uuid put first."""
    return Raw(b'{"uuid":"%b",%b' % (record.uuid.encode(), record.body.strip()[1:].lstrip()))


def pipelines(page: Page[Pipeline]) -> Raw:
    """One page of pipelines."""
    items = b",".join([bytes(pipeline(record)) for record in page.items])
    following = b"null" if page.next is None else b'"%b"' % page.next.encode()
    return Raw(b'{"pipelines":[%b],"next":%b}' % (items, following))


def logged_in(login: LoggedIn) -> LoginAnswer:
    """A login token; it always ends by itself."""
    issued_at, expires_at = login.credential.issued_at, login.credential.expires_at
    if expires_at is None:
        raise ValueError("a login token without an end")
    principal = login.principal
    return LoginAnswer(
        token=login.token,
        token_type="Bearer",  # noqa: S106 - the scheme's name
        duration=round((expires_at - issued_at).total_seconds()),
        expires_at=expires_at,
        user_id=principal.id,
        email=principal.email,
        is_admin=principal.role == "operator",
    )


def me(session: Session) -> MeAnswer:
    """Who a token speaks for."""
    principal, credential = session.principal, session.credential
    return MeAnswer(
        user_id=principal.id,
        email=principal.email,
        is_admin=principal.role == "operator",
        role=principal.role,
        credential=CredentialAnswer(credential.id, credential.kind, credential.expires_at),
    )
