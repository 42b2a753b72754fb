"""What the authority asks of a store. Stores keep; they do not judge.

Every method raises ``StoreUnavailable`` when the record cannot be read or written now; then nothing was half-written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime
from typing import Protocol

from jobpass.records import (
    AdminKey,
    AuditEntry,
    Change,
    Claim,
    Credential,
    Delivery,
    Details,
    EndedBy,
    Event,
    FileFound,
    FileKind,
    ImportBatch,
    IndexedFile,
    IndexRun,
    Job,
    LegacyToken,
    Lineage,
    Linked,
    Load,
    Login,
    News,
    Page,
    Pipeline,
    Platform,
    Principal,
    Profile,
    Progress,
    Replayed,
    Role,
    Session,
    Standing,
    Touch,
    Usage,
    Webhook,
)

Judge = Callable[[Job | None, Event | None], Change | Replayed]
"""Pure: (the job or None, the event that stands under the same idempotency key or None) → what to write.

It refuses by raising an error of ``jobpass.errors``, which reaches the caller of ``apply`` as it is. It may be called
several times for one ``apply``, each time with a later state of the job; only the last answer counts.
"""


Randomness = Callable[[int], bytes]
"""n → n random bytes, fit for keys."""


Tell = Callable[[Collection[str] | None], None]
"""The topics (see ``Signals``) of what has happened; None: anything may have."""


class JobStore(Protocol):
    """Jobs, their histories, and the pipelines that they belong to."""

    async def apply(
        self, uuid: str, judge: Judge, key: str | None = None, *, apart: Job | None = None
    ) -> Change | Replayed:
        """Write what ``judge`` says about the job, durably, in one piece; return it once it is on the disk.

        Calls for one job are judged one after the other, each on the result of the one before. ``key`` is the
        idempotency key under which the second argument of ``judge`` is looked up.

        ``apart`` is the job that ``judge`` may make: if it makes one, and a job of another owner is a neighbour of that
        archive path as ``archive_neighbour`` has it, nothing is written and ``JobExists`` raised. Of two that are made
        at once one is. In the same way ``LimitExceeded`` is raised for a job beyond ``Change.most``.
        """
        ...

    async def find_job(self, uuid: str) -> Job | None:
        """The job as last committed."""
        ...

    async def find_details(self, uuid: str) -> Details | None:
        """What the job was made with; None for an unknown job."""
        ...

    async def list_jobs(
        self,
        *,
        owner: int | None,
        state: str | None,
        pipeline_uuid: str | None,
        linked: Collection[Linked] = (),
        after: str | None,
        limit: int,
    ) -> Page[Job]:
        """Jobs in order of creation which meet every condition; ``after`` is the ``next`` of the page before. A cursor
        that was never given out raises ``InvalidInput`` on ``query.after``."""
        ...

    async def archive_neighbour(self, uuid: str, system: str, path: str, *, not_of: int | None = None) -> str | None:
        """The uuid of another job whose archive path on ``system`` is ``path``, lies in it, or contains it; or None.

        With ``not_of`` only jobs of other owners than this count. Paths are compared as texts, name by name: they are
        normalised when a job is made.
        """
        ...

    async def count_lifecycles(self) -> dict[str, int]:
        """How many jobs each lifecycle has that has any, by name."""
        ...

    def hold(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold ``name`` (a job's uuid) against everybody else who would hold it, in this process or another on the
        same store, until the context ends or the process dies. Does not wait: ``Conflict`` if somebody has it."""
        ...

    async def history(self, uuid: str, after: int, limit: int) -> list[Event]:
        """The events with a sequence above ``after``, in order, at most ``limit``; empty for an unknown job."""
        ...

    async def put_pipeline(self, pipeline: Pipeline) -> None:
        """Add the pipeline, or replace the one of the same uuid keeping its owner and ``created_at``."""
        ...

    async def find_pipeline(self, uuid: str) -> Pipeline | None:
        """The pipeline of this uuid."""
        ...

    async def list_pipelines(self, *, after: str | None, limit: int) -> Page[Pipeline]:
        """Pipelines in order of creation; ``after`` as in ``list_jobs``."""
        ...


class Archives(Protocol):
    """The file systems where jobs put what they made, by the name of the archive system.

    A *system* is configured with a base URL and the roots below which jobs' directories may lie. Paths are absolute
    within the system, as jobs name them (``/products/v2/…``).
    """

    def resolve(self, system: str | None) -> str | None:
        """The system that a job names, or the default one if it names none; None if there is no default.

        A job's row keeps the answer, so that another default moves nobody's directory.
        """
        ...

    def check(self, system: str | None, path: str) -> str:
        """``path`` normalised, if a job may have it: absolute, without ``.``, ``..`` or control characters, and
        strictly below a root.

        ``system`` is resolved first. One that is not configured allows every sound path, since nothing is ever done
        there. Raises ``InvalidInput`` on ``json.archive_path``.
        """
        ...

    async def make(self, system: str | None, path: str) -> None:
        """Make the directory ``path`` and those that lead to it, where they are not there yet.

        Nothing is made where there is no system, or one that is not configured: nothing is ever done there. Links are
        not followed, and roots are not made. Raises ``ArchiveFailed`` as ``clear`` does, also for a file in the way.
        """
        ...

    async def clear(self, system: str | None, path: str) -> int:
        """Remove all that is in the directory ``path``, but not the directory; how many files those were.

        Both are as a job's record has them: None is no system, and the path is checked once more. A directory that is
        not there has nothing in it. Links are removed, never followed. Raises ``ArchiveFailed``, whose message says why
        without naming anything of this machine; what was removed by then stays removed. Whoever cancels this waits
        until nothing is removed any more.
        """
        ...

    def walk(self, system: str | None, path: str) -> AsyncIterator[list[FileFound]]:
        """The files in the directory ``path`` and below it, in batches; none if it is not there.

        Names are in the order of their code points; the files of a directory come before its directories, each with all
        that is in it. Links, pipes and the like are left out. Close it (``contextlib.aclosing``). Raises
        ``ArchiveFailed`` as ``clear`` does, also for a name that is not UTF-8: nothing is left out unsaid.
        """
        ...

    async def digest(self, system: str | None, file: FileFound) -> str:
        """The SHA-256 in hex of a file that ``walk`` found; ``ArchiveFailed`` if it is another one by now."""
        ...


class FileStore(Protocol):
    """The files that indexing found, by job; they go with their job.

    A job is given as its record, and is that very one: a job that was made anew under its uuid is ``UnknownJob``.
    """

    async def put_files(
        self, job: Job, run: IndexRun, files: Sequence[IndexedFile] = (), seen: Collection[str] = ()
    ) -> None:
        """Write durably, in one piece, how far the run is, and ``files``, which replace those of the same paths.

        The sources of a run are those that it first came with. A file without ``digest`` keeps the one that was
        recorded before, if its size and ``modified_at`` are the same. ``seen`` are paths of others that are there:
        what is recorded of them stays.
        """
        ...

    async def sweep_files(self, job: Job, run: int, after: int, limit: int) -> int | None:
        """Look at the next ``limit`` files after a place (0 at first), and forget those that the run has not seen.

        Returns the next place; None at the end, when runs are forgotten of which no file is left.
        """
        ...

    async def find_run(self, uuid: str, number: int | None = None) -> IndexRun | None:
        """A run of a job; the last one if no number is given."""
        ...

    async def list_files(
        self, uuid: str, *, kind: FileKind | None, level: str | None, after: str | None, limit: int
    ) -> Page[IndexedFile]:
        """The files of a job in the order in which they were first recorded; ``after`` as in ``list_jobs``."""
        ...


class AccountStore(Protocol):
    """Principals and the credentials that were issued to them."""

    async def add_principal(
        self, email: str, role: Role, password_hash: str, at: datetime, profile: Profile = ..., *, active: bool = True
    ) -> Principal:
        """A new principal; ``AlreadyExists`` when the address is taken."""
        ...

    async def find_login(self, email: str) -> Login | None:
        """The principal of this address (lower case) with the hash of the password."""
        ...

    async def add_credential(self, credential: Credential, *, numbered: bool = False) -> Credential:
        """Record a credential durably; returns it with its ``number``.

        The label of a ``job`` or ``apikey`` credential is its owner's only one of that kind, deleted ones aside: where
        it is taken, ``AlreadyExists``, or with ``numbered`` another one that ends in ``-2``, ``-3`` and so on.
        """
        ...

    async def find_session(self, credential_id: str) -> Session | None:
        """The credential and its principal. May be answered from memory, but never later than one second after a
        change committed by another process, and at once after one of this process.

        What ended an ancestor ended the credential: ``revoked_at`` and ``expires_at`` are the earliest of its line of
        parents. A parent that is not recorded adds nothing.
        """
        ...

    async def find_credential(self, number: int) -> Session | None:
        """As ``find_session``, by the contract's integer id and from the record; None for one that was deleted."""
        ...

    async def list_credentials(
        self,
        kind: str,
        *,
        owner: int | None = None,
        living_at: datetime | None = None,
        revoked: bool = False,
        first: int = 0,
        offset: int = 0,
        limit: int,
    ) -> list[Session]:
        """Credentials of a kind in order of issue, deleted ones aside: of those with the number ``first`` or a higher
        one, from the ``offset``-th on (0 is the first).

        With ``living_at`` those that expired by then do not count, without ``revoked`` those that ended by decision.
        """
        ...

    async def change_credential(
        self, credential_id: str, change: Callable[[Credential, Credential | None], Credential]
    ) -> Credential:
        """Replace the credential by what the pure ``change`` says of it and of its parent, as a session shows that.

        ``change`` refuses by raising; then nothing changes. ``UnknownCredential`` if there is none, ``AlreadyExists``
        for a label as in ``add_credential``. Holds for ``find_session`` before it returns.
        """
        ...

    async def end_credential(
        self, credential_id: str, at: datetime, by: EndedBy = "revoked", *, issued: bool = False
    ) -> list[Credential]:
        """End a credential with all that descends from it by ``parent``, or with ``issued`` by ``issuer``.

        Returns those that lived until now, as they were. What descends from it ends by ``parent``, or as compromised
        too. One that has ended already becomes ``compromised`` or ``deleted`` if that is asked, and stays so. Holds
        before it returns.
        """
        ...

    async def find_lineage(self, credential_id: str, most: int) -> Lineage:
        """Ancestors and descendants by ``issuer``, at most ``most`` of each."""
        ...

    async def touched(self, names: Collection[str], *, job: str | None, after: str | None, limit: int) -> Page[Touch]:
        """The events which credentials of these public names authorised, in order of writing; ``after`` as in
        ``list_jobs``. Without ``job`` (a uuid) it looks at every event there is."""
        ...

    async def find_principal(self, principal_id: int) -> Principal | None:
        """The principal of this id."""
        ...

    async def list_principals(self, *, after: str | None, limit: int) -> Page[Principal]:
        """Principals in order of creation; ``after`` as in ``list_jobs``."""
        ...

    async def change_principal(
        self, principal_id: int, change: Callable[[Principal], Principal], password_hash: str | None = None
    ) -> Principal:
        """Replace the principal by what the pure ``change`` says, and its password if one is given.

        ``change`` refuses by raising; then nothing changes. ``UnknownPrincipal`` if there is none, ``AlreadyExists``
        if the address is another's. Holds for ``find_session`` before it returns.
        """
        ...

    async def revoke_owned(self, principal_id: int, kinds: Collection[str], at: datetime) -> int:
        """End all living credentials of these kinds that the principal owns, by ``owner``; how many they were.

        Living is what was neither revoked nor had expired by ``at``; one that was only revoked ends by ``owner`` too.
        Holds before it returns.
        """
        ...

    async def note_uses(self, uses: Mapping[str, tuple[int, datetime]]) -> None:
        """Add to the counts of uses and move ``last_used_at`` on, by credential id; unknown ids are passed over."""
        ...

    async def count_kids(self, at: datetime | None = None) -> dict[str, int]:
        """How many jobs (by ``kid`` or ``previous_kid``), living credentials and webhooks that are not disabled
        still need each root key, by kid.

        With ``at``, what ended by time before it does not count: expired credentials, previous serials.
        """
        ...


class AdminKeyStore(Protocol):
    """Requests for administrative power."""

    async def add_admin_key(self, key: AdminKey) -> None:
        """Keep a new request; ``UnknownPrincipal`` without its requester, ``AlreadyExists`` when the id is taken."""
        ...

    async def find_admin_key(self, key_id: str) -> AdminKey | None:
        """The request of this id."""
        ...

    async def list_admin_keys(self, *, requester: int | None, after: str | None, limit: int) -> Page[AdminKey]:
        """Requests in order of asking; ``after`` as in ``list_jobs``."""
        ...

    async def change_admin_key(self, key_id: str, judge: Callable[[AdminKey | None], AdminKey]) -> AdminKey:
        """Replace the request by what the pure ``judge`` says of it as it stands, in one transaction.

        ``judge`` refuses by raising; then nothing changes. Of a request that is unknown (None) it must.
        """
        ...


class PlatformStore(Protocol):
    """Where jobs are sent to. Nothing is ever taken away: a platform is retired."""

    async def add_platform(self, platform: Platform) -> None:
        """Keep a new platform; ``AlreadyExists`` when the name or the id is taken."""
        ...

    async def find_platform(self, name: str) -> Platform | None:
        """The platform of this name, exactly."""
        ...

    async def list_platforms(self) -> list[Platform]:
        """All platforms in order of creation; they are few."""
        ...

    async def change_platform(self, name: str, judge: Callable[[Platform | None], Platform]) -> Platform:
        """Replace the platform by what the pure ``judge`` says of it as it stands, in one transaction.

        ``judge`` refuses by raising; of a platform that is unknown (None) it must.
        """
        ...


class AuditStore(Protocol):
    """The audit chains, one a node."""

    async def append_audit(self, node: str, place: Callable[[int, bytes], list[AuditEntry]]) -> None:
        """Append durably what the pure ``place`` answers to the last sequence and link of the node (0 and 32 zero
        bytes at first); entries of several processes for one node follow each other. ``place`` may be called again
        with a later place; only its last answer counts."""
        ...

    async def list_audit(
        self,
        *,
        node: str | None = None,
        name: str | None = None,
        principal: int | None = None,
        credentials: Collection[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[AuditEntry]:
        """Entries in order of writing; ``since`` inclusive, ``until`` exclusive; ``after`` as in ``list_jobs``.
        ``credentials`` are public names, of which an entry's is one.

        ``next`` is None only for an empty page: from any other the caller can follow what is yet to come.
        """
        ...

    async def audit_nodes(self) -> list[str]:
        """The nodes that have a chain."""
        ...


class WebhookStore(Protocol):
    """Who wants to be told of events, and what is still to be told.

    Deliveries of one webhook and one job wait in the order of the job's history, and only the first of them can be
    claimed. Disabling a webhook makes all that waits for it dead; deleting it, or a job, takes the deliveries away.
    """

    async def add_webhook(self, webhook: Webhook, most: int) -> None:
        """Keep a new webhook, which is told of events committed from now on; ``Conflict`` if its owner has ``most``."""
        ...

    async def find_webhook(self, webhook_id: str) -> Webhook | None:
        """The webhook of this id."""
        ...

    async def list_webhooks(self, *, owner: int | None, after: str | None, limit: int) -> Page[Webhook]:
        """Webhooks in order of creation; ``after`` as in ``list_jobs``."""
        ...

    async def change_webhook(
        self, webhook_id: str, judge: Callable[[Webhook | None], Webhook], at: datetime
    ) -> Webhook:
        """Replace the webhook by what the pure ``judge`` says of it as it stands, in one transaction.

        ``judge`` refuses by raising; of a webhook that is unknown (None) it must. One that is enabled again is told of
        events committed from then on.
        """
        ...

    async def delete_webhook(self, webhook_id: str) -> bool:
        """Take the webhook away with all its deliveries; whether there was one."""
        ...

    async def unfit_webhooks(self, kids: Collection[str]) -> list[Webhook]:
        """Those that are not disabled but whose owner is, or whose root key is none of ``kids``."""
        ...

    async def queue_news(self, wants: Callable[[Webhook, Principal, News], bool], at: datetime) -> bool:
        """Look at some committed events that were not looked at, in the order in which they were committed.

        For each one and each webhook on its job or pipeline of which the pure ``wants`` says so (its second argument is
        the owner) a delivery waits; a disabled webhook or owner is not asked about. Each event is looked at exactly
        once, whoever else does the same and whatever dies meanwhile. Returns whether there may be more.
        """
        ...

    async def add_ping(self, webhook_id: str, message: str, at: datetime) -> bool:
        """Queue a ping; False if one is waiting already."""
        ...

    async def due_webhooks(self, at: datetime) -> list[Webhook]:
        """The webhooks, neither disabled nor their owner, for which something can be sent now."""
        ...

    async def claim(self, webhook_id: str, at: datetime, until: datetime, limit: int) -> list[Claim]:
        """Take at most ``limit`` deliveries of a webhook, longest due first, each the first that waits of its job.

        Nobody else gets them before ``until``, and their ``attempts`` count one more.
        """
        ...

    async def note_delivered(self, claim: Claim, at: datetime, until: datetime | None) -> Claim | None:
        """The claim was fulfilled; the next that waits of that job is claimed as by ``claim``, if there is one and
        ``until`` is given. Nothing happens if the delivery was claimed anew meanwhile."""
        ...

    async def note_failure(self, claim: Claim, error: str, at: datetime, next_at: datetime | None) -> None:
        """The attempt failed: the delivery may be claimed from ``next_at``, or is dead if that is None; then the next
        of that job can be. Nothing happens if the delivery was claimed anew meanwhile."""
        ...

    async def release(self, claim: Claim, at: datetime) -> None:
        """Give a claim back unsent, as if it had not been taken."""
        ...

    async def count_deliveries(self, webhook_id: str) -> tuple[int, int]:
        """How many wait, and how many are dead."""
        ...

    async def list_dead(self, webhook_id: str, *, after: str | None, limit: int) -> Page[Delivery]:
        """Dead deliveries in the order in which they were made; ``after`` as in ``list_jobs``."""
        ...

    async def retry_dead(self, webhook_id: str, ids: Collection[int] | None, at: datetime, limit: int) -> int:
        """Have dead deliveries (of these ids, or any that died by ``at``) wait again, at most ``limit``; how many."""
        ...

    async def sweep_deliveries(self, before: datetime, most_dead: int, most_waiting: int) -> list[str]:
        """Forget what died before ``before``, and of each webhook all but the last ``most_dead``; the ids of webhooks
        for which more than ``most_waiting`` wait."""
        ...


Place = Callable[[Mapping[str, Standing], Mapping[str, Pipeline]], ImportBatch | None]
"""Pure: (the jobs, the pipelines that stand already, by uuid) → what an import writes; None: nothing."""


class ImportStore(Protocol):
    """What comes from elsewhere with its history: written in batches, and no news for anybody."""

    async def import_batch(self, jobs: Mapping[str, int], pipelines: Collection[str], place: Place) -> None:
        """Write durably, in one piece, what ``place`` says of the jobs and pipelines of these uuids that stand.

        ``jobs`` maps each uuid to how many of its first events ``place`` is shown. It may be called again with a later
        state; only its last answer counts. What it adds must not stand.
        """
        ...

    async def find_progress(self, source: str) -> Progress | None:
        """How far the import of this file came, if it has not ended."""
        ...

    async def forget_progress(self, source: str) -> None:
        """The import of this file has ended, or begins anew."""
        ...

    async def find_legacy(self, uuid: str) -> LegacyToken | None:
        """What the old token of a job is checked with; None as soon as the job's serial is another one."""
        ...

    async def has_legacy(self, at: datetime) -> bool:
        """Whether any is kept that does not end by time before; its job may have another token by now. At once."""
        ...

    async def count_legacy(self, at: datetime) -> int:
        """How many jobs have an old token that lives at that time."""
        ...

    async def end_legacy(self, before: datetime | None = None) -> int:
        """Forget what old tokens are checked with: all, or those that ended by ``before``; how many they were."""
        ...


class WorkStore(Protocol):
    """The queue: jobs with ``work``, which ``apply`` keeps in their places here."""

    async def apply_next(self, platforms: Collection[str], judge: Judge) -> Change | None:
        """As ``apply``, to the job that a worker of these platforms is to have next; None if there is none.

        That is the waiting job of the highest priority, and of these the first that was made, among those whose owner
        is active and has fewer jobs with workers than ``max_concurrent_jobs`` of the profile says.
        """
        ...

    async def list_work(
        self,
        *,
        owner: int | None = None,
        state: str | None = None,
        platform: str | None = None,
        group: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None,
        limit: int,
    ) -> Page[Job]:
        """Jobs with work in order of creation which meet every condition; made from ``since`` on and before ``until``.
        ``after`` as in ``list_jobs``."""
        ...

    async def load_of(self, owner: int) -> Load:
        """How many jobs of a principal wait and are with workers."""
        ...

    async def waiting_on(self, platforms: Collection[str]) -> bool:
        """Whether any job waits for one of these platforms, whoever may have it."""
        ...

    async def lapsed(self, at: datetime, limit: int) -> list[str]:
        """The uuids of jobs whose lease ended by ``at``, longest ago first."""
        ...

    async def process_owner(self, process_id: str) -> int | None:
        """Whose the first job with this process id is; None if there is none."""
        ...

    async def usage(self, tokens: Collection[int], since: datetime | None, until: datetime | None) -> list[Usage]:
        """What was done with these credentials (by number): jobs made from ``since`` on and before ``until``, by
        platform in the order of their names; nothing for one that was not used."""
        ...

    async def add_blob(self, number: int, chunk: bytes, at: datetime) -> None:
        """A new blob that begins with this chunk; ``number`` is drawn at random, 1 to 2**63 - 1. Nothing names it yet.

        An ``apply`` whose change names it may be asked for in the same tick of the loop, after this.
        """
        ...

    async def extend_blob(self, number: int, place: int, chunk: bytes) -> None:
        """Add the chunk of a place (1, 2, …) to a blob. ``Conflict`` if it was swept meanwhile."""
        ...

    async def read_blob(self, number: int, place: int) -> bytes | None:
        """The chunk of a place (0, 1, …); None behind the last one, or if there is no such blob."""
        ...

    async def sweep_blobs(self, before: datetime, limit: int) -> int:
        """Take away at most ``limit`` chunks of blobs that were made before ``before`` and that no job's work names
        (any more); how many were taken away. A blob of which a part is gone is gone."""
        ...

    def commits_elsewhere(self) -> int:
        """A number that is another one once somebody else has committed to the store since it was asked for before, if
        ``subscribe`` does not tell of that."""
        ...

    def subscribe(self, tell: Tell) -> Callable[[], None]:
        """Have ``tell`` called on the loop, soon after others have committed to the store something that is waited for.

        Returns what ends that. Nobody is called where ``commits_elsewhere`` says it.
        """
        ...


class Listener(Protocol):
    """Somebody who waits for something to happen."""

    async def wait(self, seconds: float) -> bool:
        """Return once it happens, or has since this was asked before; False after ``seconds``."""
        ...


class Signals(Protocol):
    """Wakes those who wait for something to happen, by its topic: ``job:UUID``, ``queue:PLATFORM``."""

    @property
    def ending(self) -> bool:
        """Whether nobody is to wait any more."""
        ...

    def publish(self, topic: str) -> None:
        """It happened: whoever listens looks again."""
        ...

    def listen(self, topics: Collection[str]) -> AbstractContextManager[Listener]:
        """Listen while the context lasts, also to what other processes write; ``TooMany`` if too many do."""
        ...


class Destinations(Protocol):
    """Where webhooks may be sent to."""

    async def check(self, url: str) -> None:
        """Return if the URL is a webhook's, and leads to addresses that are allowed now.

        Raises ``InvalidInput`` on ``json.url``, which tells nothing of what the name stands for.
        """
        ...


class Store(
    JobStore,
    FileStore,
    AccountStore,
    AdminKeyStore,
    PlatformStore,
    AuditStore,
    WebhookStore,
    ImportStore,
    WorkStore,
    Protocol,
):
    """All of it, with its own beginning and end."""

    async def check(self) -> None:
        """Return if the store can take a write now; else raise ``StoreUnavailable`` with the reason."""
        ...

    async def tend(self) -> None:
        """Periodic upkeep (checkpoint, flush); a chore of the server calls it about once a second."""
        ...

    def chore(self, name: str) -> AbstractAsyncContextManager[bool]:
        """Whether this process is the one of several on the store that does the chore of this name now: until the
        context ends, or the process dies, nobody else is told so. Does not wait. Always, where there is one server."""
        ...

    async def close(self) -> None:
        """Answer what was accepted, then let go of everything; further calls raise ``StoreUnavailable``."""
        ...
