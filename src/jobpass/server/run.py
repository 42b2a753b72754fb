"""Run the server: listen, do the chores, and stop without losing what was accepted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvicorn
import uvloop

from jobpass.errors import SetupError, StoreUnavailable
from jobpass.server.listening import BACKLOG, listen
from jobpass.server.metrics import MetricsApp
from jobpass.server.protocol import Protocol

if TYPE_CHECKING:
    from jobpass.server.app import App

KEEP_ALIVE_SECONDS: Final = 75
"""An idle connection is closed after so long."""
STOP_SECONDS: Final = 15
"""What is still unanswered so long after the stop began is given up."""
OPEN_FILES: Final = 4096
"""Descriptors that are asked for: a thousand connections, the store, and room."""
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

METRICS_HOST: Final = "127.0.0.1"
"""A port of its own for the metrics asks for no token, so it is for this machine only."""

Ready = Callable[[str, int], None]


log = logging.getLogger("jobpass.server")


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that serves, on the fast event loop, to its end."""
    uvloop.run(main)


async def serve(
    app: App,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    listener: socket.socket | None = None,
    certfile: Path | None = None,
    keyfile: Path | None = None,
    metrics_port: int | None = None,
    ready: Ready | None = None,
    beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT (or cancellation), then close the application's authority.

    ``port`` 0 takes a free one; with a ``listener``, which is closed at the end, it is that one's address that is
    served. ``ready`` is called with host and port once connections are accepted. With a
    ``certfile`` (chain and, unless ``keyfile`` has it, the unlocked key; PEM) it speaks TLS. ``metrics_port`` shows the
    metrics to everybody on this machine. Raises ``SetupError`` if it cannot listen there or use the certificate; the
    authority is closed then too. ``beside`` is run while it serves, and cancelled before the authority is closed.
    """
    try:
        with contextlib.ExitStack() as listeners:
            main = listeners.enter_context(listener if listener is not None else listen(host, port))
            servers = [(Server(app, main, _tls(certfile, keyfile), ready), main)]
            if metrics_port is not None:
                aside = listeners.enter_context(listen(METRICS_HOST, metrics_port))
                servers.append((Server(MetricsApp(app.counters), aside), aside))
            _allow_files()
            await _serve(app, servers, beside)
    finally:
        await app.authority.close()


async def _serve(
    app: App,
    servers: list[tuple[Server, socket.socket]],
    beside: Callable[[], Coroutine[Any, Any, None]] | None,
) -> None:
    main = servers[0][0]
    chores = [asyncio.create_task(_chores(app, main))]
    if beside is not None:
        chores.append(asyncio.create_task(beside()))
    others = [asyncio.create_task(server.serve(sockets=[listener])) for server, listener in servers[1:]]
    try:
        with _signals(main):
            await main.serve(sockets=[servers[0][1]])
    except asyncio.CancelledError:
        main.should_exit = True
        if main.started:
            await main.shutdown(sockets=[servers[0][1]])
        raise
    finally:
        for server, _ in servers[1:]:
            server.should_exit = True
        for chore in chores:
            chore.cancel()
        await asyncio.wait([*chores, *others])


class Server(uvicorn.Server):
    """Uvicorn, with signals and the news of its start handled here."""

    def __init__(
        self,
        app: App | MetricsApp,
        listener: socket.socket,
        tls: ssl.SSLContext | None = None,
        ready: Ready | None = None,
    ) -> None:
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
        config.load()
        config.ssl = tls
        super().__init__(config)
        self._listener = listener
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell so."""
        await super().startup(sockets=sockets)
        if self._ready is not None:
            self._ready(*self._listener.getsockname()[:2])

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


async def _chores(app: App, server: Server) -> None:
    while True:
        await asyncio.sleep(1)
        app.tick(stopping=server.should_exit)
        try:
            await app.authority.tend()
        except StoreUnavailable as error:
            app.counters.chore_failed()
            log.warning("the upkeep of the store failed: %s", error.message)
        except Exception:  # a chore that fails once must not end the chores
            app.counters.chore_failed()
            log.exception("a chore failed")


def _tls(certfile: Path | None, keyfile: Path | None) -> ssl.SSLContext | None:
    """What speaks TLS (1.2 and later) with the certificate, if there is one; ``SetupError`` if it cannot be used."""
    if certfile is None:
        if keyfile is not None:
            raise SetupError("A key was given without its certificate.")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certfile, keyfile, password=_no_password)
    except (OSError, ValueError) as error:
        places = f"{certfile}, key {keyfile}" if keyfile is not None else str(certfile)
        raise SetupError(f"The certificate cannot be used ({places}): {_why(error)}.") from None
    return context


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"it must be a certificate and its key, in PEM ({error.reason or error})"
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _no_password() -> str:
    """What a key that is locked by a password is answered: nobody is there to type one."""
    raise ValueError("the key is locked by a password")


def _allow_files() -> None:
    """Raise the soft limit on open files as far as is needed and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
