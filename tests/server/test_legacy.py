"""Old tokens of imported jobs over HTTP: what they open, what they do not, and how they end."""

from __future__ import annotations

import logging
from datetime import timedelta

import msgspec
import pytest

from jobpass.authority.imports import Options
from jobpass.server.routes import ROUTES
from jobpass.stores.memory import MemoryStore
from jobpass.wire import paths
from support import importing
from support.catalogue import Catalogue, lines, old_token
from support.samples import make_things, sample
from support.site import make_site

DAY = timedelta(days=1)


@pytest.fixture
async def site():
    return make_site(MemoryStore())


class Old:
    """An imported job with its old token."""

    def __init__(self, document):
        self.uuid = document["uuid"]
        self.token = old_token(document)
        self.path = f"/api/pipelinejobs/{self.uuid}"
        self.events = f"{self.path}/events"


async def bring(site, *documents, until=DAY):
    """Import jobs with old tokens."""
    options = Options(legacy_until=None if until is None else site.clock.now() + until)
    _, refused = await importing.bring(site.authority, site.clock, lines(documents), options)
    assert refused == []
    return [Old(document) for document in documents]


@pytest.fixture
async def jobs(site):
    catalogue = Catalogue()
    return await bring(site, catalogue.job(1), catalogue.job(1))


async def test_an_old_token_reads_and_moves_its_job_and_stands_in_the_history(site, jobs):
    mine, _ = jobs
    assert (await site.ask("GET", mine.path, token=mine.token)).json()["state"] == "CREATED"
    answer = await site.ask("POST", mine.events, token=mine.token, json={"name": "run"})
    assert (answer.status, answer.json()["state"], answer.json()["token"]) == (200, "RUNNING", mine.token)
    history = (await site.ask("GET", f"{mine.path}/history", token=mine.token)).json()["events"]
    assert [event["credential"] for event in history] == ["import:datacatalog", f"legacy:{mine.uuid}"]


@pytest.mark.parametrize("name", ["reset", "ready", "RESET", "delete"])
async def test_it_has_no_administrative_power(site, jobs, name):
    mine, _ = jobs
    answer = await site.ask("POST", mine.events, token=mine.token, json={"name": name})
    assert answer.status in (403, 422)
    assert (await site.store.find_job(mine.uuid)).sequence == 1


async def test_it_opens_nothing_but_reads_and_events_of_its_job(site, jobs):
    mine, other = jobs
    things = await make_things(site)
    opened = []
    for route in ROUTES:
        if not route.bearer:
            continue
        path, body = sample(route, things._replace(job=mine))
        form = {"form": body} if route.form else {"json": body}
        answer = await site.ask(route.method, path, token=mine.token, **form)
        if answer.status < 400:
            opened.append((route.method, route.template))
        else:
            assert answer.status in (401, 403, 409), (route.template, answer.status, answer.body)
    assert {one for one in opened if one[0] != "GET"} == {("POST", paths.JOB_EVENTS)}
    assert {("GET", paths.JOB), ("GET", paths.JOB_HISTORY), ("GET", paths.JOB_VERIFY)} <= set(opened)
    assert [template for _, template in opened if not template.startswith(paths.JOB)] == []
    for path in (other.path, f"{other.path}/history", things.job.path):
        assert (await site.ask("GET", path, token=mine.token)).status == 401
    assert await site.store.find_job(mine.uuid) is not None


async def test_it_is_no_token_in_a_query_or_in_another_spelling(site, jobs):
    mine, _ = jobs
    assert (await site.ask("GET", f"{mine.path}?token={mine.token}")).status == 401
    for text in (mine.token.upper(), mine.token + "0", mine.token[:15], f"{mine.token} ", "０" * 16, "0" * 16, ""):
        if text.strip() != mine.token:
            assert (await site.ask("GET", mine.path, token=text)).status == 401, text


async def test_whatever_is_wrong_the_answer_is_the_same(site, jobs):
    mine, _ = jobs
    (without,) = await bring(site, Catalogue(5).job(1), until=None)
    unknown = mine.path[:-4] + "0000"
    answers = [
        await site.ask("GET", path, token=token)
        for path, token in ((mine.path, "0" * 16), (without.path, without.token), (unknown, mine.token))
    ]
    bodies = {msgspec.json.encode({k: v for k, v in one.json().items() if k != "request_id"}) for one in answers}
    assert {one.status for one in answers} == {401}
    assert len(bodies) == 1


async def test_it_ends_at_its_date(site, jobs):
    mine, _ = jobs
    site.clock.advance(DAY.total_seconds() - 1)
    assert (await site.ask("GET", mine.path, token=mine.token)).status == 200
    site.clock.advance(1)
    assert (await site.ask("GET", mine.path, token=mine.token)).status == 401


async def test_what_ended_is_forgotten_within_the_hour(site, jobs):
    await site.authority.tend()
    assert await site.store.find_legacy(jobs[0].uuid) is not None
    site.clock.advance(DAY.total_seconds())
    await site.authority.tend()
    assert await site.store.find_legacy(jobs[0].uuid) is None


@pytest.mark.parametrize("grace_seconds", [0, 3600])
async def test_it_ends_when_the_job_gets_a_new_token(site, jobs, grace_seconds):
    mine, other = jobs
    admin = await site.admin()
    answer = await site.ask("POST", f"{mine.path}/token/rotate", token=admin, json={"grace_seconds": grace_seconds})
    assert answer.status == 200
    assert (await site.ask("GET", mine.path, token=mine.token)).status == 401
    assert (await site.ask("GET", mine.path, token=answer.json()["token"])).status == 200
    assert (await site.ask("GET", other.path, token=other.token)).status == 200


async def test_it_ends_when_all_are_ended(site, jobs):
    mine, _ = jobs
    assert await site.authority.legacy_tokens.count() == 2
    assert await site.authority.legacy_tokens.end() == 2
    assert (await site.ask("GET", mine.path, token=mine.token)).status == 401
    names = [entry.name for entry in (await site.store.list_audit(limit=100)).items]
    assert "legacy_tokens.ended" in names


async def test_guesses_are_slowed_down_for_the_job_and_the_address(site, jobs):
    mine, other = jobs
    statuses = [(await site.ask("GET", mine.path, token=f"{n:016x}")).status for n in range(8)]
    assert statuses[:5] == [401] * 5
    assert statuses[-1] == 429
    late = await site.ask("GET", mine.path, token=mine.token)
    assert late.status == 429
    assert late.json()["detail"]["retry_after_seconds"] > 0
    assert (await site.ask("GET", other.path, token=other.token)).status == 200
    site.clock.advance(3600)
    assert (await site.ask("GET", mine.path, token=mine.token)).status == 200


async def test_where_no_old_tokens_are_accepted_nobody_is_slowed_down(site, jobs):
    mine, _ = jobs
    await site.authority.legacy_tokens.end()
    statuses = [(await site.ask("GET", mine.path, token=f"{n:016x}")).status for n in range(8)]
    assert statuses == [401] * 8


async def test_guesses_at_many_jobs_from_one_address_are_slowed_down(site, jobs):
    catalogue = Catalogue()
    many = [f"/api/pipelinejobs/{catalogue.job(1)['uuid']}" for _ in range(120)]
    statuses = [(await site.ask("GET", path, token="0" * 16)).status for path in many]
    assert statuses[:100] == [401] * 100
    assert statuses[-1] == 429


async def test_old_tokens_and_salts_are_in_no_log_answer_or_audit(site, caplog):
    document = Catalogue().job(1)
    (mine,) = await bring(site, document)
    caplog.set_level(logging.DEBUG)
    answers = [
        await site.ask("GET", mine.path, token=mine.token),
        await site.ask("GET", f"{mine.path}/history", token=mine.token),
        await site.ask("POST", f"{mine.path}/cancel", token=mine.token),
        await site.ask("GET", "/api/users", token=mine.token),
        await site.ask("POST", mine.events, token=mine.token, json={"name": "finalize"}),
    ]
    await site.authority.audit.flush()
    shown = "".join(str(one.body) + str(one.headers) for one in answers) + caplog.text
    shown += "".join(str(record.__dict__) for record in caplog.records)
    shown += repr((await site.store.list_audit(limit=100)).items)
    assert mine.uuid in shown
    assert mine.token not in shown
    assert document["_salt"] not in shown


async def test_introspection_does_not_know_it(site, jobs):
    mine, _ = jobs
    login = await site.login("olga", "operator")
    answer = await site.ask("POST", "/oauth/introspect", token=login, form={"token": mine.token})
    assert answer.json() == {"active": False}
