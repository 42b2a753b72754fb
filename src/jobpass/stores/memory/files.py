"""The files of jobs in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from jobpass.records import FileKind, IndexedFile, IndexRun, Job, Page
from jobpass.stores.listing import read_cursor
from jobpass.stores.memory.part import Part, page
from jobpass.stores.rules import gone


class _Found:
    """A file with its number, and the last run that saw it."""

    __slots__ = ("file", "number", "seen")

    def __init__(self, number: int, file: IndexedFile) -> None:
        self.number = number
        self.file = file
        self.seen = file.run


class Files(Part):
    """``ports.FileStore``."""

    def __init__(self) -> None:
        super().__init__()
        self._files: dict[str, dict[str, _Found]] = {}
        self._runs: dict[str, dict[int, IndexRun]] = {}
        self._files_made = 0

    async def put_files(
        self, job: Job, run: IndexRun, files: Sequence[IndexedFile] = (), seen: Collection[str] = ()
    ) -> None:
        """As ``ports.FileStore``."""
        self._check_this(job)
        runs, found = self._runs.setdefault(job.uuid, {}), self._files.setdefault(job.uuid, {})
        runs[run.number] = replace(run, sources=runs.get(run.number, run).sources)
        for file in files:
            standing = found.get(file.path)
            if standing is None:
                self._files_made += 1
                found[file.path] = _Found(self._files_made, file)
                continue
            standing.file, standing.seen = _with_digest(file, standing.file), file.run
        for path in seen:
            if path in found:
                found[path].seen = run.number

    async def sweep_files(self, job: Job, run: int, after: int, limit: int) -> int | None:
        """As ``ports.FileStore``."""
        self._check_this(job)
        runs, found = self._runs.get(job.uuid, {}), self._files.get(job.uuid, {})
        later = sorted((one for one in found.values() if one.number > after), key=lambda one: one.number)[:limit]
        for one in later:
            if one.seen != run:
                del found[one.file.path]
        if len(later) == limit:
            return later[-1].number
        needed = {one.file.run for one in found.values()}
        for number in [number for number in runs if number < run and number not in needed]:
            del runs[number]
        return None

    async def find_run(self, uuid: str, number: int | None = None) -> IndexRun | None:
        """As ``ports.FileStore``."""
        self._check_open()
        runs = self._runs.get(uuid, {})
        return runs.get(max(runs, default=0) if number is None else number)

    async def list_files(
        self, uuid: str, *, kind: FileKind | None, level: str | None, after: str | None, limit: int
    ) -> Page[IndexedFile]:
        """As ``ports.FileStore``."""
        self._check_open()
        start = read_cursor(after, self._files_made)
        wanted = (
            (one.number, one.file)
            for one in self._files.get(uuid, {}).values()
            if kind in (None, one.file.kind) and level in (None, one.file.level)
        )
        return page(wanted, start, limit)

    def _forget_files(self, uuid: str) -> None:
        self._files.pop(uuid, None)
        self._runs.pop(uuid, None)

    def _check_this(self, job: Job) -> None:
        self._check_open()
        if job.uuid not in self._jobs or self._jobs[job.uuid][1].created_at != job.created_at:
            raise gone(job)


def _with_digest(file: IndexedFile, before: IndexedFile) -> IndexedFile:
    same = file.modified_at is not None and (file.size, file.modified_at) == (before.size, before.modified_at)
    return replace(file, digest=before.digest) if file.digest is None and same else file
