"""Payloads and results that were changed in the database are found, as histories are that were."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from jobpass.stores.sqlite import SqliteStore
from support.site import Site, make_site

RESULTS = '{"results":"%s"}'


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = make_site(await SqliteStore.open(tmp_path / "jobpass.sqlite"))
    yield made
    await made.authority.close()


async def ended(site: Site, ann: str, key: str, results: str) -> str:
    """The uuid of a compute job with this answer; with an empty one it has none yet."""
    wanted = {"platform_name": "sim:a", "job_name": "x", "payload": {"command": "run", "n": secrets.token_hex(4)}}
    uuid = (await site.ask("POST", "/api/jobs", token=ann, json=wanted)).json()["job_id"]
    asked = {"worker_id": "w", "platforms": ["sim:a"], "wait_s": 0}
    taken = (await site.ask("POST", "/api/workers/jobs/next", token=key, json=asked)).json()["job"]
    assert taken["job_id"] == uuid
    if results:
        path, body = f"/api/workers/jobs/{uuid}/complete", (RESULTS % results).encode()
        assert (await site.ask("POST", path, token=taken["token"], body=body)).status == 200
    return uuid


async def broken(site: Site) -> dict[str, int | None]:
    return {one.uuid: one.broken_at async for one in site.authority.verify() if one.broken_at is not None}


SWAP = """UPDATE blob_chunk SET blob = CASE blob WHEN ?1 THEN -1 ELSE -2 END WHERE blob IN (?1, ?2);
          UPDATE blob_chunk SET blob = CASE blob WHEN -1 THEN ?2 ELSE ?1 END WHERE blob < 0"""
EDITS = {
    "edited": (
        "UPDATE blob_chunk SET chunk = CAST(replace(CAST(chunk AS TEXT), 'one', 'six') AS BLOB) WHERE blob = ?1",
        {"first": 3},
    ),
    "exchanged": (SWAP, {"first": 3, "second": 3}),
    "gone": ("DELETE FROM blob_chunk WHERE blob = ?1 AND place = (SELECT max(place) FROM blob_chunk)", {"first": 3}),
    "payload": (
        "UPDATE blob_chunk SET chunk = CAST(replace(CAST(chunk AS TEXT), 'run', 'rut') AS BLOB) WHERE blob = ?3",
        {"running": 1},
    ),
}


@pytest.mark.parametrize("size", [1, 600_000])
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
async def test_a_text_that_is_not_the_one_that_was_told_is_found(
    site: Site, tmp_path: Path, size: int, edit: tuple[str, dict[str, int]]
) -> None:
    ann, olga = await site.login("ann"), await site.login("olga", "operator")
    await site.ask("POST", "/api/platforms", token=olga, json={"name": "sim:a"})
    key = (await site.ask("POST", "/api/apikeys", token=olga, json={})).json()["key"]
    jobs = {
        "first": await ended(site, ann, key, "one" * size),
        "second": await ended(site, ann, key, "two" * size),
        "running": await ended(site, ann, key, ""),
    }
    assert await broken(site) == {}
    works = [(await site.store.find_job(uuid)).work for uuid in jobs.values()]
    blobs = (works[0].results.number, works[1].results.number, works[2].payload.number)
    sql, expected = edit
    with apsw.Connection(str(tmp_path / "jobpass.sqlite")) as database:
        database.pragma("foreign_keys", False)
        for statement in sql.split(";"):
            database.execute(statement, blobs[: max(place for place in (1, 2, 3) if f"?{place}" in statement)])
    assert await broken(site) == {jobs[name]: sequence for name, sequence in expected.items()}


async def test_a_text_that_was_put_where_there_was_none_is_found(site: Site, tmp_path: Path) -> None:
    ann, olga = await site.login("ann"), await site.login("olga", "operator")
    await site.ask("POST", "/api/platforms", token=olga, json={"name": "sim:a"})
    key = (await site.ask("POST", "/api/apikeys", token=olga, json={})).json()["key"]
    done, running = await ended(site, ann, key, "one"), await ended(site, ann, key, "")
    with apsw.Connection(str(tmp_path / "jobpass.sqlite")) as database:
        database.execute("UPDATE job SET work = (SELECT work FROM job WHERE uuid = ?) WHERE uuid = ?", (done, running))
    assert await broken(site) == {running: 1}
