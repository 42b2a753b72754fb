"""Benchmark: what 10^6 stored credentials do to the check of a login token, beside 10^3.

A check is what comes before a route: the text's MAC (or its cache), the record, the clock, the decision. 1,000 tokens
take turns. Warm is how a server runs; cold opens the store anew, so that every record is read from the database once.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import uvloop

from benchmarks.bench_store_raw import KID
from benchmarks.common import Row, at_most
from jobpass.archives import FileArchives
from jobpass.authority.authority import Authority
from jobpass.authority.passwords import Passwords
from jobpass.clock import SystemClock, to_microseconds
from jobpass.lifecycle.standard import STANDARD
from jobpass.stores.sqlite import SqliteStore
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mint import mint_credential

STORED = (1_000, 1_000_000)
ACTIVE = 1_000
ROUNDS = 20
BOUND = 1.1


def run(runs: int = 5) -> list[Row]:
    """Medians of alternating runs of the time for a check, and its ratio to that among the fewest."""
    keyring = Keyring.generate(bytes.fromhex(KID), secrets.token_bytes(32))
    warm: dict[int, list[float]] = {stored: [] for stored in STORED}
    cold: dict[int, list[float]] = {stored: [] for stored in STORED}
    with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place:
        files = {stored: Path(place) / f"{stored}.sqlite" for stored in STORED}
        tokens = {stored: _fill(file, stored, keyring) for stored, file in files.items()}
        for _ in range(runs):
            for stored, file in files.items():
                first, later = uvloop.run(_checks(file, keyring, tokens[stored]))
                cold[stored].append(first)
                warm[stored].append(later)
    few, many = STORED
    rows = []
    for name, micros in (("warm", warm), ("cold", cold)):
        ratio = statistics.median(one / other for one, other in zip(micros[many], micros[few], strict=True))
        rows.append(Row(f"a check, {name}, {few:,} stored", statistics.median(micros[few]), "µs", 1.0))
        label, value = f"a check, {name}, {many:,} stored", statistics.median(micros[many])
        rows.append(at_most(label, value, "µs", ratio, BOUND) if name == "warm" else Row(label, value, "µs", ratio))
    return rows


def _fill(file: Path, stored: int, keyring: Keyring) -> list[str]:
    """A database with one principal and ``stored`` login credentials; the tokens of some of them, spread evenly."""
    asyncio.run(_make(file))
    at = datetime.now(UTC)
    ids = [secrets.token_hex(16) for _ in range(stored)]
    connection = apsw.Connection(str(file))
    connection.execute("BEGIN")
    connection.cursor().executemany(
        "INSERT INTO credential (id, kind, owner, label, issued_at, expires_at, uses, kid)"
        " VALUES (?, 'login', 1, 'login', ?, ?, 0, ?)",
        ((one, to_microseconds(at), to_microseconds(at + timedelta(hours=12)), KID) for one in ids),
    )
    connection.execute("COMMIT")
    connection.close()
    return [mint_credential(keyring, "login", one) for one in ids[:: stored // ACTIVE]]


async def _make(file: Path) -> None:
    store = await SqliteStore.open(file)
    await store.add_principal("ann@example.org", "author", "no password", datetime.now(UTC))
    await store.close()


async def _checks(file: Path, keyring: Keyring, tokens: list[str]) -> tuple[float, float]:
    """Microseconds for a check, the first time around and then."""
    store = await SqliteStore.open(file)
    authority = Authority(
        store, keyring, STANDARD, Passwords(1), SystemClock(), secrets.token_bytes, archives=FileArchives()
    )
    credentials = authority.credentials

    async def around() -> float:
        started = time.perf_counter()
        for text in tokens:
            await credentials.identify(credentials.verify(text))
        return (time.perf_counter() - started) / len(tokens) * 1e6

    first = await around()
    later = statistics.median([await around() for _ in range(ROUNDS)])
    await store.close()
    return first, later
