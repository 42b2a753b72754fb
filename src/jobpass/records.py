"""The records as they are stored: frozen values, no behaviour, no secrets that open anything.

Times are aware UTC datetimes with whole microseconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal, TypeVar

from msgspec import Struct

Role = Literal["operator", "author"]
T = TypeVar("T")

NO_LINK = bytes(32)
"""The link before the first one of a chain: 32 zero bytes."""


class Blob(Struct, frozen=True, gc=False):
    """A large text that lies beside the jobs, in chunks: its number, its size in bytes, its SHA-256 in hex."""

    number: int
    size: int
    digest: str


class Work(Struct, frozen=True, omit_defaults=True, gc=False):
    """What makes a job one that a worker takes from a queue: what was asked for, who has it, what came of it.

    ``platform`` is a name, ``platform_id`` its uuid; ``token`` is the number of the credential that it was submitted
    with, ``token_label`` its label then. ``payload`` and ``results`` are JSON texts of which Jobpass reads little;
    ``intermediate`` is the last of the results on the way, a small JSON object. Of the payload are ``command``,
    ``max_shots``, ``max_samples`` and ``iterations`` (how many its iterator has). ``asked`` is the hex SHA-256 of a
    submission that may be repeated. ``progress`` goes from 0 to 1.

    ``lease`` (64 random bits) is named by the token of the worker that has the job, until ``leased_until`` unless it
    renews that; ``worker`` is what it calls itself, ``worker_key`` the number of its API key. ``attempts`` counts the
    leases.
    """

    platform: str
    platform_id: str
    payload: Blob
    name: str = ""
    command: str = ""
    priority: int = 0
    token: int | None = None
    token_label: str | None = None
    group: str | None = None
    process_id: str | None = None
    pcvl_version: str | None = None
    max_shots: int | None = None
    max_samples: int | None = None
    iterations: int | None = None
    max_duration_seconds: int | None = None
    rerun_from: str | None = None
    asked: str | None = None
    attempts: int = 0
    worker: str | None = None
    worker_key: int | None = None
    lease: int | None = None
    leased_until: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    progress: float = 0.0
    progress_message: str = ""
    status_message: str = ""
    failure_code: str | None = None
    shots: int | None = None
    results: Blob | None = None
    results_type: str | None = None
    intermediate: bytes | None = None


class Job(Struct, frozen=True, gc=False):
    """One unit of work with a lifecycle, as its row stands.

    ``sequence`` is that of the last event (the first event, ``create``, is 1), ``head`` the link of that event.
    ``serial`` (64 random bits) is named by the document token; ``previous_serial`` lives until ``previous_until``.
    ``kid`` and ``previous_kid`` are the root keys that sign them. ``owner`` is a principal's id. ``work`` is there for
    a job that waits in a queue for a worker, and for no other.
    """

    uuid: str
    lifecycle: str
    state: str
    last_event: str
    sequence: int
    head: bytes
    kid: str
    serial: int
    owner: int
    pipeline_uuid: str
    created_at: datetime
    updated_at: datetime
    child_of: tuple[str, ...] = ()
    archive_path: str | None = None
    session: str | None = None
    previous_serial: int | None = None
    previous_until: datetime | None = None
    previous_kid: str | None = None
    archive_system: str | None = None
    work: Work | None = None


class Details(Struct, frozen=True):
    """What a job says of itself beside what its events need; given at its making, read with it, seen by no judge.

    The links are uuids in the order given; ``archive_patterns`` and ``product_patterns`` are JSON arrays,
    ``attributes`` a JSON object that means nothing to Jobpass.
    """

    generated_by: tuple[str, ...] = ()
    acted_on: tuple[str, ...] = ()
    acted_using: tuple[str, ...] = ()
    archive_patterns: bytes = b"[]"
    product_patterns: bytes = b"[]"
    attributes: bytes = b"{}"


Relation = Literal["child_of", "generated_by", "acted_on", "acted_using"]
RELATIONS: tuple[Relation, ...] = ("child_of", "generated_by", "acted_on", "acted_using")


class Linked(Struct, frozen=True):
    """A condition on jobs: linked by ``relation`` to at least one of ``targets`` (uuids)."""

    relation: Relation
    targets: tuple[str, ...]


class Event(Struct, frozen=True, gc=False):
    """One entry of a job's history.

    ``data`` is JSON text as it came, ``state`` the state after the event, ``credential`` the public name of what
    authorised it, ``key`` the idempotency key, ``kid`` the root key whose chain key made ``link`` (32 bytes).
    ``address`` is where the event came from, as far as that is known; it is no part of the chain.
    """

    sequence: int
    uuid: str
    name: str
    data: bytes
    at: datetime
    state: str
    credential: str
    key: str | None
    kid: str
    link: bytes
    address: str | None = None


class Change(Struct, frozen=True, gc=False):
    """What a judge wants written for one job, all of it or nothing.

    ``before`` None makes the job, ``after`` None deletes it with its history; ``event`` None changes the row only.
    ``details`` come with a job that is made, and only then; so does ``most``: of the owner's jobs with work which wait
    or run there are at most so many, this one included.
    """

    before: Job | None
    after: Job | None
    event: Event | None
    details: Details | None = None
    most: int | None = None


Queued = Literal["waiting", "running", "suspended", "cancel_requested"]
"""The states of the lifecycle ``compute`` that are not final."""
WAITING: Queued = "waiting"
"""In this state a worker may take the job."""
HELD: tuple[Queued, ...] = ("running", "cancel_requested")
"""In these states a worker has it."""
QUEUED: tuple[Queued, ...] = (WAITING, *HELD)
"""What counts against the most jobs that somebody may have in the queue."""


class Load(Struct, frozen=True):
    """How many jobs of somebody wait, and how many a worker has."""

    waiting: int
    running: int


class Usage(Struct, frozen=True):
    """What was done on a platform with a credential: how many jobs, and the whole seconds that workers had them."""

    token: int
    platform: str
    jobs: int
    seconds: int


class Replayed(Struct, frozen=True, gc=False):
    """The event stands in the history already, under the same idempotency key; nothing is written."""

    job: Job
    event: Event


class FileFound(Struct, frozen=True, gc=False):
    """A file in a job's archive directory: its path, absolute within the archive system, and its size in bytes.

    ``modified_at`` is None where the file system does not tell.
    """

    path: str
    size: int
    modified_at: datetime | None


FileKind = Literal["archive", "product"]


class FileSource(Struct, frozen=True):
    """Where files come from, as uuids: what generated them, and for products from what and using what."""

    generated_by: tuple[str, ...] = ()
    derived_from: tuple[str, ...] = ()
    derived_using: tuple[str, ...] = ()


class IndexRun(Struct, frozen=True):
    """One indexing of a job's archive directory; ``number`` is the sequence of the event that began it.

    The totals are None until they are known. One without ``ended_at`` is at work, or was cut off; ``error`` says why
    one did not do all that it should.
    """

    number: int
    begun_at: datetime
    sources: tuple[FileSource, ...]
    total_files: int | None = None
    total_bytes: int | None = None
    files: int = 0
    bytes: int = 0
    ended_at: datetime | None = None
    error: str | None = None


class IndexedFile(Struct, frozen=True, gc=False):
    """A file as the run of that number recorded it; ``digest`` is its SHA-256 in hex, if somebody wanted it.

    ``level`` is the processing level, None for products that are nothing else. ``sources`` are numbers of sources of
    the run.
    """

    path: str
    uuid: str
    kind: FileKind
    level: str | None
    size: int
    modified_at: datetime | None
    digest: str | None
    sources: tuple[int, ...]
    run: int
    indexed_at: datetime


class Pipeline(Struct, frozen=True):
    """A named series of components; ``body`` is its JSON object without ``uuid``, as it is shown."""

    uuid: str
    name: str
    body: bytes
    owner: int
    created_at: datetime
    updated_at: datetime


class Profile(Struct, frozen=True, omit_defaults=True):
    """What is known of a principal beside who it is, and the limits of what it may do at once.

    ``priority`` is the highest that a token of its may have. ``platform_ids`` are the platforms that it may use, None
    for all. ``max_jobs_in_queue`` counts jobs that wait or run, ``max_concurrent_jobs`` those that run.
    """

    first_name: str = ""
    last_name: str = ""
    priority: int = 2
    company_id: int | None = None
    platform_ids: tuple[str, ...] | None = None
    max_jobs_in_queue: int = 50
    max_concurrent_jobs: int = 5


class Principal(Struct, frozen=True):
    """A user or worker who asks. ``id`` is the integer of the contract; ``email`` is stored in lower case."""

    id: int
    email: str
    role: Role
    active: bool
    created_at: datetime
    profile: Profile = Profile()


class Login(Struct, frozen=True):
    """A principal with the argon2 hash of the password; the hash leaves the authority nowhere."""

    principal: Principal
    password_hash: str

    def __repr__(self) -> str:
        return f"Login(principal={self.principal!r}, password_hash=…)"


class Terms(Struct, frozen=True, omit_defaults=True):
    """What a credential was asked for with: names of platforms and actions (None: whatever its kind opens).

    ``mints``: whether it may make others. ``explorer`` is a mark of the contract that means nothing to Jobpass.
    """

    platforms: tuple[str, ...] | None = None
    actions: tuple[str, ...] | None = None
    mints: bool = True
    explorer: bool = False


EndedBy = Literal["revoked", "parent", "owner", "compromised", "deleted"]
"""Why a credential ended by decision: somebody's, its parent's end, its owner's; as leaked; to be forgotten."""


class Credential(Struct, frozen=True):
    """The record of a token that was issued; ``id`` (32 hex characters) is public and opens nothing.

    ``kid`` is the root key that the token was made with. ``parent`` is the credential that it may not outlive,
    ``issuer`` the one with which it was asked for; both None for one that was given for a password. A session's
    credential has ended when an ancestor has: its ``revoked_at``, ``expires_at`` and ``priority`` are then the least of
    its line. ``ended_by`` is set with ``revoked_at``, where that is known.
    """

    id: str
    kind: str
    owner: int
    label: str
    issued_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None
    parent: str | None = None
    last_used_at: datetime | None = None
    uses: int = 0
    number: int = 0
    """The integer id of the contract, given by the store."""
    kid: str = ""
    priority: int = 0
    issuer: str | None = None
    ended_by: EndedBy | None = None
    terms: Terms = Terms()


class Lineage(Struct, frozen=True):
    """Where a credential comes from, the nearest first, and what came of it, in order of issue; both by ``issuer``."""

    ancestors: tuple[Credential, ...]
    descendants: tuple[Credential, ...]


class Touch(Struct, frozen=True):
    """An event that a credential authorised, and whose job it changed."""

    job_uuid: str
    owner: int
    event: Event


class Session(Struct, frozen=True):
    """A credential with the principal whom it speaks for."""

    credential: Credential
    principal: Principal


class Page(Struct, Generic[T], frozen=True):
    """One page of a listing; ``next`` is the cursor to go on from, None at the end."""

    items: list[T]
    next: str | None


PlatformStatus = Literal["available", "maintenance", "unavailable"]


class Platform(Struct, frozen=True):
    """A machine, or kind of machine, that jobs are sent to; ``id`` is a uuid, ``name`` is unique for ever.

    ``max_shots`` and ``max_duration_seconds`` (None: no limit) bound one job. ``constraints``, ``specs`` and ``perfs``
    are JSON objects: what the operator says of it, and what its workers last said, at ``seen_at``. A retired one takes
    no jobs and is shown to operators only.
    """

    id: str
    name: str
    description: str
    type: str
    status: PlatformStatus
    created_at: datetime
    max_shots: int | None = None
    max_duration_seconds: int | None = None
    constraints: bytes = b"{}"
    specs: bytes = b"{}"
    perfs: bytes = b"{}"
    maintenance_start_at: datetime | None = None
    maintenance_end_at: datetime | None = None
    seen_at: datetime | None = None
    retired_at: datetime | None = None


AdminKeyState = Literal["requested", "approved", "denied", "collected", "revoked"]


class AdminKey(Struct, frozen=True):
    """A request for administrative power, and what became of it; the key itself is stored nowhere.

    ``id`` is also the credential's id once the key is collected. ``scope`` is a JSON object of caveats by name (``{}``:
    everything), ``request_hash`` the hex SHA-256 of what is asked, by which an approval names it.
    """

    id: str
    state: AdminKeyState
    requester: int
    use_case: str
    storage: str
    lifetime_seconds: int
    scope: bytes
    request_hash: str
    requested_at: datetime
    reviewer: int | None = None
    reviewed_at: datetime | None = None
    reason: str | None = None
    collected_at: datetime | None = None
    revoked_at: datetime | None = None


class AuditEntry(Struct, frozen=True):
    """One entry of a node's audit chain.

    ``principal`` and ``credential`` say who, ``address`` from where, ``subject`` what it was about (a job's uuid, a
    credential's id, a principal's id as text); ``data`` is a JSON object without secrets.
    """

    node: str
    sequence: int
    at: datetime
    name: str
    principal: int | None
    credential: str | None
    address: str | None
    subject: str | None
    data: bytes
    kid: str
    link: bytes


class Webhook(Struct, frozen=True):
    """A URL that its owner wants told of ``events`` (empty: all) of a job or of a pipeline's jobs.

    ``id`` has 32 hex characters. The secret follows from the root key ``kid`` and ``secret_number``, which grows by one
    with each rotation; the one before, of ``previous_kid``, signs too until ``previous_until``. ``failing_since`` is
    the first failure after the last success. A disabled one is told nothing; ``reason`` says why.
    """

    id: str
    owner: int
    url: str
    job_uuid: str | None
    pipeline_uuid: str | None
    events: tuple[str, ...]
    kid: str
    secret_number: int
    created_at: datetime
    previous_kid: str | None = None
    previous_until: datetime | None = None
    failing_since: datetime | None = None
    disabled_at: datetime | None = None
    reason: str | None = None

    def __repr__(self) -> str:
        return f"Webhook(id={self.id!r}, owner={self.owner!r}, disabled_at={self.disabled_at!r})"


class News(Struct, frozen=True, gc=False):
    """An event of a job as a subscriber's filter sees it; ``owner`` is the job's."""

    job_uuid: str
    pipeline_uuid: str
    owner: int
    sequence: int
    name: str
    at: datetime


class Delivery(Struct, frozen=True):
    """Something that one webhook is to be told: an event of a job, or nothing but that it is there (a ping).

    ``message`` is the id by which the receiver tells a repetition: the event's uuid. ``attempts`` counts those that
    were begun; ``dead_at`` is when it was given up, ``last_error`` why the last attempt failed.
    """

    id: int
    webhook: str
    message: str
    made_at: datetime
    attempts: int = 0
    job_uuid: str | None = None
    sequence: int = 0
    event: str | None = None
    dead_at: datetime | None = None
    last_error: str | None = None


class Claim(Struct, frozen=True):
    """A delivery that is this server's to send, with what is sent; ``happened`` and ``pipeline_uuid`` None: a ping."""

    delivery: Delivery
    webhook: Webhook
    pipeline_uuid: str | None
    happened: Event | None


class LegacyToken(Struct, frozen=True):
    """What the old token of an imported job is checked with, kept apart from all that is shown.

    ``fields`` is the text that the old algorithm hashed after ``salt``; it stands for the job's token of ``serial`` and
    ``kid``, and ends with it, at ``until`` at the latest.
    """

    serial: int
    kid: str
    salt: str
    fields: str
    until: datetime

    def __repr__(self) -> str:
        return f"LegacyToken(until={self.until!r}, …)"


class Imported(Struct, frozen=True):
    """A job with its whole history, as an import brings it."""

    job: Job
    details: Details
    events: tuple[Event, ...]
    legacy: LegacyToken | None = None


class Standing(Struct, frozen=True):
    """A job that stands already where one is imported, with the first events of its history."""

    job: Job
    details: Details
    events: tuple[Event, ...]


class Progress(Struct, frozen=True):
    """How far the import of the file ``source`` came: its first ``documents``, whose SHA-256 is ``digest``, are done.

    ``counts`` is a JSON object of what became of them.
    """

    source: str
    documents: int
    digest: bytes
    counts: bytes


class ImportBatch(Struct, frozen=True):
    """What an import writes in one piece: new jobs and pipelines, and how far it came with them."""

    jobs: tuple[Imported, ...]
    pipelines: tuple[Pipeline, ...]
    progress: Progress
