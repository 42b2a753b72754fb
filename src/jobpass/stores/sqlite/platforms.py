"""Platforms in SQLite."""

from __future__ import annotations

from collections.abc import Callable

import apsw

from jobpass.ports import Note
from jobpass.records import Platform
from jobpass.stores.rows.platforms import platform_from, platform_row
from jobpass.stores.rules import check_replacement, name_taken
from jobpass.stores.sqlite.part import Part
from jobpass.stores.sqlite.queries import QUERIES


class Platforms(Part):
    """``ports.PlatformStore``."""

    async def add_platform(self, platform: Platform, *, note: Note[Platform] | None = None) -> None:
        """As ``ports.PlatformStore``."""

        def add(cursor: apsw.Cursor) -> Platform:
            if cursor.execute(QUERIES["add_platform"], platform_row(platform)).get is None:
                raise name_taken(platform.name)
            return platform

        await self._write(add, note=note)

    async def find_platform(self, name: str) -> Platform | None:
        """As ``ports.PlatformStore``."""
        row = self._one("find_platform", name)
        return None if row is None else platform_from(row)

    async def list_platforms(self) -> list[Platform]:
        """As ``ports.PlatformStore``."""
        return [platform_from(row) for row in self._rows(QUERIES["list_platforms"], ())]

    async def change_platform(
        self, name: str, judge: Callable[[Platform | None], Platform], *, note: Note[Platform] | None = None
    ) -> Platform:
        """As ``ports.PlatformStore``."""

        def put(cursor: apsw.Cursor) -> Platform:
            row = cursor.execute(QUERIES["find_platform"], (name,)).fetchone()
            standing = None if row is None else platform_from(row)
            changed = judge(standing)
            check_replacement(changed, standing)
            cursor.execute(QUERIES["change_platform"], platform_row(changed))
            return changed

        return await self._write(put, note=note)
