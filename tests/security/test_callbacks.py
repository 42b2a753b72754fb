"""Tickets and tokens in URLs: in no log line, body, header, metric or audit entry; and one door for them too."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest

from jobpass.authority import gate
from jobpass.authority.decide import Denied, Objection
from jobpass.stores.memory import MemoryStore
from jobpass.tokens.attenuate import admin_token
from support.asgi import Answer
from support.site import Site, make_site
from support.tickets import make, path


@pytest.fixture
async def calling() -> AsyncIterator[Site]:
    made = make_site(MemoryStore(), callbacks=True)
    yield made
    await made.authority.close()


def check_clean(text: str, canaries: list[str], where: object) -> None:
    for canary in canaries:
        for start in range(0, len(canary) - 31, 8):
            assert canary[start + 7 : start + 31] not in text, (where, text[:300])


def targets(text: str) -> list[str]:
    """The text in every place of such a URL, also where no route is."""
    upper = text[:7].upper() + text[7:]
    return [
        *(
            path(text, query)
            for query in ("event=update", "status=NONSENSE", "", f"n={text}", f"{text}=1", f"event={text}")
        ),
        *(path(text, query) for query in (f"status={text}", f"event=update&u={text}", "event=a&event=b", "%ff")),
        *(
            f"/api/callbacks/{odd}?event=update"
            for odd in (upper, text[7:], f"x{text}", f"{text}x", text.replace("jp", "j%70"))
        ),
        *(f"{before}{text}?event=update" for before in ("//api//callbacks//", "/api/callbacks/a/", "/API/Callbacks/")),
        *(f"/api/callbacks/{text}{after}" for after in ("/", "/x", "%00", "%2Fx", "%0A", "/../..")),
    ]


async def test_no_canary_sings(calling: Site, log: io.StringIO) -> None:
    ann = await calling.login("ann")
    job = await calling.job(ann)
    _, key = await calling.admin_key()
    canaries = [
        make(calling, job),
        make(calling, job, ["run"]),
        job.token,
        ann,
        key,
        admin_token(key, calling.clock.now()),
    ]
    canaries.append(canaries[0][:-4] + "AAAA")
    seen: set[int] = set()

    def check(answer: Answer, where: str) -> None:
        seen.add(answer.status)
        assert answer.status != 500
        check_clean(answer.body.decode() + repr(answer.headers), canaries, where)

    for text in canaries:
        for target in targets(text):
            for method in ("GET", "POST", "HEAD", "PUT"):
                check(await calling.ask(method, target, headers=[(b"referer", text.encode())]), target)
                calling.clock.advance(5)
        for body in (b'{"event":"update","a":"%b"}', b'{"event":"%b"}', b'{"%b":1}', b'{"%b', b"%b"):
            check(await calling.ask("POST", path(text), body=body % text.encode()), "body")
            check(await calling.ask("POST", path(text), form={"event": "update", "a": text}), "form")
        await calling.authority.tend()
    assert seen == {200, 401, 403, 404, 405, 422}
    assert log.getvalue().count("/api/callbacks/…") > 500
    check_clean(log.getvalue(), canaries, "log")
    for page in ("/metrics", f"{job.path}/history?limit=1000", "/openapi.json"):
        answer = await calling.ask("GET", page, token=await calling.login("rex", "operator"))
        assert answer.status == 200
        check_clean(answer.body.decode(), canaries, page)
    audit = await calling.ask("GET", "/api/audit?limit=1000", token=await calling.login("rex", "operator"))
    assert b"token.in_url" in audit.body
    check_clean(audit.body.decode(), canaries, "audit")


@pytest.mark.parametrize("on", [True, False])
async def test_the_log_shows_no_ticket_whether_there_is_such_a_route_or_not(log: io.StringIO, on: bool) -> None:
    site = make_site(MemoryStore(), callbacks=on)
    job = await site.job(await site.login("ann"))
    text = make(site, job)
    for target in targets(text):
        await site.ask("GET", target)
    assert "/api/callbacks/…" in log.getvalue()
    check_clean(log.getvalue(), [text], "log")
    await site.authority.close()


async def test_when_the_decision_is_always_no_no_ticket_opens(calling: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = await calling.login("ann")
    job = await calling.job(ann)
    before = await calling.standing(job, ann)

    def no(*_arguments: object, **_more: object) -> Denied:
        return Denied((Objection("policy", "nothing is allowed"),))

    with monkeypatch.context() as patch:
        patch.setattr(gate, "decide", no)
        for method in ("GET", "POST"):
            assert (await calling.ask(method, path(make(calling, job), "event=run"))).status == 403
    assert await calling.standing(job, ann) == before
