"""Platforms in memory."""

from __future__ import annotations

from collections.abc import Callable

from jobpass.ports import Note
from jobpass.records import Platform
from jobpass.stores.memory.part import Part
from jobpass.stores.rules import check_replacement, name_taken


class Platforms(Part):
    """``ports.PlatformStore``."""

    def __init__(self) -> None:
        super().__init__()
        self._platforms: dict[str, Platform] = {}

    async def add_platform(self, platform: Platform, *, note: Note[Platform] | None = None) -> None:
        """As ``ports.PlatformStore``."""
        self._check_open()
        if any(platform.name == one.name or platform.id == one.id for one in self._platforms.values()):
            raise name_taken(platform.name)
        self._platforms[platform.name] = self._note(note, platform)

    async def find_platform(self, name: str) -> Platform | None:
        """As ``ports.PlatformStore``."""
        self._check_open()
        return self._platforms.get(name)

    async def list_platforms(self) -> list[Platform]:
        """As ``ports.PlatformStore``."""
        self._check_open()
        return list(self._platforms.values())

    async def change_platform(
        self, name: str, judge: Callable[[Platform | None], Platform], *, note: Note[Platform] | None = None
    ) -> Platform:
        """As ``ports.PlatformStore``."""
        self._check_open()
        standing = self._platforms.get(name)
        changed = judge(standing)
        check_replacement(changed, standing)
        self._platforms[name] = self._note(note, changed)
        return changed
