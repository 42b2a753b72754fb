"""Processes that the tests start: ``python children.py <what> <path> [more]``. They answer on standard output."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import time
from pathlib import Path

import kit

from jobpass.errors import Conflict, Error
from jobpass.stores.sqlite import SqliteStore


def say(*words):
    """One line, at once: what was said is known to the parent even if this process is killed."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def load(path, senders):
    """Send events for ever from several senders; say job, sequence and key of each one acknowledged."""
    store = await SqliteStore.open(path)

    async def sender(number):
        uuid, turn = f"job-{number % 5}", time.monotonic_ns()
        while True:
            turn += 1
            key = f"{number}-{turn}"
            done = await store.apply(uuid, kit.send(key=key, data=b'"%d"' % turn), key)
            say(uuid, done.event.sequence, key)

    await asyncio.gather(*(sender(number) for number in range(int(senders))))


async def race(path, name, rounds):
    """Try to win each of the jobs race-0, race-1 …; say the rounds that were won."""
    store = await SqliteStore.open(path)
    say("ready")
    sys.stdin.readline()
    for number in range(int(rounds)):
        try:
            await store.apply(f"race-{number}", kit.win(name))
            say("won", number)
        except Error as error:
            say("lost", number, error.code)
        await asyncio.sleep(0.001)
    await store.close()


async def count(path, uuid, times):
    """Add events to one job, several at a time."""
    store = await SqliteStore.open(path)
    say("ready")
    sys.stdin.readline()
    for _ in range(int(times) // 10):
        await asyncio.gather(*(store.apply(uuid, kit.send()) for _ in range(10)))
    await store.close()


async def revoke(path, credential):
    """Revoke a credential."""
    store = await SqliteStore.open(path)
    say(bool(await store.end_credential(credential, kit.AT)))
    await store.close()


async def hold(path, name):
    """Hold a name until a line comes in."""
    store = await SqliteStore.open(path)
    async with store.hold(name):
        say("held")
        await asyncio.to_thread(sys.stdin.readline)
    say("free")
    await store.close()


def occupy(place):
    """Make and remove a file; fails if somebody else is at it."""
    place.touch(exist_ok=False)
    place.unlink()


async def hold_often(path, name, place, seconds):
    """Hold a name again and again, each time making and removing the file ``place``, which two at once could not."""
    store = await SqliteStore.open(path)
    say("ready")
    sys.stdin.readline()
    got = lost = 0
    until = time.monotonic() + float(seconds)
    while time.monotonic() < until:
        try:
            async with store.hold(name):
                occupy(Path(place))
                got += 1
        except Conflict:
            lost += 1
    say(got, lost)
    await store.close()


async def unlock(path):
    """Open the store, and say so."""
    store = await SqliteStore.open(path)
    await store.check()
    say("open")
    await store.close()


async def limited(path, most):
    """Write under a limit on file size until it fails, lift the limit, write again."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = await SqliteStore.open(path)
    await store.apply("job", kit.create())
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), hard))
    written = 0
    try:
        while True:
            await store.apply("job", kit.send(data=b'"' + b"x" * 20_000 + b'"'))
            written += 1
    except Error as error:
        say("failed", error.code, error.detail["reason"], written)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # there may be room for the small write of a check
    try:
        await store.check()
        say("check says nothing")
    except Error as error:
        say("check", error.code)
    say("history", len(await store.history("job", 0, 1000)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await store.check()
    await store.apply("job", kit.send())
    say("history", len(await store.history("job", 0, 1000)))
    await store.close()


async def unprivileged(path):
    """Open the file as a user who may not write it; say which error comes."""
    await asyncio.to_thread(time.monotonic)  # loads what the other user may have no right to read
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    try:
        await SqliteStore.open(path)
        say("opened")
    except Error as error:
        say(error.code, error.detail["reason"])


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:]))
