"""A TCP proxy that loses, delays and cuts what passes through it."""

from __future__ import annotations

import asyncio
from typing import Self


class Proxy:
    """Between a client and a server on the loopback.

    While ``deaf`` nothing that the server says arrives; while ``holding`` nothing that the client says does, until
    ``release``, even if the client is gone by then.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: list[asyncio.StreamWriter] = []
        self._servers: list[asyncio.StreamWriter] = []
        self._held: list[tuple[asyncio.StreamWriter, bytes]] = []
        self.deaf = self.holding = False
        self.heard = asyncio.Event()
        """Set when something was said that did not arrive."""
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for writer in self._servers:
            writer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Break all connections on the client's side."""
        for writer in self._clients:
            writer.transport.abort()
        self._clients.clear()

    async def release(self) -> None:
        """Let the server hear what was held."""
        held, self._held, self.holding = self._held, [], False
        for writer, data in held:
            writer.write(data)
            await writer.drain()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.append(writer)
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._servers.append(back)
        for task in (self._to_server(reader, back), self._to_client(there, writer)):
            made = asyncio.create_task(task)
            self._tasks.add(made)
            made.add_done_callback(self._tasks.discard)

    async def _to_server(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if self.holding:
                    self._held.append((back, data))
                    self.heard.set()
                    continue
                back.write(data)
                await back.drain()
        except ConnectionError:
            pass
        if not any(writer is back for writer, _ in self._held):
            back.close()

    async def _to_client(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await there.read(65536):
                if self.deaf:
                    self.heard.set()
                    continue
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()
