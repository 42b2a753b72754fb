"""Requests to an ASGI application in this process, on an event loop in a thread of its own.

The application runs in no caller's thread: what interrupts a caller, such as Ctrl-C, never stops it half-way through a
write.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Self
from urllib.parse import quote, unquote, urlencode

from jobpass.client.exchange import MAX_ANSWER_BYTES, Lost, Reply, Request, Response
from jobpass.errors import ServerUnavailable

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
_HERE: Final = ("127.0.0.1", 0)

_log = logging.getLogger("jobpass.inprocess")


class InProcess:
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

    def ask(self, request: Request) -> Reply:
        """The application's answer; ``Lost`` if it is not whole in the request's time (the work goes on)."""
        call = _Call(request)
        started = time.monotonic()
        if not self._hand_over(self._begin, call):
            return Lost("no connection", sent=False)
        if not call.done.acquire(timeout=min(request.timeout_seconds, threading.TIMEOUT_MAX)):
            return Lost("no answer in time", sent=True, elapsed_seconds=time.monotonic() - started)
        return call.response(time.monotonic() - started)

    def run(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Carry out a coroutine on the loop, and wait for its end; ``ServerUnavailable`` once this is closed."""
        done: Future[None] = Future()

        def begin(_: None) -> None:
            self._start(make()).add_done_callback(lambda ended: _pass_on(ended, done))

        if not self._hand_over(begin, None):
            raise ServerUnavailable("The client is closed.")
        done.result()

    def close(self) -> None:
        """Answer what was accepted, leave the lifespan, and stop the loop; more calls do nothing."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hand_over(self, begin: Callable[[Any], None], what: Any) -> bool:
        """Have the loop begin something; False once this is closed."""
        with self._closing:
            if not self._closed:
                self._loop.call_soon_threadsafe(begin, what)
            return not self._closed

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
        self._start(call.run(self._app))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


def _pass_on(task: asyncio.Task[None], done: Future[None]) -> None:
    error = ServerUnavailable("The work was given up.") if task.cancelled() else task.exception()
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


class _Call:
    """One request on its way through the application; ``done`` is released when the answer is whole."""

    __slots__ = ("_asked", "_chunks", "_headers", "_request", "_status", "done")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._asked = False
        self._status = 500
        self._headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self.done = threading.Lock()
        self.done.acquire()

    async def run(self, app: App) -> None:
        """Let ``app`` answer; what it raises is logged, and answered as a server would, with 500."""
        try:
            await app(_scope(self._request), self._receive, self._send)
        except Exception:
            _log.exception("The application failed.")
            self._status, self._headers, self._chunks = 500, [], []
        finally:
            self.done.release()

    def response(self, elapsed_seconds: float) -> Response:
        """What the application answered."""
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self._headers}
        cut = len(body) > MAX_ANSWER_BYTES
        return Response(self._status, headers, b"" if cut else body, elapsed_seconds, cut)

    async def _receive(self) -> Message:
        if self._asked:
            return {"type": "http.disconnect"}
        self._asked = True
        return {"type": "http.request", "body": self._request.body or b"", "more_body": False}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self._chunks.append(message.get("body", b""))


def _scope(request: Request) -> Message:
    """The request as ASGI wants it (ASGI 3.0, HTTP connection scope)."""
    path = request.path
    return {
        "type": "http",
        "asgi": _ASGI,
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(path) if "%" in path else path,
        "raw_path": path.encode("ascii"),
        "query_string": urlencode(request.params, quote_via=quote).encode("ascii") if request.params else b"",
        "root_path": "",
        "headers": [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in request.headers.items()],
        "client": _HERE,
        "server": ("localhost", None),
    }
