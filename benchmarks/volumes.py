"""Databases with very many jobs, events and credentials, filled by SQL, and the bare loops over them."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw

from benchmarks.bench_store_raw import DATA, KID, groups_of, write_groups
from jobpass.clock import to_microseconds
from jobpass.stores.sqlite import SqliteStore

PER_JOB = 10
"""Events of a stored job. They lie as they came: the first ones of all jobs, then the second ones."""
PREFIX = "1070b94f-5c53-5c53-9c5e-"
AT = 1_700_000_000_000_000
PIPELINE = "7d9c1f2e-0a8d-5c53-9c5e-0d7a5f0e5a11"
EVENT = "0b5b1c1e-5c53-7c5e-8d7a-"
LIFE = timedelta(days=30)

_JOB_COLUMNS = (
    "id, uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at, updated_at,"
    " child_of"
)
_JOB_VALUES = f"'pipeline', 'RUNNING', 'update', {PER_JOB}, {{zeros}}, '{KID}', n, 1 + n % 50, '{PIPELINE}', {AT}, {AT}"
_EVENT_COLUMNS = "job, sequence, uuid, name, data, at, state, credential, kid, link"
_EVENT_VALUES = f"{{data}}, {AT}, 'RUNNING', 'document:0123456789abcdef', '{KID}', {{zeros}}"
_CREDENTIAL_COLUMNS = ("number", "id", "kind", "owner", "label", "issued_at", "expires_at", "uses", "kid")


def job_uuid(number: int) -> str:
    """Of the stored job of this number, from 1 on."""
    return f"{PREFIX}{number:012}"


def credential_id(number: int) -> str:
    """Of the stored credential of this number, from 1 on: mixed, as random ones are."""
    return hashlib.blake2b(number.to_bytes(8, "big"), digest_size=16).hexdigest()


def spread_over(stored: int, chosen: int) -> list[int]:
    """So many numbers, evenly over all that are stored, in a mixed order that is always the same."""
    numbers = [1 + position * stored // chosen for position in range(chosen)]
    random.Random(7).shuffle(numbers)
    return numbers


def _credentials(count: int) -> Iterator[tuple[Any, ...]]:
    at = datetime.now(UTC)
    issued, expires = to_microseconds(at), to_microseconds(at + LIFE)
    for number in range(1, count + 1):
        yield number, credential_id(number), "login", 1, "login", issued, expires, 0, KID


class SqliteVolume:
    """A file."""

    def __init__(self, path: Path, jobs: int, credentials: int) -> None:
        self.jobs = jobs
        self.credentials = credentials
        self._path = path
        asyncio.run(self._make())
        self._fill()

    async def open(self) -> SqliteStore:
        """The store over it."""
        return await SqliteStore.open(self._path)

    async def _make(self) -> None:
        store = await self.open()
        await store.add_principal("ann@example.org", "author", "no password", datetime.now(UTC))
        await store.close()

    def _fill(self) -> None:
        connection = apsw.Connection(str(self._path))
        cursor = connection.cursor()
        for name, value in (("synchronous", "OFF"), ("cache_size", -1_000_000)):
            connection.pragma(name, value)
        numbers = f"WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {self.jobs})"
        cursor.execute("BEGIN")
        jobs = _JOB_VALUES.format(zeros="zeroblob(32)")
        cursor.execute(
            f"{numbers} INSERT INTO job ({_JOB_COLUMNS})"
            f" SELECT n, printf('{PREFIX}%012d', n), {jobs}, '[]' FROM numbers"
        )
        events = _EVENT_VALUES.format(data=f"CAST('{DATA.decode()}' AS BLOB)", zeros="zeroblob(32)")
        for sequence in range(1, PER_JOB + 1):
            cursor.execute(
                f"{numbers} INSERT INTO event ({_EVENT_COLUMNS})"
                f" SELECT n, {sequence}, '{EVENT}{sequence:012}', 'update', {events} FROM numbers"
            )
        marks = ", ".join("?" * len(_CREDENTIAL_COLUMNS))
        cursor.executemany(
            f"INSERT INTO credential ({', '.join(_CREDENTIAL_COLUMNS)}) VALUES ({marks})",
            _credentials(self.credentials),
        )
        cursor.execute("COMMIT")
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        connection.close()

    def bare(self, events: int, senders: int, jobs: int) -> float:
        """Events a second of BEGIN, insert, update, COMMIT over ready values, ``senders`` in a group."""
        connection = apsw.Connection(str(self._path))
        cursor = connection.cursor()
        numbers = spread_over(self.jobs, jobs)
        find = "SELECT sequence FROM job WHERE id = ?"
        sequences = {number: cursor.execute(find, (number,)).get for number in numbers}
        groups = list(groups_of(numbers, sequences, events, senders))
        seconds = write_groups(connection, groups)
        connection.close()
        return len(groups) * senders / seconds


class PostgresVolume:
    """A database of its own on a server of the tests."""

    def __init__(self, server: Any, name: str, jobs: int, credentials: int) -> None:
        self.jobs = jobs
        self.credentials = credentials
        self._server = server
        server.run_sql("postgres", f"CREATE DATABASE {name} OWNER jobpass", owner=True)
        self._url = server.url(name)
        asyncio.run(self._fill())

    async def open(self) -> Any:
        """The store over it."""
        from jobpass.stores.postgres import PostgresStore

        return await PostgresStore.open(self._url)

    async def _fill(self) -> None:
        import asyncpg

        store = await self.open()
        await store.add_principal("ann@example.org", "author", "no password", datetime.now(UTC))
        await store.close()
        connection = await asyncpg.connect(self._url)
        zeros = "decode(repeat('00', 32), 'hex')"
        numbers = f"FROM generate_series(1, {self.jobs}) AS n"
        await connection.execute("SET synchronous_commit = off; SET search_path = jobpass")
        await connection.execute(
            f"INSERT INTO job (version, {_JOB_COLUMNS})"
            f" SELECT 1, n, '{PREFIX}' || lpad(n::text, 12, '0'), {_JOB_VALUES.format(zeros=zeros)}, '[]' {numbers}"
        )
        events = _EVENT_VALUES.format(data=f"convert_to('{DATA.decode()}', 'UTF8')", zeros=zeros)
        for sequence in range(1, PER_JOB + 1):
            await connection.execute(
                f"INSERT INTO event ({_EVENT_COLUMNS})"
                f" SELECT n, {sequence}, '{EVENT}{sequence:012}', 'update', {events} {numbers}"
            )
        await connection.copy_records_to_table(
            "credential", schema_name="jobpass", columns=_CREDENTIAL_COLUMNS, records=_credentials(self.credentials)
        )
        for name, value in (("job", self.jobs), ("credential", self.credentials)):
            await connection.execute(f"UPDATE counter SET value = {value} WHERE name = '{name}'")
        await connection.execute("VACUUM ANALYZE")
        await connection.close()
        self._server.run_sql("postgres", "CHECKPOINT", owner=True)

    def bare(self, events: int, senders: int, jobs: int) -> float:
        """Events a second of pgbench, one statement an event, prepared; two threads."""
        script = f"""\\set n random(0, {jobs - 1})
WITH moved AS (
    UPDATE jobpass.job SET version = version + 1, last_event = 'update', sequence = sequence + 1, state = 'RUNNING',
           head = decode(repeat('ab', 32), 'hex'), updated_at = {AT + 1}
     WHERE id = 1 + :n * {self.jobs // jobs} RETURNING id, sequence
)
INSERT INTO jobpass.event ({_EVENT_COLUMNS})
SELECT id, sequence, '{EVENT}' || lpad(sequence::text, 12, '0'), 'update', convert_to('{DATA.decode()}', 'UTF8'),
       {AT + 1}, 'RUNNING', 'document:0123456789abcdef', '{KID}', decode(repeat('ab', 32), 'hex') FROM moved;
"""
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "event.sql"
            file.write_text(script)
            Path(place).chmod(0o755)
            told = self._server.program(
                "pgbench", "-n", "-M", "prepared", "-c", senders, "-j", 2, "-t", events // senders, "-f", file,
                self._url,
            ).stdout  # fmt: skip
        found = re.search(r"tps = ([\d.]+)", told)
        assert found is not None, told
        return float(found[1])
