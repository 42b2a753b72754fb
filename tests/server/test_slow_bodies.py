"""Bodies that come slowly: what ended meanwhile does nothing any more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from support.site import PASSWORD, Site

USER = {"email": "eve@example.org", "password": PASSWORD, "role": "operator"}


async def _slowly(site: Site, target: str, token: str, body: Any, meanwhile: Callable[[], Awaitable[None]]) -> int:
    """The status of a request of which something happens before the last of its body."""
    text = json.dumps(body).encode()
    pieces = [text[:3], text[3:]]
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        if len(pieces) == 1:
            await meanwhile()
        if not pieces:  # the client is there, and waits for its answer
            await asyncio.get_running_loop().create_future()
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: dict[str, Any]) -> None:
        if "status" in message:
            statuses.append(message["status"])

    headers = [(b"authorization", b"Bearer " + token.encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": target, "query_string": b"", "headers": headers}
    await site.app(scope, receive, send)
    return statuses[0]


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/api/users", USER),
        ("/api/apikeys", {}),
        ("/api/tokens", {"label": "x"}),
        ("/api/pipelinejobs", {}),
        ("/api/pipelinejobs/{job}/events", {"name": "submit"}),
        ("/api/admin-keys", {"use_case": "repair", "storage": "a vault"}),
    ],
)
async def test_a_token_that_ends_while_the_body_comes_does_nothing(site: Site, target: str, body: Any) -> None:
    olga, rex = await site.login("olga", "operator"), await site.login("rex", "operator")
    job = await site.job(olga)
    olgas_id = await site.user_id(olga)

    async def disable() -> None:
        answer = await site.ask("PUT", f"/api/users/{olgas_id}", token=rex, json={"active": False})
        assert answer.status == 200, answer.body

    async def nothing() -> None:
        return None

    path = target.format(job=job.uuid)
    assert await _slowly(site, path, olga, body, nothing) != 401
    if target == "/api/users":
        body = body | {"email": "mallory@example.org"}
    assert await _slowly(site, path, olga, body, disable) == 401
    shown = await site.ask("GET", "/api/users", token=rex)
    assert "mallory@example.org" not in shown.body.decode()


async def test_a_log_in_that_ends_while_the_body_comes_makes_no_token(site: Site) -> None:
    ann, rex = await site.login("ann"), await site.login("rex", "operator")

    async def log_out() -> None:
        assert (await site.ask("POST", "/api/logout", token=ann)).status == 200

    assert await _slowly(site, "/api/tokens", ann, {"label": "kept"}, log_out) == 401
    assert "kept" not in (await site.ask("GET", "/api/tokens", token=rex)).body.decode()
