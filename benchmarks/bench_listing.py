"""Benchmark: 10^6 job tokens listed by pages of 1,000, as the application answers ``GET /api/tokens``.

The walk goes from the first page to the last; the page in the middle is then asked for out of turn, which has to be
counted up to. Memory is what the process holds more after the walk than before it.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil
import uvloop

from benchmarks.bench_store_raw import KID
from benchmarks.common import Row
from jobpass.archives import FileArchives
from jobpass.authority.authority import Authority
from jobpass.authority.passwords import Passwords
from jobpass.clock import SystemClock
from jobpass.compose.serving import settle
from jobpass.lifecycle.standard import STANDARD
from jobpass.records import Credential
from jobpass.server.app import App, create_app
from jobpass.stores.rows.credentials import credential_row
from jobpass.stores.sqlite import SqliteStore
from jobpass.stores.sqlite.database import open_both
from jobpass.stores.sqlite.queries import QUERIES
from jobpass.tokens.keyring import Keyring

STORED = 1_000_000
PAGE = 1_000
BOUND_MS = 20.0
MEMORY_MIB = 32


def run(runs: int = 1) -> list[Row]:
    """The times of pages over ``runs`` walks, and what a walk leaves in memory."""
    with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place:
        path = Path(place) / "store.sqlite"
        keyring = Keyring.generate(bytes.fromhex(KID), secrets.token_bytes(32))
        uvloop.run(_fill(path))
        walks, apart, grown = uvloop.run(_measure(path, keyring, runs))
    worst, median = max(walks) * 1e3, statistics.median(walks) * 1e3
    return [
        Row("a page of 1,000, the median", median, "ms", None, f"≤ {BOUND_MS:g}", median <= BOUND_MS),
        Row("the slowest of a walk", worst, "ms", None, f"≤ {BOUND_MS:g}", worst <= BOUND_MS),
        Row("the middle page, out of turn", apart * 1e3, "ms", note="counted up to in an index"),
        Row("memory after a walk", grown, "MiB more", None, f"≤ {MEMORY_MIB}", grown <= MEMORY_MIB),
    ]


async def _fill(path: Path) -> None:
    store = await SqliteStore.open(path)
    at = datetime(2026, 11, 1, tzinfo=UTC)
    await store.add_principal("olga@example.org", "operator", "h", at)
    await store.close()
    writer, reader = await asyncio.to_thread(open_both, path)
    reader.close()
    rows = (
        credential_row(
            Credential(f"{n:032x}", "job", 1, f"label {n}", at, datetime(2099, 1, 1, tzinfo=UTC), kid=KID, uses=n)
        )
        for n in range(STORED)
    )
    cursor = writer.cursor()
    with writer:
        for row in rows:
            cursor.execute(QUERIES["add_credential"], row).fetchall()
    writer.close()


async def _measure(path: Path, keyring: Keyring, runs: int) -> tuple[list[float], float, float]:
    store = await SqliteStore.open(path)
    authority = Authority(
        store, keyring, STANDARD, Passwords(1), SystemClock(), secrets.token_bytes, archives=FileArchives()
    )
    login = await authority.accounts.login_in_process("olga@example.org")
    app = create_app(authority, randomness=secrets.token_bytes)
    await _page(app, login.token, 0)  # what every process does once
    settle()  # as a server does that has started
    process, times = psutil.Process(), []
    before = process.memory_info().rss
    for _ in range(runs):
        offset = 0
        while True:
            took, shown = await _page(app, login.token, offset)
            if not shown:
                break
            times.append(took)
            offset += shown
        assert offset == STORED, offset
    grown = (process.memory_info().rss - before) / 2**20
    apart, _ = await _page(app, login.token, STORED // 2 + 7)
    await authority.close()
    return times, apart, grown


async def _page(app: App, token: str, offset: int) -> tuple[float, int]:
    """Seconds that a page takes, and how many tokens it shows."""
    headers = [(b"authorization", b"Bearer " + token.encode())]
    query = f"limit={PAGE}&offset={offset}".encode()
    started = time.perf_counter()
    status, _, body = await app.answer("GET", "/api/tokens", query, headers, b"")
    took = time.perf_counter() - started
    assert status == 200, body
    return took, len(msgspec.json.decode(body))
