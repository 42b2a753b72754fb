"""A canary: what opens something is in no log line, body, header, metric, audit entry or crash output."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from jobpass import log as log_module
from jobpass.server.app import App
from jobpass.server.call import Call
from jobpass.server.route import Route, Router
from jobpass.server.routes import ROUTES
from jobpass.tokens.attenuate import admin_token, attenuate
from jobpass.tokens.caveats import Events
from jobpass.tokens.mint import mint_credential
from jobpass.wire import paths
from jobpass.wire.messages import Message
from support.asgi import FORM, JSON, Answer
from support.samples import Things, make_things, sample
from support.site import PASSWORD, Site

SECRET_PASSWORD = "zebra-anvil-tulip-0451"
GIVES = {
    ("POST", paths.LOGIN): b'"token":"jp_log_',
    ("POST", paths.JOBS): b'"token":"jp_doc_',
    ("POST", paths.JOB_EVENTS): b'"token":"jp_doc_',
    ("POST", paths.JOB_TOKEN): b'"token":"jp_doc_',
    ("POST", paths.JOB_ROTATE): b'"token":"jp_doc_',
    ("POST", paths.ADMIN_KEY_COLLECT): b'"key":"jp_adk_',
    ("POST", paths.TOKENS): b'"token":"jp_job_',
    ("POST", paths.AUTH_TOKENS): b'"token":"jp_job_',
    ("POST", paths.OLD_TOKEN_GENERATE): b'"token":"jp_job_',
    ("POST", paths.API_KEYS): b'"key":"jp_key_',
    ("POST", paths.WORKER_NEXT): b'"token":"jp_doc_',
}
"""The routes that give a token out, and how their good answers show it."""


def check_clean(text: str, canaries: list[str], where: object) -> None:
    """Neither whole nor in any telling part."""
    assert PASSWORD not in text, where
    assert SECRET_PASSWORD not in text, where
    for token in canaries:
        secret = token[7:]
        for start in range(0, len(secret) - 24, 8):
            assert secret[start : start + 24] not in text, (where, text[:300])


async def canaries_of(site: Site, things: Things) -> list[str]:
    """One token of every kind, and what comes close to one."""
    _, key = await site.admin_key()
    api_key = (await site.ask("POST", "/api/apikeys", token=things.olga, json={})).json()["key"]
    return [
        things.olga,
        things.token,
        things.ann,
        things.job.token,
        attenuate(things.job.token, [Events(("update",))]),
        things.job.token[:-4] + "AAAA",
        key,
        admin_token(key, site.clock.now()),
        mint_credential(site.keyring, "job", "1" * 32),
        mint_credential(site.keyring, "apikey", "2" * 32),
        api_key,
        things.leased.token,
    ]


def headers_of(token: str) -> Iterator[list[tuple[bytes, bytes]]]:
    """The token in each header that somebody could put it into."""
    text = token.encode()
    yield [(b"authorization", b"Bearer " + text)]
    yield [(b"authorization", b"Basic " + text)]
    yield [(b"authorization", text)]
    yield [(b"authorization", b"Bearer " + text + b" " + text)]
    yield [
        (b"x-request-id", text[:64]),
        (b"idempotency-key", text + b"\xff"),
        (b"cookie", b"token=" + text),
        (b"referer", b"https://example.org/?" + text),
        (b"user-agent", text),
        (b"x-forwarded-for", text),
        (b"content-type", b"text/" + text),
    ]


def bodies_of(token: str) -> list[bytes]:
    """The token in bodies that no route takes."""
    text = token.encode()
    return [
        b'{"%b":1}' % text,
        b'{"name":"%b","data":"%b"}' % (text, text),
        b'{"email":"%b","password":"%b"}' % (text, SECRET_PASSWORD.encode()),
        b'{"email":"ann@example.org","password":"%b"}' % text,
        b'{"password":"%b","present":"%b"}' % (text, text),
        b'{"pipeline_uuid":"%b","data":{}}' % text,
        b'{"use_case":"%b","storage":"x"}' % text,
        b'{"use_case":"x","storage":"x","scope":{"%b":["%b"]}}' % (text, text),
        b'{"request_hash":"%b"}' % text,
        b'{"label":"%b"}' % text,
        b'{"first_name":"%b"}' % text,
        b'{"name":"sim:x","description":"%b"}' % text,
        b'{"reason":"%b"}' % text,
        b'["%b"]' % text,
        b'{"%b' % text,
        text,
    ]


def check_answer(answer: Answer, route: Route, canaries: list[str]) -> None:
    assert answer.status != 500, route
    check_clean(repr(answer.headers), canaries, route)
    given_out = GIVES.get((route.method, route.template))
    if given_out is not None and answer.status == 200:
        assert given_out in answer.body or b'"token":null' in answer.body
    else:
        check_clean(answer.body.decode(), canaries, route)


async def audit_of(site: Site, operator: str) -> str:
    """Every entry, as an operator reads them."""
    text, after = "", ""
    while True:
        answer = await site.ask("GET", f"/api/audit?limit=1000{after}", token=operator)
        assert answer.status == 200
        if not answer.json()["entries"]:
            return text
        text += answer.body.decode()
        after = f"&after={answer.json()['next']}"


@pytest.mark.timeout(600)
async def test_nowhere(site: Site, log: io.StringIO) -> None:
    things = await make_things(site)
    canaries = await canaries_of(site, things)
    skipped = {paths.LOGOUT, paths.REVOKE, paths.USER_DISABLE, paths.USER_PASSWORD}  # they would end the canaries
    for route in sorted(ROUTES, key=lambda route: route.template == paths.JOB_CANCEL or route.method == "DELETE"):
        path, _ = sample(route, things)
        for token in canaries:
            for headers in headers_of(token):
                body = b"" if route.template in skipped else None
                check_answer(await site.ask(route.method, path, headers=headers, body=body), route, canaries)
            for target in (f"{path}?token={token}", f"{path}?{token}=1", f"{path}?after={token}", f"{path}/{token}"):
                check_answer(await site.ask(route.method, target, token=things.olga, body=b""), route, canaries)
            if "{" in route.template and route.method != "DELETE":
                before, _, rest = route.template.partition("{")
                for segment in (token, f"x{token}"):
                    target = before + segment + rest.partition("}")[2]
                    check_answer(await site.ask(route.method, target, token=token), route, canaries)
            if route.template in skipped:
                continue
            for given in bodies_of(token):
                for kind in (JSON, FORM):
                    answer = await site.ask(route.method, path, token=things.ann, body=given, headers=[kind])
                    check_answer(answer, route, canaries)
        await site.authority.tend()
        site.clock.advance(120)  # so that failed log-ins are not refused unread
        things = things._replace(olga=await site.login("rex", "operator"))
    assert "request" in log.getvalue()
    check_clean(log.getvalue(), canaries, "log")
    audit = await audit_of(site, things.olga)
    for name in ("login", "refused", "admin_key.requested", "job.rotated"):
        assert f'"name":"{name}"' in audit
    check_clean(audit, canaries, "audit")
    metrics = await site.ask("GET", "/metrics", token=things.olga)
    assert b"jobpass_requests_total" in metrics.body
    check_clean(metrics.body.decode(), canaries, "metrics")
    documented = await site.ask("GET", "/openapi.json")
    check_clean(documented.body.decode(), canaries, "openapi")


@pytest.fixture
def configured() -> Iterator[io.StringIO]:
    """The log as the server configures it."""
    root, crash, raising = logging.getLogger(), sys.excepthook, logging.raiseExceptions
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in ("uvicorn.error", "uvicorn.asgi", "asyncio", "httpx2")}
    out = io.StringIO()
    log_module.configure("json", "debug", stream=out)
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = raising
    sys.excepthook = crash
    for name, value in quiet.items():
        logging.getLogger(name).setLevel(value)


async def test_not_when_the_server_crashes(
    site: Site, configured: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    things = await make_things(site)
    canaries = await canaries_of(site, things)

    async def broken(call: Call) -> Message:
        local = call.text
        raise RuntimeError(f"with {local}", {"a": local})

    route = Route("GET", "/broken", broken, "breaks", Message)
    site.ask.app = App(site.authority, Router((route,)), "test", 100)
    for token in canaries[:4]:
        answer = await site.ask("GET", "/broken", token=token)
        assert answer.status == 500
        check_clean(answer.body.decode() + repr(answer.headers), canaries, "answer")
    assert configured.getvalue().count("a request failed") == 4
    check_clean(configured.getvalue(), canaries, "log")

    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    error = RuntimeError(canaries[0])
    sys.excepthook(RuntimeError, error, error.__traceback__)
    assert "RuntimeError" in out.getvalue()
    check_clean(out.getvalue(), canaries, "crash output")
