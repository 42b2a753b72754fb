"""When the machine gives out: no room, too many log-ins, other protocols."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path

import httpx2

from support.process import make_folder, process
from support.site import Site


async def test_no_room_is_503_and_service_resumes(tmp_path: Path) -> None:
    """The server may write no more: nothing is half-written, the log says why, and room makes it work again."""
    folder = await make_folder(tmp_path)
    headers = {"authorization": f"Bearer {folder.job.token}"}
    kept, refused = 1, 0
    with process(folder) as (server, url), httpx2.Client(base_url=url, headers=headers) as client:

        def send() -> httpx2.Response:
            return client.post(folder.job.events, json={"name": "update", "data": "x" * 20_000})

        _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (300_000, hard))
        for _ in range(40):
            answer = send()
            if answer.status_code == 200:
                kept += 1
                continue
            refused += 1
            assert (answer.status_code, answer.json()["detail"]["code"]) == (503, "store_unavailable")
            assert answer.headers["retry-after"] == "1"
            assert str(folder.path) not in answer.text
        assert refused > 0
        assert client.get("/health").status_code == 200
        assert client.get(folder.job.path).json()["sequence"] == kept
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert send().status_code == 200
        assert client.get("/ready").status_code == 200
        verified = client.get(f"{folder.job.path}/verify").json()
        assert (verified["events"], verified["intact"]) == (kept + 1, True)
    assert "the store is unavailable" in (folder.path / "log").read_text()


async def test_a_flood_of_log_ins_is_bounded(quick_site: Site) -> None:
    await quick_site.login("ann")
    body = {"email": "ann@example.org", "password": "not the password"}
    answers = await asyncio.gather(*(quick_site.ask("POST", "/api/login", json=body) for _ in range(200)))
    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert {answer.code for answer in refused} == {"too_many"}
    assert all(int(answer.header("retry-after") or 0) >= 1 for answer in refused)
    assert {answer.status for answer in answers} == {401, 429}


async def test_what_is_not_http(quick_site: Site) -> None:
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    def receive(*kinds: str):
        left = list(kinds)

        async def give() -> dict[str, object]:
            return {"type": left.pop(0)}

        return give

    await quick_site.app({"type": "lifespan"}, receive("lifespan.startup", "lifespan.shutdown"), send)
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    sent.clear()
    await quick_site.app({"type": "websocket", "path": "/"}, receive("websocket.connect"), send)
    assert [message["type"] for message in sent] == ["websocket.close"]
