"""/openapi.json: a sound document with every route, which the server keeps to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from jobpass.compose import init_data, serving
from jobpass.server.openapi import document
from jobpass.server.route import Route
from jobpass.server.routes import ROUTES
from jobpass.wire import paths
from jobpass.wire.problems import TABLE
from support.samples import WEBHOOK_URL, make_things, send
from support.site import PIPELINE, Site

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 15
EMAIL, PASSWORD = "olga@example.org", "correct horse battery staple"


async def shown(site: Site) -> dict[str, Any]:
    answer = await site.ask("GET", "/openapi.json")
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    return answer.json()


async def test_the_document_is_valid_and_has_every_route(quick_site: Site) -> None:
    told = await shown(quick_site)
    OpenAPIV31SpecValidator(told).validate()
    operations = {f"{method.upper()} {path}" for path, methods in told["paths"].items() for method in methods}
    assert operations == {f"{route.method} {route.template}" for route in ROUTES}
    ids = [operation["operationId"] for methods in told["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    assert told == json.loads(json.dumps(document(ROUTES)))


async def test_the_document_tells_who_needs_a_token_and_what_is_refused(quick_site: Site) -> None:
    told = await shown(quick_site)
    assert told["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    statuses = {str(status) for status, _ in TABLE.values()}
    for route in ROUTES:
        operation = told["paths"][route.template][route.method.lower()]
        responses = operation["responses"]
        assert set(responses) - {"200"} <= statuses | ({"400"} if route.contract else set())
        assert {"422", "500", "503"} <= set(responses)
        assert (operation.get("security") == [{"bearer": []}]) is route.bearer
        assert ({"401", "403"} <= set(responses)) is route.bearer
        assert ("requestBody" in operation) is ({"413", "415"} <= set(responses)) is (route.body is not None)
        assert ("404" in responses) >= ("{" in route.template)
        for status in set(responses) - {"200"}:
            assert responses[status]["content"]["application/json"]["schema"] == {
                "$ref": "#/components/schemas/Problem"
            }
        assert [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"] == [
            *route.query
        ]
    for method, path, status in (
        ("post", "/api/pipelinejobs/{uuid}/events", "409"),
        ("post", "/api/pipelinejobs/{uuid}/reset", "409"),
        ("post", "/api/pipelinejobs/{uuid}/cancel", "409"),
        ("post", "/api/login", "429"),
        ("post", "/api/login", "401"),
        ("post", "/api/admin-keys/{id}/collect", "409"),
    ):
        assert status in told["paths"][path][method]["responses"]
    needed = {
        path: methods["post"]["requestBody"]["required"]
        for path, methods in told["paths"].items()
        if "requestBody" in methods.get("post", {})
    }
    assert [path for path, must in needed.items() if not must] == [
        "/api/pipelinejobs/{uuid}/reset",
        "/api/pipelinejobs/{uuid}/token/rotate",
        "/api/pipelinejobs/{uuid}/index",
        "/api/tokens",
        "/api/tokens/revoke",
        "/api/tokens/reopen",
        "/api/tokens/delete",
        "/api/auth/tokens",
        "/api/auth/tokens/revoke",
        "/api/auth/tokens/reopen",
        "/api/auth/tokens/delete",
        "/api/auth/token/generate",
        "/api/auth/token/revoke",
        "/api/auth/token/delete",
        "/api/tokens/contain",
        "/api/apikeys",
        "/api/admin-keys/{id}/revoke",
        "/api/webhooks/{id}/rotate",
        "/api/webhooks/{id}/dead-letters/retry",
    ]


async def test_each_kind_of_token_is_answered_as_described(quick_site: Site) -> None:
    told = await shown(quick_site)
    for route in ROUTES:
        things = await make_things(quick_site)
        described = told["paths"][route.template][route.method.lower()]["responses"]
        for token in (None, "jp_doc_x", things.job.token, await quick_site.admin(), await quick_site.login("bob")):
            answer = await send(quick_site, route, things, token)
            assert str(answer.status) in described, (route.method, route.template, answer.body)


class Known(NamedTuple):
    """A real server, what there is in it, and two login tokens of its operator, one of which may end."""

    url: str
    segments: dict[str, str]
    token: str
    spare: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    """With a pipeline, a job, an author, and a request for an admin key."""
    folder: Path = tmp_path_factory.mktemp("openapi") / "data"
    asyncio.run(init_data(folder, EMAIL, PASSWORD, environ={}))
    loopback = {"JOBPASS_WEBHOOK_NETWORKS": '["127.0.0.0/8"]'}
    with serving(folder, environ=loopback) as url, httpx2.Client(base_url=url) as http:

        def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
            return http.post(path, json=body).raise_for_status().json()

        token, spare = (post("/api/login", {"email": EMAIL, "password": PASSWORD})["token"] for _ in range(2))
        http.headers["authorization"] = f"Bearer {token}"
        pipeline = post("/api/pipelines", PIPELINE)["uuid"]
        segments = {
            "pipelines": pipeline,
            "webhooks": post("/api/webhooks", {"url": WEBHOOK_URL, "pipeline_uuid": pipeline})["id"],
            "jobs": post("/api/pipelinejobs", {"pipeline_uuid": pipeline, "data": {}})["uuid"],
            # One of its own: the other may be canceled on the way.
            "files": post("/api/pipelinejobs", {"pipeline_uuid": pipeline, "data": {"of": "files"}})["uuid"],
            "admin_keys": post("/api/admin-keys", {"use_case": "x", "storage": "y"})["id"],
            "accounts": str(post("/api/users", {"email": "ann@example.org", "password": PASSWORD})["id"]),
            "tokens": str(post("/api/tokens", {})["token_id"]),
            "api_keys": str(post("/api/apikeys", {})["id"]),
            "platforms": post("/api/platforms", {"name": "sim:local"})["name"],
        }
        yield Known(url, segments, token, spare)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_the_server_keeps_to_its_document(server: Known, route: Route) -> None:
    """Requests made from the document, sound and not: never a 5xx, and answers as they are described."""
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    known = server.segments.get(route.handler.__module__.rpartition(".")[2], "")
    bearer = server.spare if route.template == paths.LOGOUT else server.token
    seen: list[int] = []

    @seed(0)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=[*HealthCheck])
    @given(case=schema[route.template][route.method].as_strategy(), use_known=st.booleans())
    def run(case: schemathesis.Case, use_known: bool) -> None:
        if use_known and case.path_parameters:
            case.path_parameters.update(dict.fromkeys(case.path_parameters, known))
        answer = case.call_and_validate(headers={"Authorization": f"Bearer {bearer}"}, checks=CHECKS)
        seen.append(answer.status_code)

    run()
    assert seen
    if route.method == "GET":
        assert 200 in seen
