"""What cannot be read is refused with the field that is wrong; job, history and token stay as they were."""

from __future__ import annotations

import json

import pytest

from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Events
from support.asgi import JSON, Answer
from support.site import BODY_LIMIT_BYTES, PASSWORD, PIPELINE, Site

DEEP = b"[" * 100_000 + b"]" * 100_000


def fields(answer: Answer) -> set[str]:
    """The fields that a 422 names, as ``place.field``."""
    assert answer.status == 422, answer.body
    assert answer.json()["message"] == "Validation error"
    detail = answer.json()["detail"]
    assert detail.pop("code") in ("invalid_input", "unknown_event")
    return {f"{place}.{field}" for place, named in detail.items() for field in named}


EVENT_BODIES: list[tuple[bytes, str]] = [
    (b"", "json._body"),
    (b" \n", "json._body"),
    (b"null", "json._body"),
    (b"[]", "json._body"),
    (b'"run"', "json._body"),
    (b"{", "json._body"),
    (b'{"name":"run"', "json._body"),
    (b'{"name":"run"} x', "json._body"),
    (b'{"name":"run"}{"name":"run"}', "json._body"),
    (b"{'name':'run'}", "json._body"),
    (b'{"name":"run",}', "json._body"),
    (b'\xef\xbb\xbf{"name":"run"}', "json._body"),
    ('{"name":"run"}'.encode("utf-16"), "json._body"),
    (b'{"name":"run","data":"\xff"}', "json._body"),
    (b'{"name":"run","data":"\xed\xa0\x80"}', "json._body"),
    (b'{"name":"run","data":"\xc0\x80"}', "json._body"),
    (b'{"name":"run","data":"a\nb"}', "json._body"),
    (b'{"name":"run","data":"a\0b"}', "json._body"),
    (b'{"name":"run","data":NaN}', "json._body"),
    (b'{"name":"run","data":Infinity}', "json._body"),
    (b'{"name":"run","data":[-Infinity]}', "json._body"),
    (b'{"name":"run","data":01}', "json._body"),
    (b'{"name":"run","data":+1}', "json._body"),
    (b'{"name":"run","data":.5}', "json._body"),
    (b'{"name":"run","data":"\\x41"}', "json._body"),
    (b'{"name":"run\\ud800"}', "json._body"),
    (b"\0" * 100, "json._body"),
    (b"{}", "json.name"),
    (b'{"data":1}', "json.name"),
    (b'{"name":null}', "json.name"),
    (b'{"name":1}', "json.name"),
    (b'{"name":["run"]}', "json.name"),
    (b'{"name":{"$ne":""}}', "json.name"),
    (b'{"name":"run","uuid":"x"}', "json.uuid"),
    (b'{"name":"run","token":"x"}', "json.token"),
    (b'{"name":"run","":1}', "json."),
    (b'{"name":"run","a.b":1}', "json.a.b"),
    (b'{"name":"run","name":"update"}', "json.name"),
    (b'{"name":"update","name":"update"}', "json.name"),
    (b'{"name":"run","\\u006eame":"update"}', "json.name"),
    (b'{"name":"run","data":1,"data":2}', "json.data"),
    (b'{"name":"run","data":{"a":1,"a":2}}', "json.a"),
    (b'{"name":"run","data":{"a":1,"\\u0061":2}}', "json.a"),
    (b'{"name":"run","data":[{"x":[{"b":1,"c":2,"b":1}]}]}', "json.b"),
    (b'{"name":"run","data":' + DEEP[:10_000] + b"}", "json._body"),
    (b'{"name":"run","data":' + b"[" * 65 + b"]" * 65 + b"}", "json._body"),
    (b'{"name":"run","data":' + b'{"a":' * 65 + b"1" + b"}" * 65 + b"}", "json._body"),
    (b"[" * 30_000, "json._body"),
    (b'{"a":' * 10_000, "json.a"),
]


@pytest.mark.parametrize(("body", "field"), EVENT_BODIES)
async def test_a_bad_event_changes_nothing(quick_site: Site, body: bytes, field: str) -> None:
    ann = await quick_site.login("ann")
    job = await quick_site.job(ann)
    before = await quick_site.standing(job, ann)
    answer = await quick_site.ask("POST", job.events, token=job.token, body=body)
    assert fields(answer) == {field}, answer.body
    assert await quick_site.standing(job, ann) == before


async def test_bad_events_on_a_store_that_keeps(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    before = await site.standing(job, ann)
    for body, field in EVENT_BODIES:
        assert fields(await site.ask("POST", job.events, token=job.token, body=body)) == {field}, body[:60]
    assert await site.standing(job, ann) == before


@pytest.mark.parametrize(
    "data",
    [
        b"null",
        b'""',
        b'"\\u0000"',
        b'"\\u0000 \\ud83e\\udd86 \xf0\x9f\xa6\x86"',
        b"9" * 400,
        b"-" + b"9" * 400 + b"." + b"9" * 400 + b"e-999",
        b"1e999",
        b"1.10",
        b"-0",
        b"[" * 64 + b"]" * 64,
        b'{"a:b":{"c:d":"e:f"},"g":[1,{"a:b":2}]}',
        b'{ "spaces" : [ 1 , 2 ] }',
        b'{"":1}',
        b'{"$where":"1","__proto__":{},"constructor":null}',
        b"true",
    ],
)
async def test_odd_data_are_kept_as_they_came(site: Site, data: bytes) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    answer = await site.ask("POST", job.events, token=job.token, body=b'{"data": ' + data + b' , "name":"update"}')
    assert answer.status == 200, answer.body
    history = await site.ask("GET", f"{job.path}/history", token=job.token)
    assert b'"data":' + data + b',"at"' in history.body
    assert (await site.ask("GET", f"{job.path}/verify", token=job.token)).json()["intact"] is True


@pytest.mark.parametrize("path", ["/api/login", "/api/pipelines", "/api/pipelinejobs", "events"])
async def test_every_body_is_read_strictly(quick_site: Site, path: str) -> None:
    ann = await quick_site.login("ann")
    job = await quick_site.job(ann)
    before = await quick_site.standing(job, ann)
    target = job.events if path == "events" else path
    for body in (
        b"",
        b"[]",
        b"x",
        b"\xff",
        b'{"name":"a","name":"b"}',
        b'{"email":NaN}',
        DEEP[:60_000],
        b'{"id":"\\ud800"}',
    ):
        answer = await quick_site.ask("POST", target, token=ann, body=body)
        assert answer.status == 422, (body[:40], answer.body)
    assert await quick_site.standing(job, ann) == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"pipeline_uuid": None}, "json.pipeline_uuid"),
        ({"pipeline_uuid": "x"}, "json.pipeline_uuid"),
        ({"pipeline_uuid": "x" * 65}, "json.pipeline_uuid"),
        ({"data": []}, "json.data"),
        ({"data": None}, "json.data"),
        ({"data": "x"}, "json.data"),
        ({"child_of": "x"}, "json.child_of"),
        ({"child_of": ["x"]}, "json.child_of"),
        ({"child_of": [None]}, "json.child_of[0]"),
        ({"child_of": [""]}, "json.child_of[0]"),
        ({"child_of": ["x" * 257]}, "json.child_of[0]"),
        ({"child_of": ["x"] * 1001}, "json.child_of"),
        ({"lifecycle": "PIPELINE"}, "json.lifecycle"),
        ({"lifecycle": None}, "json.lifecycle"),
        ({"lifecycle": "x" * 65}, "json.lifecycle"),
        ({"archive_path": 1}, "json.archive_path"),
        ({"make_archive_path": 1}, "json.make_archive_path"),
        ({"make_archive_path": None}, "json.make_archive_path"),
        ({"archive_path": "a\0b"}, "json.archive_path"),
        ({"archive_path": "x" * 4097}, "json.archive_path"),
        ({"session": "x" * 257}, "json.session"),
        ({"user_id": 1}, "json.user_id"),
        ({"uuid": "x"}, "json.uuid"),
        ({"token": "x"}, "json.token"),
    ],
)
async def test_a_job_that_cannot_be(quick_site: Site, change: dict[str, object], field: str) -> None:
    ann = await quick_site.login("ann")
    wanted = {"pipeline_uuid": await quick_site.pipeline(ann), "data": {}} | change
    answer = await quick_site.ask("POST", "/api/pipelinejobs", token=ann, json=wanted)
    assert fields(answer) == {field}
    assert (await quick_site.ask("GET", "/api/pipelinejobs", token=ann)).json()["jobs"] == []


async def test_job_data_whose_uuid_cannot_be_told(quick_site: Site) -> None:
    ann = await quick_site.login("ann")
    start = b'{"pipeline_uuid":"%b","data":{"x":' % (await quick_site.pipeline(ann)).encode()
    for number in (b"9" * 5000, b"1e999"):
        answer = await quick_site.ask("POST", "/api/pipelinejobs", token=ann, body=start + number + b"}}")
        assert fields(answer) == {"json.data"}
    kept = await quick_site.ask("POST", "/api/pipelinejobs", token=ann, body=start + b"9" * 400 + b"}}")
    assert kept.status == 200
    assert b'"data":{"x":' + b"9" * 400 + b"}" in kept.body


@pytest.mark.parametrize("missing", ["id", "name", "components", "processing_levels"])
async def test_a_pipeline_that_is_not_whole(quick_site: Site, missing: str) -> None:
    ann = await quick_site.login("ann")
    members = {name: value for name, value in PIPELINE.items() if name != missing}
    assert fields(await quick_site.ask("POST", "/api/pipelines", token=ann, json=members)) == {f"json.{missing}"}
    wrong = PIPELINE | {missing: 7}
    assert fields(await quick_site.ask("POST", "/api/pipelines", token=ann, json=wrong)) == {f"json.{missing}"}


async def test_a_pipeline_of_another_uuid(quick_site: Site) -> None:
    ann = await quick_site.login("ann")
    answer = await quick_site.ask("POST", "/api/pipelines", token=ann, json=PIPELINE | {"uuid": "x"})
    assert fields(answer) == {"json.uuid"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "ann@example.org"}, "json.password"),
        ({"password": PASSWORD}, "json.email"),
        ({"email": 1, "password": PASSWORD}, "json.email"),
        ({"email": "x" * 255, "password": PASSWORD}, "json.email"),
        ({"email": "ann@example.org", "password": "x" * 1025}, "json.password"),
        ({"email": "ann@example.org", "password": PASSWORD, "remember": True}, "json.remember"),
    ],
)
async def test_a_login_that_cannot_be(quick_site: Site, body: dict[str, object], field: str) -> None:
    await quick_site.login("ann")
    answer = await quick_site.ask("POST", "/api/login", json=body)
    assert fields(answer) == {field}
    assert PASSWORD.encode() not in answer.body


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "query.limit"),
        ("limit=1001", "query.limit"),
        ("limit=-1", "query.limit"),
        ("limit=", "query.limit"),
        ("limit=1.0", "query.limit"),
        ("limit=%EF%BC%91", "query.limit"),
        ("limit=" + "9" * 500, "query.limit"),
        ("limit=1&limit=1", "query.limit"),
        ("after=-1", "query.after"),
        ("after=x", "query.after"),
        ("after=%00", "query.after"),
        ("after=99999999999999999999", "query.after"),
        ("after=" + "9" * 5000, "query.after"),
        ("Limit=1", "query.Limit"),
        ("token=x", "query.token"),
        ("access_token=x", "query.access_token"),
        ("%ff=1", "query._query"),
        ("&".join(f"a{n}=1" for n in range(100)), "query._query"),
    ],
)
async def test_a_query_is_read_strictly(quick_site: Site, query: str, field: str) -> None:
    ann = await quick_site.login("ann")
    job = await quick_site.job(ann)
    assert fields(await quick_site.ask("GET", f"{job.path}/history?{query}", token=ann)) == {field}
    for path in ("/api/pipelinejobs", "/api/pipelines"):
        assert fields(await quick_site.ask("GET", f"{path}?{query}", token=ann)) == {field}, path


async def test_more_queries(quick_site: Site) -> None:
    ann = await quick_site.login("ann")
    job = await quick_site.job(ann)
    refused = await quick_site.ask("GET", "/api/pipelinejobs?pipeline_uuid=x&state=%00", token=ann)
    assert "query.state" in fields(refused)
    assert fields(await quick_site.ask("GET", "/api/pipelinejobs?pipeline_uuid=x", token=ann)) == {
        "query.pipeline_uuid"
    }
    for method, path in (("GET", job.path), ("POST", job.events), ("GET", "/health"), ("GET", "/api/me")):
        answer = await quick_site.ask(method, f"{path}?a=1&b=", token=ann, json={"name": "run"})
        assert fields(answer) == {"query.a", "query.b"}
    assert (await quick_site.ask("GET", f"{job.path}?token={job.token}")).status == 401
    echoed = await quick_site.ask("GET", f"{job.path}?{job.token}=1", token=ann)
    assert echoed.status == 422
    assert job.token[7:].encode() not in echoed.body


async def test_bodies_of_another_type(quick_site: Site) -> None:
    ann = await quick_site.login("ann")
    job = await quick_site.job(ann)
    before = await quick_site.standing(job, ann)
    body = b'{"name":"run"}'
    for types in (
        [b"text/plain"],
        [b"application/jsonx"],
        [b"application/json; charset=latin-1"],
        [b"application/x-www-form-urlencoded"],
        [b""],
        [b"\xff"],
        [b"application/json", b"application/json"],
    ):
        headers = [(b"content-type", value) for value in types]
        answer = await quick_site.ask("POST", job.events, token=job.token, body=body, headers=headers)
        assert (answer.status, answer.code) == (415, "wrong_content_type"), types
    bare = {"type": "http", "method": "POST", "path": job.events, "query_string": b"", "client": None}
    bare["headers"] = [(b"authorization", b"Bearer " + job.token.encode())]
    assert (await quick_site.ask.raw(bare, body)).status == 415
    assert (await quick_site.ask.raw(bare, b"")).status == 422
    assert await quick_site.standing(job, ann) == before
    for value in (b"application/json; charset=utf-8", b"Application/JSON", b'application/json;charset="UTF-8"'):
        headers = [(b"content-type", value)]
        event = b'{"name":"update"}'
        assert (await quick_site.ask("POST", job.events, token=job.token, body=event, headers=headers)).status == 200


async def test_a_body_too_large(quick_site: Site) -> None:
    ann = await quick_site.login("ann")
    job = await quick_site.job(ann)
    start, end = b'{"name":"update","data":"', b'"}'

    def body(size: int) -> bytes:
        return start + b"x" * (size - len(start) - len(end)) + end

    assert (await quick_site.ask("POST", job.events, token=job.token, body=body(BODY_LIMIT_BYTES))).status == 200
    before = await quick_site.standing(job, ann)
    for size in (BODY_LIMIT_BYTES + 1, 1_000_000, 20_000_000):
        for chunk_bytes in (1 << 16, 1 << 30):
            answer = await quick_site.ask("POST", job.events, token=job.token, body=body(size), chunk_bytes=chunk_bytes)
            assert (answer.status, answer.code) == (413, "too_large")
            assert answer.json()["detail"]["limit_bytes"] == BODY_LIMIT_BYTES
            assert answer.header("connection") == "close"
    assert (await quick_site.ask("POST", job.events, token="jp_doc_x", body=body(1_000_000))).status == 401
    assert (await quick_site.ask("POST", job.events, token=job.token, body=b"")).header("connection") is None
    assert await quick_site.standing(job, ann) == before


@pytest.mark.parametrize("key", [b"", b" ", b"a b", b"\xc3\xa9", b"a\x7f", b"a\0", b"x" * 256, b"\xff", "🦆".encode()])
async def test_idempotency_keys_that_cannot_be(quick_site: Site, key: bytes) -> None:
    ann = await quick_site.login("ann")
    job = await quick_site.job(ann)
    before = await quick_site.standing(job, ann)
    headers = [(b"idempotency-key", key)]
    answer = await quick_site.ask("POST", job.events, token=job.token, json={"name": "run"}, headers=headers)
    assert fields(answer) == {"header.Idempotency-Key"}
    twice = [(b"idempotency-key", b"k"), (b"idempotency-key", b"k")]
    answer = await quick_site.ask("POST", job.events, token=job.token, json={"name": "run"}, headers=twice)
    assert fields(answer) == {"header.Idempotency-Key"}
    assert await quick_site.standing(job, ann) == before


async def test_headers_that_are_hard_to_read(quick_site: Site) -> None:
    ann = await quick_site.login("ann")
    good = b"Bearer " + ann.encode()
    for value in (
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer \xff",
        b"Bearer " + "ａ".encode(),
        b"Bearer a b",
        good + b" x",
        good + b"\0",
        b"Bearer\t" + ann.encode(),
        b"Bearer " + b"x" * 1_000_000,
        b"\0" * 10,
        good + b"," + good,
    ):
        answer = await quick_site.ask("GET", "/api/me", headers=[(b"authorization", value)])
        assert answer.status == 401, value[:40]
    two = [(b"authorization", good), (b"authorization", good)]
    assert (await quick_site.ask("GET", "/api/me", headers=two)).status == 401
    for value in (good, b"bearer " + ann.encode(), b"BEARER   " + ann.encode()):
        headers = [(b"authorization", value), (b"x-odd", b"\xff\0"), (b"x-odd", b"2")]
        assert (await quick_site.ask("GET", "/api/me", headers=headers)).status == 200, value[:10]
    assert (await quick_site.ask("GET", "/api/me", headers=[(b"cookie", b"token=" + ann.encode())])).status == 401


async def test_a_token_for_one_job_with_another_in_the_body(quick_site: Site) -> None:
    ann = await quick_site.login("ann")
    job, other = await quick_site.job(ann), await quick_site.job(ann, n=2)
    before = await quick_site.standing(other, ann)
    body = {"name": "run", "data": {"uuid": other.uuid, "user_id": 1, "token": other.token}}
    answer = await quick_site.ask("POST", job.events, token=job.token, json=body)
    assert (answer.status, answer.json()["uuid"]) == (200, job.uuid)
    assert await quick_site.standing(other, ann) == before


async def test_an_attenuated_token_stays_attenuated(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    narrow = attenuate(job.token, [Events(("update",))])
    headers = [(b"idempotency-key", b"once"), JSON]
    body = json.dumps({"name": "update"}).encode()
    first = await site.ask("POST", job.events, token=narrow, body=body, headers=headers)
    assert first.json()["token"] == narrow
    by_owner = await site.ask("POST", job.events, token=ann, body=body, headers=headers)
    assert by_owner.json() == first.json() | {"token": job.token}
    again = await site.ask("POST", job.events, token=narrow, body=body, headers=headers)
    assert again.json() == first.json()
