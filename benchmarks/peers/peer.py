"""What a peer is to the run: something to prepare, start and stop, with operations to measure."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.peers.environment import pinned, prepare
from benchmarks.peers.figures import Offer
from benchmarks.peers.load import Request
from benchmarks.peers.process import Server, free_port

SERVER_CORE, LOAD_CORE = 0, 1


@dataclass(frozen=True)
class Operation:
    """One kind of request. ``stored`` counts what the database has kept of it so far, None for one that only reads.

    ``ready`` puts the database into the state that a round begins in. ``once``: each request counts at most once in a
    round, so that a round which runs out of them cannot be told.
    """

    offer: Offer
    requests: Sequence[Request]
    stored: Callable[[], int] | None = None
    ready: Callable[[], object] = lambda: None
    once: bool = False


class Peer(ABC):
    """A system that is measured, with its server on one core and its data in a folder that goes away."""

    key: ClassVar[str]
    name: ClassVar[str]
    distribution: ClassVar[str]
    offers: ClassVar[tuple[Offer, ...]]

    def __init__(self) -> None:
        self._bin = Path()
        self._server: Server | None = None
        self.port = 0

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {pinned(self.key, self.distribution)}"

    @property
    def url(self) -> str:
        """Where its server listens."""
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Make the virtual environment, unless it stands; ``CannotMeasureError`` if that fails."""
        self._bin = prepare(self.key)

    @abstractmethod
    def start(self, folder: Path) -> None:
        """Set up its data in ``folder`` and run its server; ``CannotMeasureError`` if that fails."""

    @abstractmethod
    def operations(self) -> list[Operation]:
        """What is measured, one for each of the offers; the server is running."""

    def stop(self) -> None:
        """End the server if there is one."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def computed(self) -> float:
        """Seconds that the server has computed."""
        return self._server.computed() if self._server is not None else 0.0

    def log(self) -> str:
        """The end of what the server has printed."""
        return self._server.log() if self._server is not None else ""

    def _program(self, name: str) -> str:
        return str(self._bin / name)

    def _environ(self, folder: Path, **more: str) -> Mapping[str, str]:
        """A small environment, in which nothing of the caller's changes what the peer does."""
        return {"PATH": f"{self._bin}:/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8", **more}

    def _serve(self, command: Sequence[str], folder: Path, environ: Mapping[str, str], ready: str) -> None:
        self._server = Server(command, folder, environ, SERVER_CORE)
        self._server.wait(self.url + ready)

    def _choose_port(self) -> str:
        self.port = free_port()
        return str(self.port)


def query(database: Path, statement: str) -> int:
    """The one number that a statement gives, or 0 for one that gives none; committed."""
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        row = connection.execute(statement).fetchone()
    return 0 if row is None else int(row[0])
