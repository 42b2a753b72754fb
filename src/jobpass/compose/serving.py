"""The server over a data folder, in this process or in a thread of it."""

from __future__ import annotations

import asyncio
import gc
import logging
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from jobpass.compose.folder import KEYRING, read_keyring
from jobpass.compose.installation import open_installation
from jobpass.compose.outgoing import make_outbox
from jobpass.errors import Error, StoreUnavailable
from jobpass.settings import KEYRING_VARIABLE, Settings, environment, load

if TYPE_CHECKING:
    from jobpass.authority.authority import Authority
    from jobpass.server.app import App

Ready = Callable[[str, int], None]

KEYRING_SECONDS: Final = 0.5
"""How often a server looks whether its keyring was changed."""

_PRIVATE: Final = {"host": "127.0.0.1", "port": 0, "certfile": None, "keyfile": None, "metrics_port": None}
"""What a server in a thread has whatever the settings say."""

COLLECTED_AFTER = (20_000, 20, 20)
"""Objects, then collections of the generation before: a group of 256 events alone makes more than Python's 700."""

log = logging.getLogger("jobpass.server")


def serve(folder: Path, settings: Settings, ready: Ready) -> None:
    """Serve the folder until SIGTERM or SIGINT; ``ready`` gets the host and port once connections are accepted.

    With ``workers`` above 1 so many processes serve it: ``SetupError`` if that cannot be.
    """
    if settings.workers > 1:
        from jobpass.compose import nodes

        nodes.serve(folder, settings, ready)
        return
    serve_alone(folder, settings, ready)


def serve_alone(folder: Path, settings: Settings, ready: Ready, listener: socket.socket | None = None) -> None:
    """Serve the folder in this process, at the listener's address if there is one."""
    from jobpass.server import run

    def settled(host: str, port: int) -> None:
        settle()
        ready(host, port)

    run.run(_serve(folder, settings, settled, listener=listener))


def settle() -> None:
    """Have the collector pass over what is loaded, which stays, and look seldom at what comes and goes with a call."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)


async def _serve(
    folder: Path,
    settings: Settings,
    ready: Ready,
    environ: Mapping[str, str] | None = None,
    listener: socket.socket | None = None,
) -> None:
    from jobpass.server import run

    async with open_installation(folder, environ=environ, settings=settings) as opened:
        authority = opened.authority
        try:
            await authority.audit.record("server.started", settings=settings.shown())
        except StoreUnavailable as error:  # a full disk must not keep the server from being started and read from
            log.error("the start is not in the audit: %s", error.message)
        aside = [
            asyncio.create_task(_follow_keyring(folder, authority, environ)),
            asyncio.create_task(_tell_lifecycles_gone(authority)),
        ]
        try:
            await run.serve(
                make_app(authority, settings),
                host=settings.host,
                port=settings.port,
                listener=listener,
                certfile=Path(settings.certfile) if settings.certfile else None,
                keyfile=Path(settings.keyfile) if settings.keyfile else None,
                metrics_port=settings.metrics_port,
                ready=ready,
                beside=make_outbox(opened, settings).run,
            )
        finally:
            for task in aside:
                task.cancel()
            await asyncio.wait(aside)


async def _tell_lifecycles_gone(authority: Authority) -> None:
    """Warn of jobs that nothing can happen to, since the file of their lifecycle is gone."""
    try:
        for name, count in (await authority.lifecycles_gone()).items():
            log.warning("no event of %d jobs can be judged: there is no lifecycle %s here any more", count, name)
    except StoreUnavailable as error:
        log.warning("whether all lifecycles of the jobs are there is not known: %s", error.message)


async def _follow_keyring(folder: Path, authority: Authority, environ: Mapping[str, str] | None) -> None:
    """Whenever the folder's keyring was changed, go on with the new one; one that cannot be used changes nothing."""
    given = environment() if environ is None else environ
    if KEYRING_VARIABLE in given:
        return
    seen: tuple[int, ...] | None = None
    while True:
        try:
            status = (folder / KEYRING).stat()
            found = (status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode)
            if found != seen:
                seen = found
                keyring = read_keyring(folder, given)
                if keyring.keys != authority.keys:
                    await authority.use_keyring(keyring)
                    log.info("the keyring was changed", extra={"signing_kid": keyring.signing_kid})
        except (OSError, Error) as error:
            if seen is not None:
                seen = None if isinstance(error, OSError) else seen
                log.error("the changed keyring is not used: %s", error)
        await asyncio.sleep(KEYRING_SECONDS)


@contextmanager
def serving(folder: Path, *, environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """A server of the folder on a free loopback port, in a thread of this process, while the context lasts: its URL."""
    address: Future[str] = Future()
    loop = asyncio.new_event_loop()

    def ready(host: str, port: int) -> None:
        address.set_result(http_url(host, port))

    given = environment() if environ is None else environ
    settings = msgspec.structs.replace(load(given, data=folder).settings, **_PRIVATE)
    task = loop.create_task(_serve(folder, settings, ready, environ))

    def work() -> None:
        try:
            loop.run_until_complete(asyncio.wait([task]))
        finally:
            loop.close()
        failure = None if task.cancelled() else task.exception()
        if failure is not None and not address.done():
            address.set_exception(failure)

    thread = threading.Thread(target=work, name="jobpass-server", daemon=True)
    thread.start()
    try:
        yield address.result()
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)
        thread.join()


def make_app(authority: Authority, settings: Settings) -> App:
    """The application over an authority."""
    from jobpass.server.app import create_app
    from jobpass.server.call import WorkLimits

    return create_app(
        authority,
        randomness=secrets.token_bytes,
        body_limit_bytes=settings.body_limit_bytes,
        callbacks=settings.callbacks,
        limits=WorkLimits(settings.payload_limit_bytes, settings.result_limit_bytes, settings.status_hold_seconds),
    )


def http_url(host: str, port: int, *, secure: bool = False) -> str:
    """The URL of a server that is bound to an address."""
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{shown}:{port}"


def is_loopback(host: str) -> bool:
    """Whether who binds to this host is reached from this machine only."""
    from jobpass.client import address

    return address.is_loopback(host)
