"""Where jobs are sent to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from jobpass.ports.audit import Note
from jobpass.records import Platform


class PlatformStore(Protocol):
    """Where jobs are sent to. Nothing is ever taken away: a platform is retired."""

    async def add_platform(self, platform: Platform, *, note: Note[Platform] | None = None) -> None:
        """Keep a new platform; ``AlreadyExists`` when the name or the id is taken."""
        ...

    async def find_platform(self, name: str) -> Platform | None:
        """The platform of this name, exactly."""
        ...

    async def list_platforms(self) -> list[Platform]:
        """All platforms in order of creation; they are few."""
        ...

    async def change_platform(
        self, name: str, judge: Callable[[Platform | None], Platform], *, note: Note[Platform] | None = None
    ) -> Platform:
        """Replace the platform by what the pure ``judge`` says of it as it stands, in one transaction.

        ``judge`` refuses by raising; of a platform that is unknown (None) it must.
        """
        ...
