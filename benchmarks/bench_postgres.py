"""Benchmark: durable authorised events through the authority on PostgreSQL, beside pgbench with one statement an event.

Both write the same rows to the same tables of one server, synchronous_commit on, settings as they come. pgbench sends
one CTE for each event (``-M prepared``), which moves a job and adds its event, and does nothing else; ours verifies the
text of the job's document token, judges and chains each event. The server is that of the tests; pgbench comes with it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
import secrets
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.bench_store_raw import DATA, KID, spread
from benchmarks.common import Row, at_least, at_most
from jobpass.archives import FileArchives
from jobpass.authority.authority import Authority
from jobpass.authority.passwords import Passwords
from jobpass.clock import SystemClock
from jobpass.compose.serving import settle
from jobpass.lifecycle.standard import STANDARD
from jobpass.stores.postgres import PostgresStore
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mint import mint_document

STORED = 10_000
ACTIVE = 1_000
SECONDS = 2
"""Of pgbench in a turn: short, so that the disk's moods are shared."""
EVENTS = 24_576
ALONE = 2_000
LEAST_RATIO = 4.0
MOST_LATENCY = 1.5

_MAKE = f"""
INSERT INTO jobpass.job (id, version, uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner,
                         pipeline_uuid, created_at, updated_at, child_of)
SELECT n, 1, '1070b94f-5c53-5c53-9c5e-' || lpad(n::text, 12, '0'), 'pipeline', 'RUNNING', 'run', 1,
       decode(repeat('00', 32), 'hex'), '{KID}', n, 1 + n % 50, '7d9c1f2e-0a8d-5c53-9c5e-0d7a5f0e5a11',
       1700000000000000, 1700000000000000, '[]' FROM generate_series(1, {STORED}) AS n;
INSERT INTO jobpass.event (job, sequence, uuid, name, data, at, state, credential, kid, link)
SELECT n, 1, '0b5b1c1e-5c53-7c5e-8d7a-000000000001', 'run', 'null', 1700000000000000, 'RUNNING', 'document:0', '{KID}',
       decode(repeat('00', 32), 'hex') FROM generate_series(1, {STORED}) AS n;
UPDATE jobpass.counter SET value = {STORED} WHERE name = 'job';
"""
_SCRIPT = f"""\\set n random(0, {ACTIVE - 1})
WITH moved AS (
    UPDATE jobpass.job SET version = version + 1, last_event = 'update', sequence = sequence + 1, state = 'RUNNING',
           head = decode(repeat('ab', 32), 'hex'), updated_at = 1700000000000001
     WHERE id = 1 + :n * {STORED // ACTIVE} RETURNING id, sequence
)
INSERT INTO jobpass.event (job, sequence, uuid, name, data, at, state, credential, kid, link)
SELECT id, sequence, '0b5b1c1e-5c53-7c5e-8d7a-' || lpad(sequence::text, 12, '0'), 'update', '{DATA.decode()}',
       1700000000000001, 'RUNNING', 'document:0123456789abcdef', '{KID}', decode(repeat('ab', 32), 'hex') FROM moved;
"""


def run(runs: int = 5) -> list[Row]:
    """Medians of alternating runs, and of the ratios within each run."""
    support = _support()
    server = support.Server()
    try:
        return _run(server, support, runs)
    finally:
        server.close()


def _run(server: Any, support: Any, runs: int) -> list[Row]:
    url = server.url("jobpass")
    asyncio.run(_make(url, support))
    bare: dict[int, list[float]] = {1: [], 32: []}
    ours: dict[int, list[float]] = {1: [], 32: [], 256: []}
    for turn in range(-1, runs):
        seconds = SECONDS if turn >= 0 else 1
        for clients in bare:
            rate = pgbench(server, clients, seconds)
            if turn >= 0:
                bare[clients].append(rate)
        for senders in ours:
            count = (ALONE if senders == 1 else EVENTS) // (1 if turn >= 0 else 8)
            rate = uvloop.run(_authority(url, count, senders))
            if turn >= 0:
                ours[senders].append(rate)
    return _rows(bare, ours, server)


def _rows(bare: dict[int, list[float]], ours: dict[int, list[float]], server: Any) -> list[Row]:
    where = f"PostgreSQL {_version(server)}, pgbench of {server.bin}"
    alone = statistics.median(one / other for one, other in zip(bare[1], ours[1], strict=True))
    rows = [
        Row("pgbench -c 32 -j 2, one CTE an event", statistics.median(bare[32]), "events/s", 1.0, note=where),
    ]
    for senders in (32, 256):
        ratio = statistics.median(one / other for one, other in zip(ours[senders], bare[32], strict=True))
        name, rate = f"authority, {senders} senders", statistics.median(ours[senders])
        if senders == 256:
            rows.append(at_least(name, rate, "events/s", ratio, LEAST_RATIO))
        else:
            rows.append(Row(name, rate, "events/s", ratio))
    rows.append(Row("pgbench -c 1, one CTE an event", 1e6 / statistics.median(bare[1]), "µs", 1.0))
    rows.append(at_most("authority, 1 sender", 1e6 / statistics.median(ours[1]), "µs", alone, MOST_LATENCY))
    return rows


def pgbench(server: Any, clients: int, seconds: int) -> float:
    """Events per second of pgbench."""
    with tempfile.TemporaryDirectory() as place:
        script = Path(place) / "event.sql"
        script.write_text(_SCRIPT)
        Path(place).chmod(0o755)
        told = server.program(
            "pgbench", "-n", "-M", "prepared", "-c", clients, "-j", min(2, clients), "-T", seconds, "-f", script,
            server.url("jobpass"),
        ).stdout  # fmt: skip
    found = re.search(r"tps = ([\d.]+)", told)
    assert found is not None, told
    return float(found[1])


async def _make(url: str, support: Any) -> None:
    await (await PostgresStore.open(url)).close()
    import asyncpg

    connection = await asyncpg.connect(url)
    await connection.execute(_MAKE)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def _authority(url: str, events: int, senders: int) -> float:
    """Events per second of verified tokens through the gate to the database."""
    keyring = Keyring.generate(bytes.fromhex(KID), secrets.token_bytes(32))
    numbers = spread(STORED, ACTIVE)
    uuids = [f"1070b94f-5c53-5c53-9c5e-{number:012}" for number in numbers]
    texts = [mint_document(keyring, KID, uuid, number) for uuid, number in zip(uuids, numbers, strict=True)]
    store = await PostgresStore.open(url)
    authority = Authority(
        store, keyring, STANDARD, Passwords(1), SystemClock(), secrets.token_bytes, archives=FileArchives()
    )
    credentials, submit = authority.credentials, authority.jobs.submit_event

    async def send(turn: int) -> None:
        bearer = await credentials.identify(credentials.verify(texts[turn % ACTIVE]))
        await submit(bearer, uuids[turn % ACTIVE], "update", DATA)

    async def sender(first: int) -> None:
        for turn in range(first, events, senders):
            await send(turn)

    await asyncio.gather(*(send(turn) for turn in range(ACTIVE)))
    settle()  # as a server does that has started
    started = time.perf_counter()
    await asyncio.gather(*(sender(first) for first in range(senders)))
    seconds = time.perf_counter() - started
    await authority.close()
    return events / seconds


def _version(server: Any) -> str:
    told = subprocess.run([server.bin / "postgres", "--version"], capture_output=True, text=True, cwd="/").stdout
    return told.split()[2]


def _support() -> Any:
    """What starts servers for the tests."""
    place = Path(__file__).parent.parent / "tests" / "support" / "postgres.py"
    spec = importlib.util.spec_from_file_location("jobpass_tests_postgres", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
