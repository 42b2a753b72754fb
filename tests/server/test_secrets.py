"""A canary: what opens something shows up in no log line, no error body, and no header."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from jobpass.server.routes import ROUTES
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Events
from support.site import PASSWORD, Site


class Everything(logging.Formatter):
    """Shows all that a record carries, and scrubs nothing."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{super().format(record)} {record.__dict__!r}"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Everything())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)


async def test_no_token_in_logs_or_error_bodies(quick_site: Site, log: io.StringIO) -> None:
    ann = await quick_site.login("ann")
    job = await quick_site.job(ann)
    forged = job.token[:-4] + "AAAA"
    narrow = attenuate(job.token, [Events(("update",))])
    canaries = [ann, job.token, forged, narrow]
    for route in ROUTES:
        for token in canaries:
            for uuid in (job.uuid, token, f"x{token}"):
                path = route.template.replace("{uuid}", uuid)
                for target in (path, f"{path}?token={token}", f"{path}?{token}=1", f"{path}/{token}"):
                    for body in (
                        {token: 1},
                        {"name": token, "data": token},
                        {"email": token, "password": PASSWORD},
                        {"pipeline_uuid": token, "data": {}},
                        [token],
                    ):
                        headers = [(b"x-request-id", token.encode()[:64]), (b"idempotency-key", b"x" * 300)]
                        answer = await quick_site.ask(route.method, target, token=token, json=body, headers=headers)
                        assert answer.status != 500
                        if answer.status != 200:
                            check_clean(answer.body.decode(), canaries)
                        check_clean(repr(answer.headers), canaries)
    assert "request" in log.getvalue()
    check_clean(log.getvalue(), canaries)


def check_clean(text: str, canaries: list[str]) -> None:
    """Neither whole nor in any telling part."""
    assert PASSWORD not in text
    for token in canaries:
        secret = token[7:]
        for start in range(0, len(secret) - 24, 8):
            assert secret[start : start + 24] not in text, text[:300]


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
