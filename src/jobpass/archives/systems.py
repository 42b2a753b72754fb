"""The archive systems by name: what is asked of each goes to its file system, in a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

from jobpass.archives.local import LocalPlace
from jobpass.archives.paths import below_root, names_of, normal, root_of
from jobpass.archives.place import Place
from jobpass.archives.remote import RemotePlace
from jobpass.archives.threads import Stop, Threads
from jobpass.errors import ArchiveFailed, InvalidInput
from jobpass.records import FileFound

BATCH: Final = 1000
"""Files that are told at once."""
_FIELD: Final = "json.archive_path"


@dataclass(frozen=True, slots=True)
class System:
    """One archive system: its base, the roots in it (normal paths), and what fsspec needs to open it."""

    name: str
    url: str
    roots: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def place(self, path: str, root: str) -> Place:
        """A path below one of the roots, on its file system."""
        parts = urlsplit(self.url)
        if parts.scheme != "file":
            return RemotePlace(self.url, self.options, path)
        above = names_of(root)
        return LocalPlace(parts.path, above, names_of(path)[len(above) :])


class FileArchives:
    """``ports.Archives`` over directories of this machine and over what fsspec opens."""

    def __init__(self, systems: Iterable[System] = (), default: str | None = None) -> None:
        self._systems = {system.name: system for system in systems}
        self._default = default
        self._threads = Threads()

    def resolve(self, system: str | None) -> str | None:
        """See ``ports.Archives``, here and below."""
        return self._default if system is None else system

    def check(self, system: str | None, path: str) -> str:
        found = self._systems.get(self.resolve(system) or "")
        try:
            wanted = normal(path)
            if found is not None:
                root_of(wanted, found.roots)
        except ValueError as error:
            raise InvalidInput.at(_FIELD, str(error)) from None
        return wanted

    async def make(self, system: str | None, path: str) -> None:
        if system is None or system not in self._systems:
            return
        place, stop = self._place(system, path, root_of), Stop()
        await self._threads.run(lambda: place.make(stop), stop)

    async def clear(self, system: str | None, path: str) -> int:
        place, stop = self._place(system, path, root_of), Stop()
        return await self._threads.run(lambda: place.clear(stop), stop)

    async def walk(self, system: str | None, path: str) -> AsyncIterator[list[FileFound]]:
        place, stop = self._place(system, path, root_of), Stop()
        files = place.walk(stop)
        try:
            while batch := await self._threads.run(lambda: list(islice(files, BATCH)), stop):
                yield batch
        finally:
            files.close()

    async def digest(self, system: str | None, file: FileFound) -> str:
        place, stop = self._place(system, file.path, below_root), Stop()
        return await self._threads.run(lambda: place.digest(file, stop), stop)

    def _place(self, system: str | None, path: str, root_for: Callable[[str, tuple[str, ...]], str]) -> Place:
        """Where the path is, once more checked: the settings may be others than when the job was made."""
        if system is None:
            raise ArchiveFailed("The job names no archive system.")
        found = self._systems.get(system)
        if found is None:
            raise ArchiveFailed("The job's archive system is not configured here.")
        try:
            return found.place(path, root_for(path, found.roots))
        except ValueError as error:
            raise ArchiveFailed(f"The archive path {error}.") from None
