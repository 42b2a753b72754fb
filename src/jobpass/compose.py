"""Puts the parts together: data folder, keyring, store, authority, server, and the client without a server.

The only module that knows every part. A *data folder* holds ``jobpass.sqlite``, ``keyring.json`` (unless the keyring
comes from ``JOBPASS_KEYRING``) and, if wished, ``jobpass.toml``.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import stat
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jobpass.authority.authority import Authority
from jobpass.authority.passwords import Passwords
from jobpass.clock import Clock, SystemClock
from jobpass.errors import InvalidInput, KeyringError, SetupError
from jobpass.lifecycle.standard import STANDARD
from jobpass.settings import KEYRING_VARIABLE, Settings, environment
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mac import KEY_BYTES
from jobpass.tokens.token import KID_BYTES

if TYPE_CHECKING:
    from jobpass.client.sync import Client
    from jobpass.ports import Store
    from jobpass.server.app import App

Ready = Callable[[str, int], None]

DATABASE: Final = "jobpass.sqlite"
KEYRING: Final = "keyring.json"
DEFAULT_EMAIL: Final = "operator@localhost"
MAX_KEYRING_BYTES: Final = 1024 * 1024
_HERE: Final = "http://localhost"
"""The base URL of a client that asks no server: nothing resolves it."""
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"  # nothing that looks like something else


def make_password() -> str:
    """A password of 100 random bits, in groups that can be read out."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))


def is_initialised(folder: Path) -> bool:
    """Whether the folder holds a database."""
    return (folder / DATABASE).exists()


def read_keyring(folder: Path, environ: Mapping[str, str]) -> Keyring:
    """The keyring of ``JOBPASS_KEYRING``, else of the folder.

    Raises ``KeyringError`` if there is none, if it cannot be read, and if the file is not this user's alone.
    """
    text = environ.get(KEYRING_VARIABLE)
    return Keyring.parse(text if text is not None else _read_private(folder / KEYRING))


def _read_private(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise KeyringError(
            f"There is no keyring at {path}, nor in {KEYRING_VARIABLE}. Without it no token and no history of this "
            "folder can be verified: put back the one that belongs to it."
        ) from None
    except OSError as error:
        raise KeyringError(f"The keyring {path} cannot be read: {error.strerror}.") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyringError(f"The keyring {path} is not a file.")
        if status.st_uid != os.geteuid():
            raise KeyringError(f"The keyring {path} belongs to another user (uid {status.st_uid}).")
        if status.st_mode & 0o077:
            raise KeyringError(
                f"Others can use the keyring {path}: chmod 600 it, and rotate its keys if they may have."
            )
        return os.read(descriptor, MAX_KEYRING_BYTES)
    finally:
        os.close(descriptor)


async def init_data(folder: Path, email: str, password: str, *, environ: Mapping[str, str] | None = None) -> None:
    """Make the folder's keyring and its database with one operator. Nothing that stands is changed.

    A keyring that is there already (or in ``JOBPASS_KEYRING``) is used. Raises ``SetupError`` if there is a database,
    ``InvalidInput`` for an address or password that cannot be; then no database is left behind.
    """
    given = environment() if environ is None else environ
    _make_folder(folder)
    with alone(folder):
        if is_initialised(folder):
            raise SetupError(f"{folder} is initialised already; nothing was changed.")
        if KEYRING_VARIABLE not in given:
            _make_keyring(folder / KEYRING)
        unfinished = folder / f"{DATABASE}.new"
        _remove_database(unfinished)
        try:
            async with _open(unfinished, read_keyring(folder, given), slots=1) as authority:
                await authority.accounts.create(email, password, "operator")
            unfinished.rename(folder / DATABASE)  # from here on the folder counts as initialised
            _sync(folder)
        finally:
            _remove_database(unfinished)


@asynccontextmanager
async def open_authority(
    folder: Path, *, environ: Mapping[str, str] | None = None, slots: int = 0, clock: Clock | None = None
) -> AsyncIterator[Authority]:
    """The authority over a data folder, closed at the end. Raises ``SetupError`` for a folder that cannot be used."""
    if not is_initialised(folder):
        raise SetupError(f"There is no Jobpass data in {folder}: jobpass init --data {folder}")
    keyring = read_keyring(folder, environment() if environ is None else environ)
    async with _open(folder / DATABASE, keyring, slots=slots, clock=clock) as authority:
        yield authority


@asynccontextmanager
async def _open(
    database: Path, keyring: Keyring, *, slots: int = 0, clock: Clock | None = None
) -> AsyncIterator[Authority]:
    from jobpass.stores.sqlite import SqliteStore

    authority = _join(await SqliteStore.open(database), keyring, Passwords(slots or os.cpu_count() or 1), clock)
    try:
        yield authority
    finally:
        await authority.close()


def serve(folder: Path, settings: Settings, ready: Ready) -> None:
    """Serve the folder until SIGTERM or SIGINT; ``ready`` gets the host and port once connections are accepted."""
    from jobpass.server import run

    run.run(_serve(folder, settings, ready))


async def _serve(folder: Path, settings: Settings, ready: Ready, environ: Mapping[str, str] | None = None) -> None:
    from jobpass.server import run

    async with open_authority(folder, environ=environ, slots=settings.password_slots) as authority:
        app = _app(authority, settings)
        await run.serve(app, host=settings.host, port=settings.port, ready=ready)


@contextmanager
def serving(folder: Path, *, environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """A server of the folder on a free loopback port, in a thread of this process, while the context lasts: its URL."""
    address: Future[str] = Future()
    loop = asyncio.new_event_loop()

    def ready(host: str, port: int) -> None:
        address.set_result(http_url(host, port))

    task = loop.create_task(_serve(folder, Settings(port=0), ready, environ))

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


def open(url: str, token: str | None = None, *, environ: Mapping[str, str] | None = None) -> Client:  # noqa: A001
    """A client that works in this process, without a server; close it when done.

    ``sqlite://PATH`` names a data folder (``sqlite:///srv/jobs`` is absolute, ``sqlite://jobs`` relative) or the
    database in it; its ``token`` is one of its own, or comes with ``client.login``. ``memory:`` is an installation of
    its own that ends with the client, whose operator is logged in. Raises ``InvalidInput`` for another URL and
    ``SetupError`` for a folder that cannot be used.
    """
    from jobpass.client.inprocess import InProcessTransport
    from jobpass.client.sync import Client

    if url == "memory:":
        if token is not None:
            raise InvalidInput.at("token", "cannot belong to an installation that does not exist yet")
        password = make_password()
        client = Client(_HERE, transport=InProcessTransport(lambda: _app_in_memory(password)))
        client.login(DEFAULT_EMAIL, password)
        return client
    scheme, _, place = url.partition("://")
    if scheme != "sqlite" or not place:
        raise InvalidInput.at("url", "must be like sqlite:///path/to/data or memory:")
    folder = Path(place)
    if folder.name == DATABASE:
        folder = folder.parent
    return Client(_HERE, token, transport=InProcessTransport(lambda: _app_of(folder, environ)))


@asynccontextmanager
async def _app_of(folder: Path, environ: Mapping[str, str] | None) -> AsyncIterator[App]:
    async with open_authority(folder, environ=environ) as authority:
        yield _app(authority, Settings())


@asynccontextmanager
async def _app_in_memory(password: str) -> AsyncIterator[App]:
    from argon2 import PasswordHasher

    from jobpass.stores.memory import MemoryStore

    # The one password is random and never leaves the process, so that hashing it slowly would protect nothing.
    passwords = Passwords(1, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    authority = _join(MemoryStore(), _new_keyring(), passwords)
    await authority.accounts.create(DEFAULT_EMAIL, password, "operator")
    try:
        yield _app(authority, Settings())
    finally:
        await authority.close()


def _app(authority: Authority, settings: Settings) -> App:
    from jobpass.server.app import create_app

    return create_app(authority, randomness=secrets.token_bytes, body_limit_bytes=settings.body_limit_bytes)


def http_url(host: str, port: int) -> str:
    """The URL of a server that is bound to an address."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether who binds to this host is reached from this machine only."""
    from jobpass.client import address

    return address.is_loopback(host)


def _join(store: Store, keyring: Keyring, passwords: Passwords, clock: Clock | None = None) -> Authority:
    return Authority(store, keyring, STANDARD, passwords, clock or SystemClock(), secrets.token_bytes)


def _make_keyring(path: Path) -> None:
    if not os.path.lexists(path):
        write_private(path, _new_keyring().dump().encode())


def _new_keyring() -> Keyring:
    return Keyring.generate(secrets.token_bytes(KID_BYTES), secrets.token_bytes(KEY_BYTES))


def write_private(path: Path, content: bytes) -> None:
    """Put the content at ``path`` whole or not at all, readable by this user only, over what was there."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"The data folder {folder} cannot be made: {error.strerror}.") from None


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: of several processes that want it, one at a time goes on."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_database(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
