"""(f) A thousand clients at once, of whom many read slowly, or hardly speak, or leave in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from faults.calls import Call
from faults.nodes import Node
from faults.proxy import NO_LINGER
from faults.trial import Trial, Verdict, trial

SLOW_BYTES_A_SECOND = 200
CHUNK = 50


async def crowd(folder: Path, clients: int) -> Verdict:
    """One node on SQLite: half of the clients send events, a quarter reads slowly, a quarter is half open.

    The service is never away: what is measured is how long it takes until every job was served, from any moment.
    """
    node = Node(folder / "data", folder / "node.log")
    jobs = 20
    async with trial(folder, [node], jobs=jobs, each=clients // 2 // jobs) as made:
        await made.begin(pause_seconds=clients / 4000)
        strangers = [
            asyncio.create_task(_until(kind, made, number))
            for number in range(clients // 4)
            for kind in (_slow_reader, _half_open)
        ]
        for _ in range(clients // 50):
            await asyncio.sleep(0.2)
            await made.hurt(_nothing)
        for task in strangers:
            task.cancel()
        await asyncio.wait(strangers)
        return await made.end(f"{clients:,} clients, slow and half-open ones among them, SQLite", _latency)


async def _nothing() -> float:
    """They are there; nothing more is done to it."""
    return time.monotonic()


def _latency(calls: list[Call]) -> str:
    """How long an event took."""
    took = [call.ended - call.invoked_at for call in calls if call.kind == "send" and call.outcome == "ok"]
    middle, most = (statistics.quantiles(took, n=100)[at] * 1000 for at in (49, 98))
    return f"an event took {middle:,.0f} ms, p99 {most:,.0f} ms"


async def _until(kind: Callable[[Trial, random.Random], Awaitable[None]], made: Trial, number: int) -> None:
    """One such connection after the other."""
    choice = random.Random(number)
    await asyncio.sleep(choice.random())
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await kind(made, choice)
        await asyncio.sleep(0.1)


async def _connect(made: Trial) -> socket.socket:
    """With little room for what comes in, so that the server is left with its answer."""
    connection = socket.socket()
    connection.setblocking(False)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    try:
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", made.nodes[0].port))
    except BaseException:  # refused, or the crowd goes home meanwhile
        connection.close()
        raise
    return connection


async def _slow_reader(made: Trial, choice: random.Random) -> None:
    """Asks for a long history and takes it a few bytes at a time; then perhaps leaves it."""
    target = choice.choice(made.targets)
    loop = asyncio.get_running_loop()
    with contextlib.closing(await _connect(made)) as connection:
        head = f"GET /api/pipelinejobs/{target.uuid}/history?limit=1000 HTTP/1.1\r\nHost: x\r\n"
        await loop.sock_sendall(connection, f"{head}Authorization: Bearer {target.token}\r\n\r\n".encode())
        for _ in range(choice.randrange(1, 200)):
            if not await loop.sock_recv(connection, CHUNK):
                return
            await asyncio.sleep(CHUNK / SLOW_BYTES_A_SECOND)


async def _half_open(made: Trial, choice: random.Random) -> None:
    """Says nothing, or half of a head, or less of a body than it promised; then waits, or is gone with a reset."""
    target = choice.choice(made.targets)
    head = f"POST /api/pipelinejobs/{target.uuid}/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    whole = f"{head}Authorization: Bearer {target.token}\r\nContent-Length: 500\r\n\r\n" + '{"name": "upda'
    said = whole[: choice.choice([0, 1, 40, len(head), len(whole)])]
    loop = asyncio.get_running_loop()
    with contextlib.closing(await _connect(made)) as connection:
        await loop.sock_sendall(connection, said.encode())
        if choice.randrange(3):
            await loop.sock_recv(connection, 1)
        else:
            await asyncio.sleep(choice.random() * 3)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
