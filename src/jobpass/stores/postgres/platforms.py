"""Platforms in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobpass.ports import Note
from jobpass.records import Platform
from jobpass.stores.postgres.part import Part
from jobpass.stores.postgres.queries import QUERIES
from jobpass.stores.postgres.statements import one, run_named, take
from jobpass.stores.rows.platforms import platform_from, platform_row
from jobpass.stores.rules import check_replacement, name_taken


class Platforms(Part):
    """``ports.PlatformStore``."""

    async def add_platform(self, platform: Platform, *, note: Note[Platform] | None = None) -> None:
        """As ``ports.PlatformStore``."""

        async def add(connection: Any) -> Platform:
            if await one(connection, "has_platform", platform.name, platform.id) is not None:
                raise name_taken(platform.name)
            number = await take(connection, "platform")
            await run_named(connection, "add_platform", {"number": number} | platform_row(platform))
            return platform

        await self._write(add, "platform", note=note)

    async def find_platform(self, name: str) -> Platform | None:
        """As ``ports.PlatformStore``."""
        row = await self._one("find_platform", name)
        return None if row is None else platform_from(row)

    async def list_platforms(self) -> list[Platform]:
        """As ``ports.PlatformStore``."""
        return [platform_from(row) for row in await self._rows(QUERIES["list_platforms"])]

    async def change_platform(
        self, name: str, judge: Callable[[Platform | None], Platform], *, note: Note[Platform] | None = None
    ) -> Platform:
        """As ``ports.PlatformStore``."""

        async def put(connection: Any) -> Platform:
            row = await one(connection, "hold_platform", name)
            standing = None if row is None else platform_from(row)
            changed = judge(standing)
            check_replacement(changed, standing)
            await run_named(connection, "change_platform", platform_row(changed))
            return changed

        return await self._write(put, note=note)
