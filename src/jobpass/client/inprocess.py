"""A transport that hands requests to an ASGI application in this process, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2

from jobpass.errors import ServerUnavailable

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

_log = logging.getLogger("jobpass.inprocess")


class InProcessTransport(httpx2.BaseTransport):
    """Runs what ``lifespan`` opens: entered on the loop when this is made, left on ``close``.

    ``lifespan`` makes an asynchronous context manager that gives the application; what it raises on entering, the
    constructor raises. ``loop_factory`` makes another event loop than asyncio's own. May be shared by threads.
    """

    def __init__(
        self,
        lifespan: Callable[[], AbstractAsyncContextManager[App]],
        *,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        self._closing = threading.Lock()
        self._closed = False
        self._running: set[asyncio.Task[None]] = set()
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._serve, args=(lifespan, loop_factory, ready), name="jobpass-inprocess", daemon=True
        )
        self._thread.start()
        try:
            ready.result()
        except BaseException:
            self._thread.join()
            raise

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The application's answer; ``ReadTimeout`` if it is not whole in the request's time (the work goes on)."""
        call = _Call(request)
        with self._closing:
            if self._closed:
                raise httpx2.ConnectError("closed", request=request)
            self._loop.call_soon_threadsafe(self._begin, call)
        limit = request.extensions.get("timeout", {}).get("read")
        if not call.done.acquire(timeout=-1 if limit is None else limit):
            raise httpx2.ReadTimeout("no answer in time", request=request)
        return httpx2.Response(call.status, headers=call.headers, stream=httpx2.ByteStream(b"".join(call.chunks)))

    def run(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Carry out a coroutine on the loop, and wait for its end; ``ServerUnavailable`` once this is closed."""
        done: Future[None] = Future()

        def begin() -> None:
            task = self._loop.create_task(make())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            task.add_done_callback(lambda ended: _pass_on(ended, done))

        with self._closing:
            if self._closed:
                raise ServerUnavailable("The client is closed.")
            self._loop.call_soon_threadsafe(begin)
        done.result()

    def close(self) -> None:
        """Answer what was accepted, leave the lifespan, and stop the loop; more calls do nothing."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _serve(
        self,
        lifespan: Callable[[], AbstractAsyncContextManager[App]],
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
        ready: Future[None],
    ) -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            try:
                runner.run(self._live(lifespan, ready))
            except BaseException as error:
                if ready.done():
                    raise
                ready.set_exception(error)

    async def _live(self, lifespan: Callable[[], AbstractAsyncContextManager[App]], ready: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with lifespan() as self._app:
            ready.set_result(None)
            await self._stop.wait()
            while self._running:
                await asyncio.wait(self._running)

    def _begin(self, call: _Call) -> None:
        task = self._loop.create_task(call.run(self._app))
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def _pass_on(task: asyncio.Task[None], done: Future[None]) -> None:
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


class _Call:
    """One request on its way through the application; ``done`` is released when the answer is whole."""

    __slots__ = ("_asked", "_request", "chunks", "done", "headers", "status")

    def __init__(self, request: httpx2.Request) -> None:
        self._request = request
        self._asked = False
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: list[bytes] = []
        self.done = threading.Lock()
        self.done.acquire()

    async def run(self, app: App) -> None:
        """Let ``app`` answer; what it raises is logged, and answered as a server would, with 500."""
        try:
            await app(self._scope(), self._receive, self._send)
        except Exception:
            _log.exception("The application failed.")
            self.status, self.headers, self.chunks = 500, [], []
        finally:
            self.done.release()

    def _scope(self) -> Message:
        request = self._request
        path, _, query = request.url.raw_path.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": ("127.0.0.1", 0),
            "server": (request.url.host, request.url.port),
        }

    async def _receive(self) -> Message:
        if self._asked:
            return {"type": "http.disconnect"}
        self._asked = True
        return {"type": "http.request", "body": self._request.read(), "more_body": False}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self.chunks.append(message.get("body", b""))
