"""Run the server: listen, do the chores, and stop without losing what was accepted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Final

import uvicorn
import uvloop

from jobpass.errors import SetupError, StoreUnavailable
from jobpass.server.protocol import Protocol

if TYPE_CHECKING:
    from jobpass.authority.authority import Authority
    from jobpass.server.app import App

KEEP_ALIVE_SECONDS: Final = 75
"""An idle connection is closed after so long."""
STOP_SECONDS: Final = 15
"""What is still unanswered so long after the stop began is given up."""
BACKLOG: Final = 2048
"""Connections that the system holds until they are accepted."""
OPEN_FILES: Final = 4096
"""Descriptors that are asked for: a thousand connections, the store, and room."""
MAX_PORT: Final = 65_535
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

Ready = Callable[[str, int], None]

log = logging.getLogger("jobpass.server")


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that serves, on the fast event loop, to its end."""
    uvloop.run(main)


async def serve(
    app: App, authority: Authority, *, host: str = "127.0.0.1", port: int = 0, ready: Ready | None = None
) -> None:
    """Serve until SIGTERM or SIGINT (or cancellation), then close the authority.

    ``port`` 0 takes a free one; ``ready`` is called with host and port once connections are accepted. Raises
    ``SetupError`` if it cannot listen there; the authority is closed then too.
    """
    try:
        listener = _listen(host, port)
        _allow_files()
        await _serve(app, authority, listener, ready)
    finally:
        await authority.close()


async def _serve(app: App, authority: Authority, listener: socket.socket, ready: Ready | None) -> None:
    server = Server(app, lambda: ready(*listener.getsockname()[:2]) if ready is not None else None)
    chores = asyncio.create_task(_chores(app, authority, server))
    try:
        with _signals(server):
            await server.serve(sockets=[listener])
    except asyncio.CancelledError:
        server.should_exit = True
        if server.started:
            await server.shutdown(sockets=[listener])
        raise
    finally:
        chores.cancel()
        await asyncio.wait([chores])


class Server(uvicorn.Server):
    """Uvicorn, with signals and the news of its start handled here."""

    def __init__(self, app: App, on_start: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=STOP_SECONDS,
            backlog=BACKLOG,
        )
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell so."""
        await super().startup(sockets=sockets)
        self._on_start()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: uvicorn would raise them again before the store is closed."""
        yield


@contextlib.contextmanager
def _signals(server: Server) -> Iterator[None]:
    """The stop signals end the server, if this is the thread that gets them; a second one does not wait."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)


async def _chores(app: App, authority: Authority, server: Server) -> None:
    while True:
        await asyncio.sleep(1)
        app.tick(stopping=server.should_exit)
        try:
            await authority.tend()
        except StoreUnavailable as error:
            log.warning("the upkeep of the store failed: %s", error.message)
        except Exception:  # a chore that fails once must not end the chores
            log.exception("a chore failed")


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= MAX_PORT:  # the resolver would take it modulo 2**16
        raise SetupError(f"There is no port {port}.", host=host, port=port)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        raise SetupError(f"Cannot listen on {host}:{port}: {error}.", host=host, port=port) from None


def _allow_files() -> None:
    """Raise the soft limit on open files as far as is needed and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
