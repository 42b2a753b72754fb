"""Each class of error over HTTP, with its status, code and headers; what was refused changed nothing."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from jobpass import errors
from jobpass.clock import to_microseconds
from jobpass.server.routes import ROUTES
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Events, ExpiresAt
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mint import mint_credential, mint_document
from jobpass.wire.problems import TABLE
from support.asgi import Answer
from support.site import PASSWORD, PIPELINE, Site

INVALID = {"error": "The token is not valid.", "detail": {"code": "invalid_token"}}


def filled(template: str) -> str:
    """The path of a template, with what nobody knows in its blank."""
    return re.sub(r"\{\w+\}", "10700000-0000-5000-8000-000000000000", template)


def plain(answer: Answer) -> tuple[int, dict[str, object]]:
    """Status and body without what differs from request to request."""
    body = answer.json()
    assert body.pop("request_id") == answer.header("x-request-id")
    return answer.status, body


def check_problem(answer: Answer, error: type[errors.Error]) -> None:
    """The one look of all refusals."""
    status, code = TABLE[error]
    assert (answer.status, answer.code) == (status, code), answer.body
    assert answer.header("content-type") == "application/json"
    assert set(answer.json()) <= {"error", "detail", "request_id", "message"}
    assert answer.json()["error"]
    assert ("message" in answer.json()) == (status == 422)


async def test_every_kind_of_bad_token_looks_the_same(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    before = await site.standing(job, ann)
    other_house = Keyring.generate(b"\1\2\3\4", bytes(range(32)))
    kid = site.keyring.signing_kid
    bad = {
        "malformed": "jp_doc_x",
        "of no kind": "x",
        "empty": "",
        "forged": job.token[:-2] + ("A" if job.token[-2] != "A" else "B") + job.token[-1],
        "of another house": mint_document(other_house, "01020304", job.uuid, 5),
        "of another serial": mint_document(site.keyring, kid, job.uuid, 5),
        "expired": attenuate(job.token, [ExpiresAt(to_microseconds(site.clock.at) // 1_000_000)]),
        "without record": mint_credential(site.keyring, "login", "0" * 32),
        "of a kind not in use": mint_credential(site.keyring, "job", "0" * 32),
    }
    for what, text in bad.items():
        answer = await site.ask("POST", job.events, token=text, json={"name": "run"})
        assert plain(answer) == (401, INVALID), what
        assert answer.header("www-authenticate") == 'Bearer error="invalid_token"', what
    assert await site.standing(job, ann) == before


async def test_no_token_at_all_is_asked_for_one(site: Site) -> None:
    for headers in ([], [(b"authorization", b"Basic YTpi")], [(b"authorization", b"jp_doc_x")]):
        answer = await site.ask("GET", "/api/pipelinejobs", headers=headers)
        assert plain(answer) == (401, INVALID)
        assert answer.header("www-authenticate") == "Bearer"


async def test_a_login_token_ends_by_time_and_by_logout(site: Site) -> None:
    ann = await site.login("ann")
    site.clock.advance(timedelta(hours=12).total_seconds() - 1)
    assert (await site.ask("GET", "/api/me", token=ann)).status == 200
    site.clock.advance(1)
    assert plain(await site.ask("GET", "/api/me", token=ann)) == (401, INVALID)
    again = await site.login("ann")
    await site.ask("POST", "/api/logout", token=again)
    assert plain(await site.ask("GET", "/api/me", token=again)) == (401, INVALID)


async def test_a_failed_login_does_not_say_why(site: Site) -> None:
    await site.login("ann")
    wrong = await site.ask("POST", "/api/login", json={"email": "ann@example.org", "password": "not the password"})
    unknown = await site.ask("POST", "/api/login", json={"email": "nobody@example.org", "password": PASSWORD})
    check_problem(wrong, errors.LoginFailed)
    assert plain(wrong) == plain(unknown)
    assert wrong.header("www-authenticate") is None


async def test_denied_tells_every_reason(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    before = await site.standing(job, ann)
    narrow = attenuate(job.token, [Events(("update",))])
    answer = await site.ask("POST", job.events, token=narrow, json={"name": "reset"})
    check_problem(answer, errors.Denied)
    assert len(answer.json()["detail"]["reasons"]) == 2
    assert answer.header("www-authenticate") is None
    assert await site.standing(job, ann) == before


async def test_a_document_token_opens_only_what_is_about_its_job(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    before = await site.standing(job, ann)
    wanted = {"pipeline_uuid": await site.pipeline(ann), "data": {"more": 1}}
    for method, path, body in (
        ("GET", "/api/me", None),
        ("GET", "/api/pipelines", None),
        ("POST", "/api/logout", None),
        ("POST", "/api/pipelines", PIPELINE | {"id": "another"}),
        ("POST", "/api/pipelinejobs", wanted),
    ):
        answer = await site.ask(method, path, token=job.token, json=body)
        assert answer.status == 403, path
    assert len((await site.ask("GET", "/api/pipelinejobs", token=ann)).json()["jobs"]) == 1
    assert len((await site.ask("GET", "/api/pipelines", token=ann)).json()["pipelines"]) == 1
    assert await site.standing(job, ann) == before


async def test_a_hidden_job_and_an_unknown_one_answer_the_same(site: Site) -> None:
    ann, bob = await site.login("ann"), await site.login("bob")
    job, other = await site.job(ann), await site.job(ann, n=2)
    unknown = f"107{'0' * 5}-0000-5000-8000-{'0' * 12}"
    before = await site.standing(job, ann)
    request_id = [(b"x-request-id", b"the-same")]
    for token in (other.token, bob):
        for method, ending, body in (
            ("POST", "/events", {"name": "run"}),
            ("POST", "/events", {"name": "no such event"}),
            ("POST", "/events", {"name": "reset"}),
            ("GET", "", None),
            ("GET", "/history", None),
            ("GET", "/verify", None),
        ):
            seen = []
            for uuid in (job.uuid, unknown):
                path = f"/api/pipelinejobs/{uuid}{ending}"
                answer = await site.ask(method, path, token=token, json=body, headers=request_id)
                check_problem(answer, errors.UnknownJob)
                seen.append((answer.status, answer.headers, answer.body.replace(uuid.encode(), b"")))
            assert seen[0] == seen[1], (method, ending)
    assert await site.standing(job, ann) == before


@pytest.mark.parametrize(
    "segment", ["x", "%00", "1" * 36, "%F0%9F%A6%86", "A" * 10_000, "..", "%2e%2e%2fx", "{uuid}", "107%0a"]
)
async def test_what_cannot_be_a_uuid_is_an_unknown_job(quick_site: Site, segment: str) -> None:
    ann = await quick_site.login("ann")
    for method, ending in (("GET", ""), ("GET", "/history"), ("GET", "/verify"), ("POST", "/events")):
        answer = await quick_site.ask(
            method, f"/api/pipelinejobs/{segment}{ending}", token=ann, json={"name": "run"} if ending else None
        )
        assert answer.status == 404, answer.body
        assert len(answer.body) < 500
    assert (await quick_site.ask("GET", f"/api/pipelines/{segment}", token=ann)).status == 404


async def test_an_unknown_pipeline(site: Site) -> None:
    ann = await site.login("ann")
    for uuid in ("10600000-0000-5000-8000-000000000000", "x"):
        check_problem(await site.ask("GET", f"/api/pipelines/{uuid}", token=ann), errors.UnknownPipeline)
    wanted = {"pipeline_uuid": "10600000-0000-5000-8000-000000000000", "data": {}}
    answer = await site.ask("POST", "/api/pipelinejobs", token=ann, json=wanted)
    check_problem(answer, errors.InvalidInput)
    assert list(answer.json()["detail"]["json"]) == ["pipeline_uuid"]


@pytest.mark.parametrize(
    "path",
    ["/", "//", "/api", "/api/", "/api/login/x", "/API/login", "/api/login%0A", "/api/pipelinejobs/a/b/c", "*", ""],
)
async def test_an_unknown_route_needs_no_token(quick_site: Site, path: str) -> None:
    check_problem(await quick_site.ask("GET", path), errors.UnknownRoute)


async def test_a_wrong_method_comes_before_the_token(quick_site: Site) -> None:
    templates = {route.template for route in ROUTES}
    for template in templates:
        path = filled(template)
        methods = {route.method for route in ROUTES if route.template == template}
        for method in {"PUT", "DELETE", "OPTIONS", "BREW", "get"} - methods:
            answer = await quick_site.ask(method, path)
            check_problem(answer, errors.WrongMethod)
            allowed = {route.method for route in ROUTES if route.template == template}
            allowed |= {"HEAD"} if "GET" in allowed else set()
            assert set((answer.header("allow") or "").split(", ")) == allowed


async def test_every_route_but_health_and_login_needs_a_token(quick_site: Site) -> None:
    open_to_all = set()
    for route in ROUTES:
        path = filled(route.template)
        answer = await quick_site.ask(route.method, path, body=b"not even JSON")
        if answer.status != 401:
            open_to_all.add(route.template)
    assert open_to_all == {"/api/login", "/api/platforms/public", "/health", "/ready", "/openapi.json"}


async def test_an_illegal_transition_tells_the_legal_ones(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    before = await site.standing(job, ann)
    answer = await site.send(job, "finish")
    check_problem(answer, errors.IllegalTransition)
    detail = answer.json()["detail"]
    assert (detail["event"], detail["state"]) == ("finish", "CREATED")
    assert {"run", "update", "resource", "fail"} <= set(detail["legal"])
    assert await site.standing(job, ann) == before


async def test_an_event_that_the_lifecycle_does_not_know(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    before = await site.standing(job, ann)
    for name in ("RUN", "run ", "ｒｕｎ", "", "run\0", "x" * 50_000, "$ne"):
        answer = await site.send(job, name)
        assert answer.status == 422, name[:20]
        assert list(answer.json()["detail"]["json"]) == ["name"]
    check_problem(await site.send(job, "RUN"), errors.UnknownEvent)
    assert await site.standing(job, ann) == before


async def test_the_same_job_with_other_parameters(site: Site) -> None:
    ann, bob = await site.login("ann"), await site.login("bob")
    job = await site.job(ann)
    before = await site.standing(job, ann)
    wanted = {"pipeline_uuid": await site.pipeline(ann), "data": {}}
    for token, more in (
        (bob, {}),
        (ann, {"archive_path": "/x"}),
        (ann, {"session": "s"}),
        (ann, {"lifecycle": "compute"}),
    ):
        answer = await site.ask("POST", "/api/pipelinejobs", token=token, json=wanted | more)
        check_problem(answer, errors.JobExists)
        assert b"jp_" not in answer.body
    assert await site.standing(job, ann) == before


@pytest.mark.parametrize("path", ["/lab", "/lab/a", "//lab///a/", "/lab/a/b"])
async def test_somebody_elses_directory_is_not_given(site: Site, path: str) -> None:
    ann, bob = await site.login("ann"), await site.login("bob")
    wanted = {"pipeline_uuid": await site.pipeline(ann), "archive_system": "lab"}
    first = wanted | {"data": {"n": 1}, "archive_path": "/lab/a"}
    made = (await site.ask("POST", "/api/pipelinejobs", token=ann, json=first)).json()
    second = wanted | {"data": {"n": 2}, "archive_path": path}
    answer = await site.ask("POST", "/api/pipelinejobs", token=bob, json=second)
    check_problem(answer, errors.JobExists)
    assert (answer.json()["detail"]["field"], answer.json()["detail"]["code"]) == ("archive_path", "job_exists")
    assert made["uuid"].encode() not in answer.body
    assert b"jp_" not in answer.body
    assert (await site.ask("GET", "/api/pipelinejobs", token=bob)).json()["jobs"] == []
    assert (await site.ask("POST", "/api/pipelinejobs", token=ann, json=second)).status == 200
    again = await site.ask("POST", "/api/pipelinejobs", token=ann, json=first)
    assert (again.status, again.json()["token"]) == (200, made["token"])


async def test_somebody_elses_pipeline_is_not_changed(site: Site) -> None:
    ann, bob = await site.login("ann"), await site.login("bob")
    uuid = await site.pipeline(ann)
    before = (await site.ask("GET", f"/api/pipelines/{uuid}", token=ann)).body
    check_problem(
        await site.ask("POST", "/api/pipelines", token=bob, json=PIPELINE | {"name": "Mine"}), errors.AlreadyExists
    )
    assert (await site.ask("GET", f"/api/pipelines/{uuid}", token=ann)).body == before


async def test_a_closed_store_is_503_and_says_no_more(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    await site.authority.close()
    for answer in (
        await site.send(job, "run"),
        await site.ask("GET", job.path, token=job.token),
        await site.ask("GET", "/ready"),
    ):
        check_problem(answer, errors.StoreUnavailable)
        assert answer.header("retry-after") == "1"
    assert "the store is unavailable" in caplog.text
    assert (await site.ask("GET", "/health")).status == 200


async def test_what_nobody_foresaw_is_500_without_the_inside(
    quick_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_call: object) -> None:
        raise ZeroDivisionError("the secret inside")

    route = next(route for route in ROUTES if route.template == "/health")
    from jobpass.server.app import App
    from jobpass.server.route import Route, Router

    app = App(
        quick_site.authority, Router((Route("GET", route.template, broken, "", None, bearer=False),)), "test", 100
    )
    quick_site.ask.app = app
    answer = await quick_site.ask("GET", "/health")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert b"inside" not in answer.body
    assert answer.json()["request_id"] == caplog.records[-1].request_id
    assert "the secret inside" in caplog.text
