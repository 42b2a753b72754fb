"""A process that appends to an audit chain: ``python audit_child.py <path> <node> <name> <times>``."""

from __future__ import annotations

import asyncio
import sys

import kit

from jobpass.records import AuditEntry
from jobpass.stores.sqlite import SqliteStore


async def main(path, node, name, times):
    """Say ``ready``, wait for a line, append entries of one to three at a time, several calls at once."""
    store = await SqliteStore.open(path)
    print("ready", flush=True)
    sys.stdin.readline()

    def place(turn):
        def placing(sequence, link):
            numbers = range(sequence + 1, sequence + 2 + turn % 3)
            data = link  # what the entry was placed upon
            return [_entry(node, number, name, turn, data if number == numbers[0] else b"") for number in numbers]

        return placing

    for start in range(0, times, 5):
        await asyncio.gather(*(store.append_audit(node, place(turn)) for turn in range(start, start + 5)))
    await store.close()


def _entry(node, number, name, turn, data):
    link = f"{name} {turn} {number}".encode()
    return AuditEntry(node, number, kit.AT, name, None, None, None, str(turn), data, "k1", link)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
