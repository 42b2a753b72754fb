"""A receiver of webhooks on loopback that answers as it is told, byte for byte if need be."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple


class Got(NamedTuple):
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """The message's data."""
        return self.json()["data"]


Reply = int | bytes
Answer = Callable[[Got], Reply | Awaitable[Reply]]


class Receiver:
    """Keeps what came in ``got``; ``answer`` makes the status, or the bytes, of each answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.got: list[Got] = []
        self.open = 0
        self.most_open = 0
        self.connections = 0
        self.port = 0
        self._came = asyncio.Condition()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/in?box=1"

    async def wait(self, count: int, seconds: float = 10) -> list[Got]:
        """Return when so many requests came."""
        async with asyncio.timeout(seconds), self._came:
            await self._came.wait_for(lambda: len(self.got) >= count)
        return self.got

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in head[1:] if line]
        headers = {name.lower(): value for name, value in pairs}
        assert len(headers) == len(pairs), head
        body = await reader.readexactly(int(headers["content-length"]))
        got = Got(head[0], headers, body)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            reply = self.answer(got)
            if not isinstance(reply, int | bytes):
                reply = await reply
        finally:
            self.open -= 1
        async with self._came:
            self.got.append(got)
            self._came.notify_all()
        if isinstance(reply, bytes):
            writer.write(reply)
            await writer.drain()
            return False
        body = b"" if reply == 204 else b"ok"
        writer.write(b"HTTP/1.1 %d Said\r\ncontent-length: %d\r\n\r\n%b" % (reply, len(body), body))
        return True


@asynccontextmanager
async def receiving(answer: Answer = lambda _: 204, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver while the context lasts."""
    receiver = Receiver(answer)
    server = await asyncio.start_server(receiver._serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
