"""One door: when the decision is always no, nothing opens, on any route and with any token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from jobpass.authority import gate
from jobpass.authority.decide import Denied, Objection
from jobpass.authority.imports import Options
from jobpass.server.route import Route
from jobpass.server.routes import ROUTES
from jobpass.wire import paths
from support.catalogue import Catalogue, lines, old_token
from support.importing import bring
from support.samples import PUBLIC, finished, make_things, send
from support.site import Owned, Site

OPERATORS = ("/api/users", "/api/audit", "/metrics", "/api/apikeys", "/api/platforms")


@pytest.fixture
def deny_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*_arguments: Any, **_more: Any) -> Denied:
        return Denied((Objection("policy", "nothing is allowed"),))

    monkeypatch.setattr(gate, "decide", no)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
async def test_the_samples_are_sound(site: Site, route: Route) -> None:
    """Without the patch each request is answered, so that below it is the decision that refuses."""
    things = await make_things(site)
    if route.template == paths.JOB_RESET or (route.method == "DELETE" and route.template == paths.JOB):
        token = await site.admin()
    elif route.template.startswith(OPERATORS) or route.template.endswith(("/approve", "/deny")):
        token = things.olga
    else:
        token = things.ann
    if route.template.endswith("/collect"):
        approval = {"request_hash": things.key_hash}
        await site.ask("POST", f"/api/admin-keys/{things.key_id}/approve", token=things.olga, json=approval)
    if (route.method, route.template) == ("POST", paths.JOB_INDEX):
        await finished(site, things.job)
    answer = await send(site, route, things, token)
    assert answer.status == 200, answer.body


async def test_nothing_opens(site: Site, request: pytest.FixtureRequest) -> None:
    things = await make_things(site)
    admin = await site.admin()
    document = Catalogue().job(1)
    options = Options(legacy_until=site.clock.now() + timedelta(days=1))
    await bring(site.authority, site.clock, lines([document]), options)
    imported = things._replace(job=Owned(document["uuid"], old_token(document)))
    before = await site.standing(things.job, things.ann), await site.store.find_job(document["uuid"])
    request.getfixturevalue("deny_all")
    for route in ROUTES:
        tokens = [(things, token) for token in (things.ann, things.olga, things.job.token, admin)]
        for among, token in (*tokens, (imported, imported.job.token)):
            answer = await send(site, route, among, token)
            if route.template in PUBLIC:
                assert answer.status == 200, route.template
            else:
                assert answer.status in (401, 403, 404), (route.template, answer.body)
    request.getfixturevalue("monkeypatch").undo()
    after = await site.standing(things.job, things.ann), await site.store.find_job(document["uuid"])
    assert after == before


def test_who_needs_no_token_is_known_by_name() -> None:
    assert {route.template for route in ROUTES if not route.bearer} == PUBLIC
