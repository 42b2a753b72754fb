"""What is counted, and who may see it."""

from __future__ import annotations

import asyncio
import re
import socket
import timeit

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from jobpass.errors import SetupError, StoreUnavailable
from jobpass.server.counters import Counters
from jobpass.server.exposition import render
from jobpass.server.run import serve
from jobpass.stores.memory import MemoryStore
from support.site import Site, make_site


def samples(text: str) -> dict[str, float]:
    """Each sample by its name and labels."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


async def test_requests_events_and_refusals_are_counted(quick_site: Site) -> None:
    site = quick_site
    ann, olga = await site.login("ann"), await site.login("olga", "operator")
    job = await site.job(ann)
    for name in ("run", "update", "update", "reset", "nonsense", "validated"):
        await site.send(job, name)
    for method, path in (("BREW", "/health"), ("GET", "/nowhere"), ("x" * 1000, "/y")):
        await site.ask(method, path)
    assert (await site.ask("GET", "/metrics", token=ann)).code == "denied"
    assert (await site.ask("GET", "/metrics", token=job.token)).status in (403, 404)
    assert (await site.ask("GET", "/metrics")).status == 401
    answer = await site.ask("GET", "/metrics", token=olga)
    assert (answer.header("content-type") or "").startswith("text/plain; version=")
    found = samples(answer.body.decode())
    events = "method=POST,route=/api/pipelinejobs/{uuid}/events"
    assert found[f"jobpass_requests_total{{{events},status=200}}"] == 3
    assert found[f"jobpass_requests_total{{{events},status=403}}"] == 1
    assert found[f"jobpass_requests_total{{{events},status=409}}"] == 1
    assert found[f"jobpass_request_seconds_count{{{events}}}"] == 6
    assert found[f"jobpass_request_seconds_bucket{{le=+Inf,{events}}}"] == 6
    assert found[f"jobpass_request_seconds_sum{{{events}}}"] > 0
    assert found["jobpass_requests_total{method=other,route=unmatched,status=404}"] == 2
    assert found["jobpass_requests_total{method=other,route=unmatched,status=405}"] == 1
    assert found["jobpass_events_total{event=update}"] == 2
    assert "jobpass_events_total{event=reset}" not in found
    assert found["jobpass_refusals_total{code=illegal_transition}"] == 1
    assert found["jobpass_chore_failures_total{}"] == 0
    assert "jobpass_clock_offset_seconds{}" not in found
    assert "process_resident_memory_bytes{}" in found
    assert not re.search(r"jp_[a-z]{3}_|x{20}|[0-9a-f]{8}-[0-9a-f]{4}", answer.body.decode())


def test_a_bucket_holds_what_took_no_longer() -> None:
    counters = Counters()
    for seconds in (0.0, 0.0005, 0.00051, 3.0, 99.0):
        counters.answered("GET", "/x", 200, seconds)
    found = samples(render(counters).decode())
    cumulated = {
        bound: found[f"jobpass_request_seconds_bucket{{le={bound},method=GET,route=/x}}"]
        for bound in ("0.0005", "0.001", "2.5", "10.0", "+Inf")
    }
    assert list(cumulated.values()) == [2, 3, 3, 4, 5]


def test_counting_costs_next_to_nothing() -> None:
    """Less than a microsecond a request; the bound is wide because the machine is not ours alone."""
    counters = Counters()
    timer = timeit.Timer(lambda: counters.answered("POST", "/api/pipelinejobs/{uuid}/events", 200, 0.0004))
    assert min(timer.repeat(20, 2000)) / 2000 < 2e-6


async def test_a_port_of_its_own() -> None:
    site = make_site(MemoryStore())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    told: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(site.app, metrics_port=free, ready=lambda *where: told.set_result(where)))
    try:
        host, port = await told
        async with httpx2.AsyncClient() as client:
            await client.get(f"http://{host}:{port}/health")
            answer = await client.get(f"http://127.0.0.1:{free}/metrics")
            assert samples(answer.text)["jobpass_requests_total{method=GET,route=/health,status=200}"] == 1
            assert (await client.get(f"http://127.0.0.1:{free}/health")).status_code == 404
            assert (await client.post(f"http://127.0.0.1:{free}/metrics")).status_code == 404
            assert (await client.get(f"http://{host}:{port}/metrics")).status_code == 401
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", free)


async def test_a_port_that_is_taken_is_a_setup_error() -> None:
    site = make_site(MemoryStore())
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SetupError, match="Cannot listen"):
        await serve(site.app, metrics_port=taken.getsockname()[1])


async def test_chores_that_fail_are_counted(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    site = make_site(MemoryStore())

    tended = asyncio.Event()

    async def down() -> None:
        tended.set()
        raise StoreUnavailable("no room")

    monkeypatch.setattr(site.store, "tend", down)
    task = asyncio.create_task(serve(site.app))
    await asyncio.wait_for(tended.wait(), 10)
    task.cancel()
    await asyncio.wait([task])
    assert site.app.counters.chore_failures == 1
    assert "no room" in caplog.text
