"""Platforms in SQLite."""

from __future__ import annotations

from collections.abc import Callable

import apsw

from jobpass.records import Platform
from jobpass.stores.rows.platforms import platform_from, platform_row
from jobpass.stores.rules import check_replacement, name_taken
from jobpass.stores.sqlite.part import Part
from jobpass.stores.sqlite.queries import QUERIES


class Platforms(Part):
    """``ports.PlatformStore``."""

    async def add_platform(self, platform: Platform) -> None:
        """As ``ports.PlatformStore``."""
        number = await self._write(lambda cursor: cursor.execute(QUERIES["add_platform"], platform_row(platform)).get)
        if number is None:
            raise name_taken(platform.name)

    async def find_platform(self, name: str) -> Platform | None:
        """As ``ports.PlatformStore``."""
        row = self._one("find_platform", name)
        return None if row is None else platform_from(row)

    async def list_platforms(self) -> list[Platform]:
        """As ``ports.PlatformStore``."""
        return [platform_from(row) for row in self._rows(QUERIES["list_platforms"], ())]

    async def change_platform(self, name: str, judge: Callable[[Platform | None], Platform]) -> Platform:
        """As ``ports.PlatformStore``."""

        def put(cursor: apsw.Cursor) -> Platform:
            row = cursor.execute(QUERIES["find_platform"], (name,)).fetchone()
            standing = None if row is None else platform_from(row)
            changed = judge(standing)
            check_replacement(changed, standing)
            cursor.execute(QUERIES["change_platform"], platform_row(changed))
            return changed

        return await self._write(put)
