"""What the access log tells, and which headers every answer has; that no secret is in them is in ``security``."""

from __future__ import annotations

import logging

import pytest

from support.site import Site


async def test_the_access_log_tells_who_did_what(quick_site: Site, caplog: pytest.LogCaptureFixture) -> None:
    ann = await quick_site.login("ann")
    job = await quick_site.job(ann)
    with caplog.at_level(logging.INFO, "jobpass.access"):
        await quick_site.send(job, "finish")
    record = caplog.records[-1]
    assert (record.method, record.path, record.status) == ("POST", job.events, 409)
    assert record.reason == "illegal_transition"
    assert record.credential.startswith("document:")
    assert record.request_id
    assert record.milliseconds > 0
    assert record.address == "192.0.2.7"


async def test_the_access_log_can_be_off(quick_site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "jobpass.access"):
        await quick_site.ask("GET", "/health")
    assert caplog.records == []


@pytest.mark.parametrize("path", ["/a%0Ab", "/%1b[31m", "/" + "x" * 500, "/%20", "/%F0%9F%A6%86", "/a%25b"])
async def test_no_odd_path_gets_into_the_log(quick_site: Site, caplog: pytest.LogCaptureFixture, path: str) -> None:
    with caplog.at_level(logging.INFO, "jobpass.access"):
        assert (await quick_site.ask("GET", path)).status == 404
    assert caplog.records[-1].path == "(unprintable)"


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1", True), ("a b", False), ("", False), ("x" * 65, False), ("é", False), ("a\x7f", False)]
)
async def test_a_request_id_is_the_callers_if_it_can_be_shown(quick_site: Site, given: str, kept: bool) -> None:
    headers = [(b"x-request-id", given.encode())]
    answer = await quick_site.ask("GET", "/nowhere", headers=headers)
    assert (answer.header("x-request-id") == given) is kept
    assert answer.json()["request_id"] == answer.header("x-request-id")
    assert answer.header("x-request-id")


async def test_request_ids_differ(quick_site: Site) -> None:
    seen = {(await quick_site.ask("GET", "/health")).header("x-request-id") for _ in range(10)}
    assert len(seen) == 10


async def test_nothing_of_the_api_is_cached(quick_site: Site) -> None:
    for path in ("/api/me", "/api/login", "/nowhere", "/health"):
        assert (await quick_site.ask("GET", path)).header("cache-control") == "no-store"
