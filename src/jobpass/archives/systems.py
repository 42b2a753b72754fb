"""The archive systems by name: what is asked of each goes to its file system, in a thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from jobpass.archives import clearing, remote
from jobpass.archives.paths import names_of, normal, root_of
from jobpass.archives.threads import in_thread
from jobpass.errors import ArchiveFailed, InvalidInput

_FIELD: Final = "json.archive_path"


class System(NamedTuple):
    """One archive system: its base, what fsspec needs to open it, and the roots, which are normal paths in it."""

    name: str
    url: str
    roots: tuple[str, ...]
    options: Mapping[str, Any] = {}

    @property
    def folder(self) -> str | None:
        """The base as a path of this machine; None if it is elsewhere."""
        parts = urlsplit(self.url)
        return parts.path if parts.scheme == "file" else None


class FileArchives:
    """``ports.Archives`` over directories of this machine and over what fsspec opens."""

    def __init__(self, systems: Iterable[System] = (), default: str | None = None) -> None:
        self._systems = {system.name: system for system in systems}
        self._default = default

    def resolve(self, system: str | None) -> str | None:
        """See ``ports.Archives``."""
        return system or self._default

    def check(self, system: str | None, path: str) -> str:
        """See ``ports.Archives``."""
        named = self.resolve(system)
        found = self._systems.get(named) if named else None
        try:
            wanted = normal(path)
            if found is not None:
                root_of(wanted, found.roots)
        except ValueError as error:
            raise InvalidInput.at(_FIELD, str(error)) from None
        return wanted

    async def clear(self, system: str | None, path: str) -> int:
        """See ``ports.Archives``."""
        found, root, names = self._locate(system, path)
        if found.folder is None:
            return await in_thread(lambda stop: remote.clear(found.url, found.options, path, stop))
        folder = found.folder
        return await in_thread(lambda stop: clearing.clear(folder, names_of(root), names, stop))

    def _locate(self, system: str | None, path: str) -> tuple[System, str, list[str]]:
        """The system, the root that the directory lies below, and the names that lead from there to it."""
        if system is None:
            raise ArchiveFailed("The job names no archive system.")
        found = self._systems.get(system)
        if found is None:
            raise ArchiveFailed("The job's archive system is not configured here.")
        try:
            root = root_of(path, found.roots) if path == normal(path) else None
        except ValueError as error:
            raise ArchiveFailed(f"The archive path {error}.") from None
        if root is None:
            raise ArchiveFailed("The archive path is not in its normal form.")
        return found, root, names_of(path)[len(names_of(root)) :]
