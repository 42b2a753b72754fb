"""Webhooks: who may have which URL told of which events."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from jobpass import ids
from jobpass.authority.standing import admitting, expect_whole, may_see, principal_of, session_of
from jobpass.authority.webhook_secrets import Secrets
from jobpass.errors import Conflict, Denied, InvalidInput, RevokedToken, TooMany, UnknownJob, UnknownWebhook
from jobpass.records import Delivery, Page, Principal, Webhook
from jobpass.tokens.access import Access

if TYPE_CHECKING:
    from jobpass.authority.audit import Audit
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.lifecycle.registry import Lifecycles
    from jobpass.ports import Destinations, Placement, Randomness, Store
    from jobpass.tokens.keyring import Keyring

MOST: Final = 100
"""Webhooks of one principal."""
MAX_GRACE_SECONDS: Final = 7 * 86_400
"""How long a replaced secret may sign on."""
RETRIED_AT_ONCE: Final = 1000
PING_SECONDS: Final = 60
"""``TooMany`` tells to come back after so long; by then a ping was given up."""


class Made(Struct, frozen=True):
    """A webhook with the secret that signs what it is sent."""

    webhook: Webhook
    secret: str

    def __repr__(self) -> str:
        return f"Made(webhook={self.webhook!r}, secret=…)"


class Seen(Struct, frozen=True):
    """A webhook with how many deliveries wait for it and how many are dead."""

    webhook: Webhook
    waiting: int
    dead: int


class Webhooks:
    """What people ask about webhooks."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        keyring: Keyring,
        lifecycles: Lifecycles,
        audit: Audit,
        clock: Clock,
        randomness: Randomness,
        destinations: Destinations | None,
    ) -> None:
        self._store = store
        self._gate = gate
        self._admit = admitting(gate, clock)
        self._keyring = keyring
        self._secrets = Secrets(keyring)
        self._lifecycles = lifecycles
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._destinations = destinations

    async def create(
        self, bearer: Bearer, url: str, *, job_uuid: str | None, pipeline_uuid: str | None, events: Collection[str]
    ) -> Made:
        """Have ``url`` told of events from now on: of one's own job, or of the jobs of a pipeline that one may see.

        Raises ``InvalidInput`` for what cannot be told or where it cannot, ``UnknownJob``, and ``Conflict`` for one too
        many.
        """
        at = await self._admit_subject(bearer, job_uuid, pipeline_uuid)
        self._expect_known(events)
        await self._check_url(url)
        owner = principal_of(bearer).id
        webhook = Webhook(
            id=ids.credential_id(self._randomness(16)),
            owner=owner,
            url=url,
            job_uuid=job_uuid,
            pipeline_uuid=pipeline_uuid,
            events=tuple(dict.fromkeys(events)),
            kid=self._keyring.signing_kid,
            secret_number=1,
            created_at=at,
        )

        def note(made: Webhook) -> Placement:
            return self._audit.placement(
                "webhook.created",
                bearer=bearer,
                subject=made.id,
                job=job_uuid,
                pipeline=pipeline_uuid,
                to=origin(url),
            )

        await self._store.add_webhook(webhook, MOST, note=note)
        standing = await self._store.find_credential(session_of(bearer).credential.number)
        if standing is None or standing.credential.revoked_at is not None:  # contained meanwhile, which missed this
            await self._remove(bearer, webhook)
            raise RevokedToken("The token has ended.")
        return Made(webhook, self._secrets.text(webhook))

    async def list(self, bearer: Bearer, *, after: str | None, limit: int) -> Page[Webhook]:
        """Webhooks in order of creation: all for an operator, one's own for an author."""
        self._admit(bearer, "webhooks.read")
        principal = principal_of(bearer)
        owner = None if principal.role == "operator" else principal.id
        page = await self._store.list_webhooks(owner=owner, after=after, limit=limit)
        return Page([_shown(webhook, principal) for webhook in page.items], page.next)

    async def read(self, bearer: Bearer, webhook_id: str) -> Seen:
        """One webhook: for its owner and for operators, who see where it leads but not the path."""
        self._admit(bearer, "webhooks.read")
        webhook = await self._find(bearer, webhook_id)
        waiting, dead = await self._store.count_deliveries(webhook_id)
        return Seen(_shown(webhook, principal_of(bearer)), waiting, dead)

    async def delete(self, bearer: Bearer, webhook_id: str) -> None:
        """End a webhook and all that waits for it. By its owner or an operator."""
        self._admit(bearer, "webhooks.manage")
        await self._remove(bearer, await self._find(bearer, webhook_id))

    async def rotate(self, bearer: Bearer, webhook_id: str, grace_seconds: int) -> Made:
        """A new secret, of the root key that signs now; the one before signs too for ``grace_seconds``."""
        if not 0 <= grace_seconds <= MAX_GRACE_SECONDS:
            raise InvalidInput.at("json.grace_seconds", f"must be 0 to {MAX_GRACE_SECONDS}")
        at = self._admit_owner(bearer)
        kid = self._keyring.signing_kid

        def judge(webhook: Webhook) -> Webhook:
            until = at + timedelta(seconds=grace_seconds) if grace_seconds else None
            previous = webhook.kid if grace_seconds else None
            number = webhook.secret_number + 1
            return replace(webhook, kid=kid, secret_number=number, previous_kid=previous, previous_until=until)

        webhook = await self._change(bearer, webhook_id, judge, at, "webhook.rotated", grace_seconds=grace_seconds)
        return Made(webhook, self._secrets.text(webhook))

    async def enable(self, bearer: Bearer, webhook_id: str) -> Webhook:
        """Have a disabled webhook told again of what happens from now on; what was given up can be tried again."""
        at = self._admit_owner(bearer)
        webhook = await self._find_own(bearer, webhook_id)
        await self._check_url(webhook.url)
        living = self._secrets.living

        def judge(standing: Webhook) -> Webhook:
            if standing.kid not in living:
                raise Conflict("The root key of this webhook's secret was retired: rotate its secret first.")
            return replace(standing, disabled_at=None, reason=None, failing_since=None)

        return await self._change(bearer, webhook_id, judge, at, "webhook.enabled")

    async def ping(self, bearer: Bearer, webhook_id: str) -> str:
        """Have the webhook sent something that means nothing, once; the id that it will bear.

        ``TooMany`` while one is on its way, ``Conflict`` for a disabled webhook.
        """
        at = self._admit_owner(bearer)
        webhook = await self._find_own(bearer, webhook_id)
        if webhook.disabled_at is not None:
            raise Conflict(f"The webhook is disabled: {webhook.reason}.")
        message = ids.random_typed_uuid("generic", self._randomness(16))
        if not await self._store.add_ping(webhook_id, message, at):
            raise TooMany("A ping is on its way already.", retry_after_seconds=PING_SECONDS)
        return message

    async def dead_letters(self, bearer: Bearer, webhook_id: str, *, after: str | None, limit: int) -> Page[Delivery]:
        """What was given up, in the order in which it happened."""
        self._admit(bearer, "webhooks.read")
        await self._find(bearer, webhook_id)
        return await self._store.list_dead(webhook_id, after=after, limit=limit)

    async def retry(self, bearer: Bearer, webhook_id: str, dead: Collection[int] | None) -> int:
        """Have what was given up tried again, all of it if ``dead`` is None; how many those are."""
        at = self._admit_owner(bearer)
        webhook = await self._find_own(bearer, webhook_id)
        if webhook.disabled_at is not None:
            raise Conflict(f"The webhook is disabled: {webhook.reason}.")
        count = 0
        while True:
            revived = await self._store.retry_dead(webhook_id, dead, at, RETRIED_AT_ONCE)
            count += revived
            if revived < RETRIED_AT_ONCE:
                return count

    async def _admit_subject(self, bearer: Bearer, job_uuid: str | None, pipeline_uuid: str | None) -> datetime:
        """Return if the bearer may be told of the job or of the pipeline's jobs, exactly one of which is given."""
        if (job_uuid is None) == (pipeline_uuid is None):
            raise InvalidInput.at("json.job_uuid", "or pipeline_uuid must be given, and not both")
        if pipeline_uuid is not None:
            at = self._admit_owner(bearer)
            if await self._store.find_pipeline(ids.parse_uuid(pipeline_uuid, "json.pipeline_uuid")) is None:
                raise InvalidInput.at("json.pipeline_uuid", "is not a known pipeline")
            return at
        uuid = ids.parse_uuid(job_uuid, "json.job_uuid")
        job = await self._store.find_job(uuid)
        at = self._clock.now()
        self._gate.admit(bearer, Access("webhooks.manage", at, job=uuid, address=bearer.address), job)
        expect_whole(bearer, "changes no webhook")
        if job is None:
            raise UnknownJob(uuid)
        return at

    def _expect_known(self, events: Collection[str]) -> None:
        known = {event.name for lifecycle in self._lifecycles for event in lifecycle.events} | {"create"}
        for name in events:
            if name not in known:
                raise InvalidInput.at("json.events", f"{name[:64]!r} is no event of a lifecycle that is known here")

    async def _remove(self, bearer: Bearer, webhook: Webhook) -> None:
        def note(deleted: bool) -> Placement | None:
            if not deleted:  # by another, meanwhile
                return None
            return self._audit.placement("webhook.deleted", bearer=bearer, subject=webhook.id, owner=webhook.owner)

        await self._store.delete_webhook(webhook.id, note=note)

    async def _check_url(self, url: str) -> None:
        if self._destinations is None:
            raise InvalidInput.at("json.url", "cannot be told anything: this installation sends no webhooks")
        await self._destinations.check(url)

    def _admit_owner(self, bearer: Bearer) -> datetime:
        """Return if the bearer may do what only owners do, and what outlives the token."""
        at = self._admit(bearer, "webhooks.manage")
        expect_whole(bearer, "changes no webhook")
        return at

    async def _find(self, bearer: Bearer, webhook_id: str) -> Webhook:
        return _visible(bearer, webhook_id, await self._store.find_webhook(webhook_id))

    async def _find_own(self, bearer: Bearer, webhook_id: str) -> Webhook:
        return _own(bearer, webhook_id, await self._store.find_webhook(webhook_id))

    async def _change(
        self,
        bearer: Bearer,
        webhook_id: str,
        judge: Callable[[Webhook], Webhook],
        at: datetime,
        entry: str,
        **data: Any,
    ) -> Webhook:
        return await self._store.change_webhook(
            webhook_id,
            lambda webhook: judge(_own(bearer, webhook_id, webhook)),
            at,
            note=lambda _: self._audit.placement(entry, bearer=bearer, subject=webhook_id, **data),
        )


def _visible(bearer: Bearer, webhook_id: str, webhook: Webhook | None) -> Webhook:
    """The webhook, if the bearer may know of it; ``UnknownWebhook`` if not, as if there is none."""
    if webhook is None or not may_see(bearer, webhook.owner):
        raise UnknownWebhook("There is no such webhook.", id=webhook_id)
    return webhook


def _own(bearer: Bearer, webhook_id: str, webhook: Webhook | None) -> Webhook:
    found = _visible(bearer, webhook_id, webhook)
    if found.owner != principal_of(bearer).id:
        raise Denied(reasons=["only the owner of a webhook does this"])
    return found


def origin(url: str) -> str:
    """Scheme, host and port of a webhook's URL: its path is often a secret."""
    return "/".join(url.split("/", 3)[:3])


def _shown(webhook: Webhook, principal: Principal) -> Webhook:
    return webhook if webhook.owner == principal.id else replace(webhook, url=f"{origin(webhook.url)}/…")
