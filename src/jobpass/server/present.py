"""From the authority's records to the messages of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Raw, UnsetType
from msgspec.structs import replace

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
from jobpass.wire.power import (
    AdminKeyAnswer,
    AuditAnswer,
    IntrospectionAnswer,
    LifecycleAnswer,
    LifecycleEvent,
    LifecycleState,
    UserAnswer,
)
from jobpass.wire.webhooks import DeadLetter, WebhookAnswer

if TYPE_CHECKING:
    from jobpass.authority.introspection import Introspected
    from jobpass.authority.issuing import Issued
    from jobpass.authority.job_reader import Found
    from jobpass.authority.jobs import Accepted
    from jobpass.lifecycle.model import Lifecycle
    from jobpass.lifecycle.registry import Lifecycles
    from jobpass.records import AdminKey, AuditEntry, Delivery, Event, Job, Page, Pipeline, Principal, Session, Webhook

_object = msgspec.json.Decoder(dict[str, Any])


def job(record: Job, lifecycles: Lifecycles) -> JobAnswer:
    """A job, as a list shows it."""
    return JobAnswer(
        uuid=record.uuid,
        lifecycle=record.lifecycle,
        state=record.state,
        last_event=record.last_event,
        sequence=record.sequence,
        pipeline_uuid=record.pipeline_uuid,
        child_of=list(record.child_of),
        archive_path=record.archive_path,
        archive_system=record.archive_system,
        session=record.session,
        owner=record.owner,
        created_at=record.created_at,
        updated_at=record.updated_at,
        # A lifecycle can be gone from the settings; its jobs are still there.
        final=record.lifecycle in lifecycles and record.state in lifecycles.get(record.lifecycle).final,
    )


def found(one: Found, lifecycles: Lifecycles, token: str | UnsetType = UNSET) -> JobAnswer:
    """A job with all that is known of it, and with its token where one is given out."""
    details = one.details
    return replace(
        job(one.job, lifecycles),
        data=Raw(one.data),
        generated_by=list(details.generated_by),
        acted_on=list(details.acted_on),
        acted_using=list(details.acted_using),
        archive_patterns=Raw(details.archive_patterns),
        product_patterns=Raw(details.product_patterns),
        attributes=Raw(details.attributes),
        token=token,
    )


def accepted(uuid: str, outcome: Accepted, presented: str | None) -> EventAnswer:
    """What an event did. ``presented`` is the document token that came with it: what was attenuated stays so."""
    event = outcome.event
    token = outcome.token if presented is None else presented
    return EventAnswer(uuid, event.state, event.name, event.sequence, event.uuid, token, event.at)


def history(events: list[Event], *, more: bool) -> HistoryPage:
    """One page of a history; ``more`` says that there may be another."""
    return HistoryPage([history_entry(event) for event in events], events[-1].sequence if more else None)


def history_entry(event: Event) -> HistoryEntry:
    """One event of a history."""
    return HistoryEntry(
        event.sequence,
        event.uuid,
        event.name,
        Raw(event.data),
        event.at,
        event.state,
        event.credential,
        event.link.hex(),
    )


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


def logged_in(login: Issued) -> LoginAnswer:
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


def user(principal: Principal) -> UserAnswer:
    """An account."""
    known = principal.profile
    return UserAnswer(
        id=principal.id,
        email=principal.email,
        role=principal.role,
        active=principal.active,
        created_at=principal.created_at,
        is_admin=principal.role == "operator",
        first_name=known.first_name,
        last_name=known.last_name,
        priority=known.priority,
        company_id=known.company_id,
        platform_ids=None if known.platform_ids is None else list(known.platform_ids),
        max_jobs_in_queue=known.max_jobs_in_queue,
        max_concurrent_jobs=known.max_concurrent_jobs,
    )


def admin_key(key: AdminKey) -> AdminKeyAnswer:
    """A request for an admin key."""
    return AdminKeyAnswer(
        id=key.id,
        state=key.state,
        requester=key.requester,
        use_case=key.use_case,
        storage=key.storage,
        lifetime_seconds=key.lifetime_seconds,
        scope=_object.decode(key.scope),
        request_hash=key.request_hash,
        requested_at=key.requested_at,
        reviewer=key.reviewer,
        reviewed_at=key.reviewed_at,
        reason=key.reason,
        collected_at=key.collected_at,
        revoked_at=key.revoked_at,
    )


def lifecycle(one: Lifecycle) -> LifecycleAnswer:
    """A state machine as data."""
    table: dict[str, dict[str, str]] = {state.name: {} for state in one.states}
    for (state, event), after in one.table.items():
        table[state][event] = after
    return LifecycleAnswer(
        one.name,
        one.description,
        one.initial,
        [LifecycleState(state.name, state.description, state.final) for state in one.states],
        [LifecycleEvent(event.name, event.description, event.admin_only) for event in one.events],
        table,
        sorted(one.admin_only),
    )


def audit_entry(entry: AuditEntry) -> AuditAnswer:
    """One entry of the audit."""
    return AuditAnswer(
        entry.node,
        entry.sequence,
        entry.at,
        entry.name,
        entry.principal,
        entry.credential,
        entry.address,
        entry.subject,
        Raw(entry.data),
        entry.link.hex(),
    )


def webhook(record: Webhook, **more: Any) -> WebhookAnswer:
    """A webhook; ``more`` are its counts, or its secret where one is given out."""
    return WebhookAnswer(
        id=record.id,
        owner=record.owner,
        url=record.url,
        job_uuid=record.job_uuid,
        pipeline_uuid=record.pipeline_uuid,
        events=list(record.events),
        created_at=record.created_at,
        previous_until=record.previous_until,
        failing_since=record.failing_since,
        disabled_at=record.disabled_at,
        reason=record.reason,
        **more,
    )


def dead_letter(record: Delivery) -> DeadLetter:
    """Something that was given up."""
    return DeadLetter(
        record.id,
        record.message,
        record.job_uuid,
        record.sequence,
        record.event,
        record.made_at,
        record.attempts,
        record.dead_at,
        record.last_error,
    )


def introspected(found: Introspected | None) -> IntrospectionAnswer:
    """What a token is; the same for all that are not active."""
    if found is None:
        return IntrospectionAnswer(active=False)
    return IntrospectionAnswer(
        active=True,
        token_type="Bearer",  # noqa: S106 - the scheme's name
        kind=found.kind,
        sub=found.sub,
        exp=UNSET if found.exp is None else found.exp,
        iat=UNSET if found.iat is None else found.iat,
        job=UNSET if found.job is None else found.job,
        scope=found.scope,
    )
