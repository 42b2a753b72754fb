"""Jobs and pipelines of a seed system become ours, with their histories: each whole, or refused with a reason.

What stands already is compared and left as it is, so that a second run changes nothing. Each batch is written in one
piece with how far it came, so that whatever ends an import, the next one goes on there and its counts add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from jobpass import ids
from jobpass.authority.catalogue import Kind
from jobpass.authority.chain import link
from jobpass.authority.comparing import compare_jobs, compare_pipelines
from jobpass.authority.replay import OWNER_DOMAIN, JobRead, Read, Refused
from jobpass.errors import InvalidInput
from jobpass.records import NO_LINK, Event, ImportBatch, Imported, LegacyToken, Pipeline, Progress, Standing

if TYPE_CHECKING:
    from jobpass.authority.accounts import Accounts
    from jobpass.authority.audit import Audit
    from jobpass.ports import Randomness, Store
    from jobpass.tokens.keyring import Keyring

CREDENTIAL: Final = "import:datacatalog"
"""What an imported event names as what authorised it."""

_encode = msgspec.json.Encoder().encode

Fate = Literal["imported", "unchanged", "moved_on"]


class Tally(Struct):
    """What became of the documents of one kind: each is in one of the last four."""

    read: int = 0
    imported: int = 0
    unchanged: int = 0
    moved_on: int = 0
    refused: int = 0


class Counts(Struct):
    """What became of all documents; ``legacy`` is how many of the imported jobs keep their old token."""

    jobs: Tally = msgspec.field(default_factory=Tally)
    pipelines: Tally = msgspec.field(default_factory=Tally)
    others: Tally = msgspec.field(default_factory=Tally)
    legacy: int = 0

    @property
    def read(self) -> int:
        """How many were read."""
        return self.jobs.read + self.pipelines.read + self.others.read

    @property
    def refused(self) -> int:
        """How many were refused."""
        return self.jobs.refused + self.pipelines.refused + self.others.refused

    def note(self, kind: Kind, fate: Fate | Literal["refused"]) -> None:
        """One more was read."""
        tally: Tally = getattr(self, kind)
        tally.read += 1
        setattr(tally, fate, getattr(tally, fate) + 1)


class Place(Struct, frozen=True):
    """Where in its file a batch ends: after how many documents, whose SHA-256 is ``digest``."""

    source: str
    documents: int
    digest: bytes


class Options(Struct, frozen=True):
    """How to import. Until ``legacy_until`` the old tokens of imported jobs are accepted; None: they never are."""

    owner_domain: str = OWNER_DOMAIN
    legacy_until: datetime | None = None
    dry_run: bool = False


class _Ready(Struct, frozen=True):
    line: int
    kind: Kind
    uuid: str
    owner: str
    record: Imported | Pipeline


class Prepared(Struct, frozen=True):
    """A batch, ready to be compared with what stands and written."""

    ready: list[_Ready]
    refused: list[Refused]


class Imports:
    """Imports files, for who holds the installation. ``counts`` are those of the file that is being imported."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        keyring: Keyring,
        audit: Audit,
        randomness: Randomness,
        options: Options,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._kid = keyring.signing_kid
        self._chain_key = keyring.chain_key(self._kid)
        self._audit = audit
        self._randomness = randomness
        self._options = options
        self._owners: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self.counts = Counts()

    async def progress(self, source: str) -> Progress | None:
        """How far an import of this file came that did not end."""
        return None if self._options.dry_run else await self._store.find_progress(source)

    async def begin(self, source: str, going_on: Progress | None = None) -> None:
        """Begin a file, or go on with it where an earlier import ended; the audit says so."""
        self.counts = Counts() if going_on is None else msgspec.json.decode(going_on.counts, type=Counts)
        if self._options.dry_run:
            return
        until = self._options.legacy_until
        await self._audit.record(
            "import.started",
            subject=source,
            after_documents=0 if going_on is None else going_on.documents,
            legacy_tokens_until=None if until is None else until.isoformat(),
        )
        if going_on is None:
            await self._store.forget_progress(source)

    async def prepare(self, read: Read) -> Prepared:
        """The records of a batch: each with its owner, a job with a serial and a chained history."""
        ready = [_Ready(one.line, "jobs", one.job.uuid, one.owner, await self._imported(one)) for one in read.jobs]
        for found in read.pipelines:
            pipeline = replace(found.pipeline, owner=await self._owner(found.owner))
            ready.append(_Ready(found.line, "pipelines", pipeline.uuid, found.owner, pipeline))
        return Prepared(ready, read.refused)

    async def write(self, prepared: Prepared, place: Place) -> list[Refused]:
        """Import a batch, which is on the disk when this returns; what was refused of it. One at a time."""
        outcome: list[_Sorted] = []

        def decide(standing: Mapping[str, Standing], known: Mapping[str, Pipeline]) -> ImportBatch | None:
            found = _Sorted(self.counts, self._seen, prepared.refused, dry_run=self._options.dry_run)
            for one in prepared.ready:
                found.add(one, standing.get(one.uuid), known.get(one.uuid))
            outcome[:] = [found]
            if self._options.dry_run:
                return None
            progress = Progress(place.source, place.documents, place.digest, _encode(found.counts))
            return ImportBatch(tuple(found.jobs), tuple(found.pipelines), progress)

        lengths: dict[str, int] = {}
        for one in prepared.ready:
            if isinstance(one.record, Imported):
                lengths[one.uuid] = max(len(one.record.events), lengths.get(one.uuid, 0))
        pipelines = {one.uuid for one in prepared.ready if one.kind == "pipelines"}
        await self._store.import_batch(lengths, pipelines, decide)
        self.counts = outcome[0].counts
        if self._options.dry_run:
            self._seen |= {uuid: _fingerprint(record) for uuid, record in outcome[0].fresh.items()}
        return sorted(outcome[0].refused, key=lambda one: one.line)

    async def end(self, source: str) -> None:
        """The file has ended: say in the audit what became of it."""
        if not self._options.dry_run:
            await self._audit.record("import.finished", subject=source, counts=msgspec.to_builtins(self.counts))
            await self._store.forget_progress(source)

    async def _imported(self, read: JobRead) -> Imported:
        """The job with what this installation adds."""
        uuid, kid, key = read.job.uuid, self._kid, self._chain_key
        head = NO_LINK
        events = []
        for sequence, past in enumerate(read.history, 1):
            told = (sequence, past.uuid, past.name, past.data, past.at, past.state, CREDENTIAL, None, kid)
            head = link(key, head, uuid, Event(*told, NO_LINK))
            events.append(Event(*told, head))
        serial = ids.serial(self._randomness(8))
        job = replace(read.job, owner=await self._owner(read.owner), serial=serial, kid=kid, head=head)
        until, legacy = self._options.legacy_until, None
        if read.old is not None and until is not None:
            legacy = LegacyToken(serial, kid, *read.old, until)
        return Imported(job, read.details, tuple(events), legacy)

    async def _owner(self, address: str) -> int:
        """The account of this address, made without a password if there is none; 0 where nothing is written."""
        if address not in self._owners:
            self._owners[address] = 0 if self._options.dry_run else (await self._accounts.ensure(address)).id
        return self._owners[address]


class _Sorted:
    """The documents of a batch, by what becomes of them; counts go on from ``before``."""

    def __init__(self, before: Counts, seen: Mapping[str, int], refused: Sequence[Refused], *, dry_run: bool) -> None:
        self.counts = msgspec.json.decode(_encode(before), type=Counts)
        self.jobs: list[Imported] = []
        self.pipelines: list[Pipeline] = []
        self.refused = list(refused)
        self.fresh: dict[str, Imported | Pipeline] = {}
        self._seen = seen
        self._dry_run = dry_run
        for one in refused:
            self.counts.note(one.kind, "refused")

    def add(self, one: _Ready, standing: Standing | None, known: Pipeline | None) -> None:
        """Find out what becomes of a document, if that is what stands of its uuid."""
        try:
            fate = self._fate(one, standing, known)
        except InvalidInput as error:
            self.refused.append(Refused(one.line, one.kind, one.uuid, error.message))
            self.counts.note(one.kind, "refused")
            return
        self.counts.note(one.kind, fate)
        if fate != "imported":
            return
        if isinstance(one.record, Pipeline):
            self.pipelines.append(one.record)
        else:
            self.jobs.append(one.record)
            self.counts.legacy += one.record.legacy is not None

    def _fate(self, one: _Ready, standing: Standing | None, known: Pipeline | None) -> Fate:
        if standing is not None and isinstance(one.record, Imported):
            return compare_jobs(one.record, standing, one.owner, dry_run=self._dry_run)
        if known is not None and isinstance(one.record, Pipeline):
            return compare_pipelines(one.record, known, one.owner)
        if one.uuid not in self.fresh and one.uuid not in self._seen:
            self.fresh[one.uuid] = one.record
            return "imported"
        fresh = self.fresh.get(one.uuid)
        earlier = self._seen[one.uuid] if fresh is None else _fingerprint(fresh)
        if earlier != _fingerprint(one.record):
            raise InvalidInput.at("uuid", "was that of another document before")
        return "unchanged"


def _fingerprint(record: Imported | Pipeline) -> int:
    """64 bits that two documents of the same content share; a job's head binds its whole history."""
    if isinstance(record, Imported):
        text = _encode((replace(record.job, serial=0), record.details))
    else:
        text = _encode(record)
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")
