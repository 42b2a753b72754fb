"""Every state × every event × every kind of token over HTTP, against a table that is not ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from jobpass.authority.imports import Options
from jobpass.clock import to_microseconds
from jobpass.records import Change, Job
from jobpass.tokens.attenuate import admin_token, attenuate
from jobpass.tokens.caveats import Cidr, Events, ExpiresAt, States
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mint import mint_credential, mint_document
from support.catalogue import Catalogue, lines, old_token
from support.importing import bring
from support.samples import finished
from support.site import Owned, Site

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "datacatalog.json").read_text())
STATES = [state["name"] for state in VECTORS["states"]]
EVENTS = [event["name"] for event in VECTORS["events"]]
AFTER = {(row["state"], row["event"]): None if row["refused"] else row["new_state"] for row in VECTORS["fsm"]}
ADMIN_EVENTS = {"reset", "ready"}

Expected = Callable[[str, str], int]


def by_lifecycle(state: str, event: str) -> int:
    return 409 if AFTER[state, event] is None else 200


def without_admin(state: str, event: str) -> int:
    return 403 if event in ADMIN_EVENTS else by_lifecycle(state, event)


def only(*allowed: tuple[str | None, str]) -> Expected:
    """What an attenuated token does: nothing but these (state or any, event)."""

    def expected(state: str, event: str) -> int:
        fits = (state, event) in allowed or (None, event) in allowed
        return by_lifecycle(state, event) if fits else 403

    return expected


def always(status: int) -> Expected:
    return lambda _state, _event: status


class Kind(NamedTuple):
    """A kind of token: one of them, and what it may do."""

    token: str | None
    event: Expected
    read: int
    give: int
    delete: int
    cancel: int
    reset: int
    rotate: int | None = None
    """As ``give`` unless told."""


async def kinds(site: Site, job: Owned) -> dict[str, Kind]:
    """One token of every kind, each with what is expected of it."""
    ann, bob, olga = await site.login("ann"), await site.login("bob"), await site.login("olga", "operator")
    other = await site.job(ann, of="another")
    _, key = await site.admin_key()
    _, narrow_key = await site.admin_key({"events": ["reset"]})
    revoked_id, revoked_key = await site.admin_key()
    now = site.clock.now()
    revoked = admin_token(revoked_key, now)
    zoe = await site.login("zoe")
    assert (await site.ask("POST", f"/api/admin-keys/{revoked_id}/revoke", token=zoe)).status == 200
    ended = await site.login("ann")
    assert (await site.ask("POST", "/api/logout", token=ended)).status == 200
    seconds = to_microseconds(now) // 1_000_000
    strangers = Keyring.generate(b"\1\2\3\4", bytes(range(32)))
    bad = {
        "none": None,
        "empty": "",
        "nonsense": "jp_doc_nonsense",
        "forged": job.token[:-3] + ("AAA" if job.token[-3:] != "AAA" else "BBB"),
        "of another house": mint_document(strangers, "01020304", job.uuid, 7),
        "of another serial": mint_document(site.keyring, site.keyring.signing_kid, job.uuid, 7),
        "expired document": attenuate(job.token, [ExpiresAt(seconds)]),
        "logged out": ended,
        "of a revoked key": revoked,
        "the admin key itself": key,
        "the key as a token": key.replace("jp_adk_", "jp_adm_"),
        "the document as an admin token": job.token.replace("jp_doc_", "jp_adm_"),
        "a job token without record": mint_credential(site.keyring, "job", "0" * 32),
        "an API key without record": mint_credential(site.keyring, "apikey", "0" * 32),
        "an API key": await key_of(site, olga),
        "a revoked job token": await revoked_of(site, ann),
        "the job token as a login": (await job_token(site, ann)).replace("jp_job_", "jp_log_"),
        "a login without record": mint_credential(site.keyring, "login", "0" * 32),
    }
    good = {
        "owner": Kind(ann, without_admin, 200, 200, 403, 200, 403),
        "document": Kind(job.token, without_admin, 200, 403, 403, 200, 403),
        "admin": Kind(admin_token(key, now), by_lifecycle, 200, 200, 200, 200, 200),
        "scoped admin": Kind(admin_token(narrow_key, now), only((None, "reset")), 200, 200, 200, 403, 403),
        "the owner's job token": Kind(await job_token(site, ann), without_admin, 200, 200, 403, 200, 403, 403),
        "a job token that only reads": Kind(
            await job_token(site, ann, actions=["jobs.read"]), always(403), 200, 403, 403, 403, 403
        ),
        "another author's job token": Kind(await job_token(site, bob), always(404), 404, 404, 404, 404, 404),
        "an operator's job token": Kind(await job_token(site, olga), always(404), 404, 404, 404, 404, 404),
        "another author": Kind(bob, always(404), 404, 404, 404, 404, 404),
        "operator": Kind(olga, always(403), 200, 403, 403, 403, 403),
        "another job's document": Kind(other.token, always(404), 404, 404, 404, 404, 404),
        "only update": Kind(
            attenuate(job.token, [Events(("update",))]), only((None, "update")), 200, 403, 403, 403, 403
        ),
        "only finish when running": Kind(
            attenuate(job.token, [States({"RUNNING": ("finish",)})]),
            only(("RUNNING", "finish")),
            200,
            403,
            403,
            403,
            403,
        ),
        "from elsewhere": Kind(attenuate(job.token, [Cidr(("203.0.113.0/24",))]), always(403), 403, 403, 403, 403, 403),
    }
    return good | {name: Kind(text, always(401), 401, 401, 401, 401, 401) for name, text in bad.items()}


async def job_token(site: Site, login: str, **wanted: Any) -> str:
    """A new job token."""
    answer = await site.ask("POST", "/api/tokens", token=login, json=wanted)
    assert answer.status == 200, answer.body
    return answer.json()["token"]


async def revoked_of(site: Site, login: str) -> str:
    """A job token that was revoked."""
    token = await job_token(site, login)
    assert (await site.ask("POST", "/api/tokens/revoke", token=login, form={"token": token})).status == 200
    return token


async def key_of(site: Site, operator: str) -> str:
    """A new API key."""
    answer = await site.ask("POST", "/api/apikeys", token=operator, json={})
    assert answer.status == 200, answer.body
    return answer.json()["key"]


async def put(site: Site, job: Owned, state: str, sequence: int | None = None) -> Job:
    """Put the job into a state, past every rule; and to a sequence if one is told."""

    def judge(found: Job | None, _prior: object) -> Change:
        assert found is not None
        return Change(found, replace(found, state=state, sequence=sequence or found.sequence), None)

    outcome = await site.store.apply(job.uuid, judge)
    assert isinstance(outcome, Change)
    assert outcome.after is not None
    return outcome.after


def test_the_table_is_whole() -> None:
    assert set(AFTER) == {(state, event) for state in STATES for event in EVENTS}
    assert len(AFTER) == 165


async def test_events(site: Site) -> None:
    job = await site.job(await site.login("ann"))
    for name, kind in (await kinds(site, job)).items():
        for state in STATES:
            for event in EVENTS:
                before = await put(site, job, state)
                answer = await site.ask("POST", job.events, token=kind.token, json={"name": event})
                expected = kind.event(state, event)
                assert answer.status == expected, (name, state, event, answer.body)
                after = await site.store.find_job(job.uuid)
                assert after is not None
                if expected == 200:
                    assert (after.state, after.sequence) == (AFTER[state, event], before.sequence + 1)
                    assert after.last_event == event
                else:
                    assert after == before, (name, state, event)


@pytest.mark.parametrize("event", ["RESET", "reset ", "Reset", "ｒｅｓｅｔ", "reset\0", "re\u200bset", "delete", ""])
async def test_names_that_are_none(site: Site, event: str) -> None:
    job = await site.job(await site.login("ann"))
    for name, kind in (await kinds(site, job)).items():
        before = await put(site, job, "FINISHED")
        answer = await site.ask("POST", job.events, token=kind.token, json={"name": event})
        hidden_or_bad = kind.event("FINISHED", "update") in (401, 404)
        assert answer.status in ((401, 404) if hidden_or_bad else (422, 403)), (name, answer.body)
        assert await site.store.find_job(job.uuid) == before


async def test_what_is_no_event(site: Site) -> None:
    job = await site.job(await site.login("ann"))
    for name, kind in (await kinds(site, job)).items():
        for ending in ("", "/history", "/verify"):
            assert (await site.ask("GET", job.path + ending, token=kind.token)).status == kind.read, (name, ending)
        answer = await site.ask("POST", f"{job.path}/token", token=kind.token)
        assert answer.status == kind.give, (name, answer.body)
        assert (b"jp_" in answer.body) is (kind.give == 200)


async def test_rotation_and_deletion(site: Site) -> None:
    ann = await site.login("ann")
    first = await site.job(ann)
    for name in await kinds(site, first):
        job = await site.job(ann, for_=name)
        kind = (await kinds(site, job))[name]
        before = await site.store.find_job(job.uuid)
        deleted = await site.ask("DELETE", job.path, token=kind.token)
        assert deleted.status == kind.delete, (name, deleted.body)
        if kind.delete == 200:
            assert deleted.json() == {"uuid": job.uuid, "deleted": True}
            assert await site.store.find_job(job.uuid) is None
            again = await site.job(ann, for_=name)
            assert again.uuid == job.uuid
            assert (await site.ask("GET", job.path, token=job.token)).status == 401  # the old token stays dead
            job = again
            before = await site.store.find_job(job.uuid)
        rotated = await site.ask("POST", f"{job.path}/token/rotate", token=kind.token)
        expected = kind.give if kind.rotate is None else kind.rotate
        assert rotated.status == expected, (name, rotated.body)
        if expected == 200:
            assert (await site.ask("GET", job.path, token=job.token)).status == 401
            assert (await site.ask("GET", job.path, token=rotated.json()["token"])).status == 200
        else:
            assert await site.store.find_job(job.uuid) == before, name


async def test_cancellation(site: Site) -> None:
    ann = await site.login("ann")
    for name in await kinds(site, await site.job(ann)):
        job = await site.job(ann, for_=name)
        kind = (await kinds(site, job))[name]
        fresh = await site.store.find_job(job.uuid)
        assert fresh is not None
        for state in STATES:  # nowhere but at the beginning, and there only if nothing has happened
            before = await put(site, job, state, sequence=1 if state != "CREATED" else 2)
            answer = await site.ask("POST", f"{job.path}/cancel", token=kind.token)
            assert answer.status == (409 if kind.cancel == 200 else kind.cancel), (name, state, answer.body)
            assert await site.store.find_job(job.uuid) == before
        await put(site, job, "CREATED", sequence=1)
        answer = await site.ask("POST", f"{job.path}/cancel", token=kind.token)
        assert answer.status == kind.cancel, (name, answer.body)
        assert (await site.store.find_job(job.uuid) is None) is (kind.cancel == 200), name
        for text in (kind.token, job.token):
            if kind.cancel == 200:  # what is gone and what never was look the same
                gone = await site.ask("POST", f"{job.path}/cancel", token=text)
                assert (gone.status, gone.code) == (404, "unknown_job")


async def test_reset(site: Site) -> None:
    job = await site.job(await site.login("ann"))
    for name, kind in (await kinds(site, job)).items():
        for state in STATES:
            for body in (None, {}, {"no_clear_path": True}, {"data": {"no_clear_path": True}}):
                before = await put(site, job, state)
                answer = await site.ask("POST", f"{job.path}/reset", token=kind.token, json=body)
                assert answer.status == kind.reset, (name, state, answer.body)
                after = await site.store.find_job(job.uuid)
                assert after is not None
                if kind.reset == 200:
                    assert (after.state, after.last_event, after.sequence) == ("CREATED", "ready", before.sequence + 2)
                    assert (answer.json()["sequence"], answer.json()["token"]) == (after.sequence, None)
                else:
                    assert after == before, (name, state)


async def test_indexing(site: Site) -> None:
    job = await site.job(await site.login("ann"))
    await finished(site, job)
    for name, kind in (await kinds(site, job)).items():
        for state in STATES:
            before = await put(site, job, state)
            answer = await site.ask("POST", f"{job.path}/index", token=kind.token, json={"fixity": False})
            expected = kind.event(state, "index")
            if expected == 200:  # nobody begins what they may not end
                expected = kind.event("INDEXING", "indexed")
            assert answer.status == expected, (name, state, answer.body)
            if expected == 200:
                ended = await site.ask("GET", f"{job.path}/index?wait=5", token=job.token)
                assert ended.json()["error"] == "The job's archive system is not configured here."
            else:
                assert await site.store.find_job(job.uuid) == before, (name, state)
        for ending in ("/index", "/files", "/files?kind=product"):
            assert (await site.ask("GET", job.path + ending, token=kind.token)).status == kind.read, (name, ending)


OLD = Kind(None, without_admin, 200, 403, 403, 403, 403)
"""What an old token may do: less than the document token, which may cancel."""


async def old_kinds(site: Site) -> list[tuple[str, Owned, Kind]]:
    """Old tokens, each of a job of its own: one that lives, and those that have ended or never were one."""
    first, second, rotated, ended, borrowed, guessed = [Catalogue(7 + n).job(1) for n in range(6)]
    short = Options(legacy_until=site.clock.now() + timedelta(seconds=1))
    await bring(site.authority, site.clock, lines([ended]), short)
    site.clock.advance(1)
    living = Options(legacy_until=site.clock.now() + timedelta(days=1))
    await bring(site.authority, site.clock, lines([first, rotated, borrowed, guessed]), living)
    await bring(site.authority, site.clock, lines([second]), Options())
    token = await site.admin()
    path = f"/api/pipelinejobs/{rotated['uuid']}/token/rotate"
    assert (await site.ask("POST", path, token=token, json={"grace_seconds": 3600})).status == 200
    texts = {
        "living": (first, old_token(first)),
        "brought without": (second, old_token(second)),
        "rotated": (rotated, old_token(rotated)),
        "ended": (ended, old_token(ended)),
        "another job's": (borrowed, old_token(first)),
        "guessed": (guessed, "0" * 16),
    }
    nothing = Kind(None, always(401), 401, 401, 401, 401, 401)
    return [
        (name, Owned(document["uuid"], text), (OLD if name == "living" else nothing)._replace(token=text))
        for name, (document, text) in texts.items()
    ]


async def expect(site: Site, status: int, method: str, path: str, token: str | None, **more: Any) -> None:
    """What is refused for what it is, is soon refused for how often."""
    answer = await site.ask(method, path, token=token, **more)
    assert answer.status in ((401, 429) if status == 401 else (status,)), (method, path, answer.status, answer.body)
    assert b"jp_" not in answer.body


async def test_old_tokens(site: Site) -> None:
    for name, job, kind in await old_kinds(site):
        for state in STATES:
            for event in EVENTS:
                before = await put(site, job, state)
                expected = kind.event(state, event)
                await expect(site, expected, "POST", job.events, kind.token, json={"name": event})
                after = await site.store.find_job(job.uuid)
                assert after is not None
                if expected == 200:
                    assert (after.state, after.sequence) == (AFTER[state, event], before.sequence + 1)
                else:
                    assert after == before, (name, state, event)
            before = await put(site, job, state, sequence=1)
            for ending, status in (
                ("/cancel", kind.cancel), ("/reset", kind.reset), ("/token", kind.give), ("/token/rotate", kind.give)
            ):  # fmt: skip
                await expect(site, status, "POST", job.path + ending, kind.token)
            await expect(site, kind.delete, "DELETE", job.path, kind.token)
            for ending in ("", "/history", "/verify"):
                await expect(site, kind.read, "GET", job.path + ending, kind.token)
            assert await site.store.find_job(job.uuid) == before, (name, state)
