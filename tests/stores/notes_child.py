"""A process that approves admin keys until it is killed: ``python notes_child.py <path> <name>``; a line for each."""

from __future__ import annotations

import asyncio
import itertools
import sys

import kit
from msgspec.structs import replace

from jobpass.records import AdminKey
from jobpass.stores.sqlite import SqliteStore


async def main(path, name):
    """Add a key, approve it with a note, say so; for ever."""
    store = await SqliteStore.open(path)
    for number in itertools.count():
        key = AdminKey(f"{name}-{number}", "requested", 1, "why", "where", 60, b"{}", "hash", kit.AT)
        await store.add_admin_key(key)
        await store.change_admin_key(
            key.id, lambda one: replace(one, state="approved"), note=kit.note(lambda one: one.id)
        )
        print(key.id, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
