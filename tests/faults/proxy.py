"""A network of our own on loopback: connections go through it, and it can be cut, slowed, made deaf or half closed."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple

CHUNK = 65_536
NO_LINGER = struct.pack("ii", 1, 0)
Address = tuple[str, int]
End = Literal["client", "server"]


class _Way:
    """One direction of a connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._ended = False

    async def write(self, data: bytes) -> None:
        """Pass something on; what comes after the last word is dropped."""
        if not self._ended and not self._writer.transport.is_closing():
            self._writer.write(data)
            await self._writer.drain()

    def end(self) -> None:
        """Say the last word, unless it was said."""
        if not self._ended and not self._writer.transport.is_closing():
            self._ended = True
            self._writer.write_eof()

    def reset(self) -> None:
        """Close with a reset, as a machine answers that knows nothing of the connection."""
        if not self._writer.transport.is_closing():
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.close()

    def close(self) -> None:
        """Close it in both directions."""
        self._writer.transport.abort()


class _Link(NamedTuple):
    """One connection that is passed on: what leads to who connected, and what leads to the target."""

    client: _Way
    server: _Way


class Proxy:
    """Passes bytes on between who connects to ``port`` and ``target``; the target may be changed while it runs."""

    def __init__(self, target: Address) -> None:
        self.target = target
        self.port = 0
        self.delay_seconds = 0.0
        """Each piece waits so long, in both directions."""
        self.connections = 0
        """That were ever passed on."""
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._passing = asyncio.Event()
        self._passing.set()

    async def listen(self) -> None:
        """Take connections, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Refuse connections, and reset those that are open: a machine that is gone."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()

    def reset(self) -> None:
        """Reset all connections that are open; new ones are taken."""
        for link in list(self._links):
            link.client.reset()
            link.server.reset()

    def swallow(self) -> None:
        """Keep connections and take new ones, and let nothing through: a cable that was pulled.

        What was on its way arrives after ``mend``, as TCP sends it again.
        """
        self._passing.clear()

    def close_half(self, end: End) -> None:
        """Tell one end of each open connection that the other has said its last word; it may still be spoken to."""
        for link in list(self._links):
            (link.client if end == "client" else link.server).end()

    async def mend(self) -> None:
        """Everything passes again, at once."""
        self.delay_seconds = 0.0
        self._passing.set()
        if self._server is None:
            await self.listen()

    async def close(self) -> None:
        """End everything."""
        self.delay_seconds = 0.0
        self._passing.set()
        await self.cut()
        while self._tasks:  # one that was just taken may still be about to connect
            self.reset()
            await asyncio.wait(self._tasks, timeout=0.1)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        client = _Way(writer)
        try:
            await self._passing.wait()
            there, back = await asyncio.open_connection(*self.target)
            self.connections += 1
            await self._exchange(reader, there, _Link(client, _Way(back)))
        except OSError:
            client.reset()
        finally:
            client.close()
            self._tasks.discard(task)

    async def _exchange(self, reader: asyncio.StreamReader, there: asyncio.StreamReader, link: _Link) -> None:
        """Both directions, until both have ended or one has broken."""
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, link.server))
                both.create_task(self._pass(there, link.client))
        except* OSError:
            pass
        finally:
            self._links.discard(link)
            link.server.close()

    async def _pass(self, reader: asyncio.StreamReader, way: _Way) -> None:
        """One direction, to its end."""
        while data := await reader.read(CHUNK):
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            await self._passing.wait()
            await way.write(data)
        await self._passing.wait()
        way.end()


@asynccontextmanager
async def proxy(target: Address) -> AsyncIterator[Proxy]:
    """One that listens while the context lasts."""
    made = Proxy(target)
    await made.listen()
    try:
        yield made
    finally:
        await made.close()
