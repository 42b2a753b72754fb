"""The stores, in process and over HTTP, with the vectors that were taken from the original."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from transitions import MachineError

from datacatalog.linkedstores.pipeline import DuplicatePipelineError, PipelineStore, PipelineUpdateFailure
from datacatalog.linkedstores.pipelinejob import DuplicateJobError, PipelineJobStore, UnknownJob, UnknownPipeline
from datacatalog.mongo import ConnectionFailure, db_connection, encode_connection_string
from datacatalog.tokens.exceptions import InvalidAdminToken, InvalidToken
from support.catalog import PIPELINE, Place

VECTORS = json.loads(Path(__file__).parents[2].joinpath("vectors/datacatalog.json").read_text())
WAYS_TO = {
    "CREATED": [],
    "RUNNING": ["run"],
    "FAILED": ["fail"],
    "FINISHED": ["run", "finish"],
    "INDEXING": ["run", "finish", "index"],
    "VALIDATING": ["run", "finish", "validate"],
    "VALIDATED": ["run", "finish", "validate", "validated"],
    "REJECTED": ["run", "finish", "validate", "reject"],
    "FINALIZED": ["run", "finish", "validate", "validated", "finalize"],
    "RETIRED": ["fail", "retire"],
    "RESET": ["reset"],
}


def description(place: Place, **more: Any) -> dict[str, Any]:
    return {"pipeline_uuid": place.pipelines["pipeline_uuid"], "child_of": [], "data": {}} | more


@pytest.mark.parametrize("state", WAYS_TO)
def test_every_pair_of_state_and_event_is_as_it_was(place: Place, state: str) -> None:
    store, admin = PipelineJobStore(place.mongodb), place.admin()
    cases = [case for case in VECTORS["fsm"] if case["state"] == state]
    assert len(cases) == 15
    for case in cases:
        made = place.job()
        for event in WAYS_TO[state]:
            assert store.handle({"uuid": made.uuid, "name": event}, admin)["state"]
        event = {"uuid": made.uuid, "name": case["event"]}
        if case["refused"]:
            with pytest.raises(MachineError) as refused:
                store.handle(event, admin)
            assert str(refused.value) == case["error"]
            assert store.find_one_by_uuid(made.uuid)["state"] == state
        else:
            assert store.handle(event, admin)["state"] == case["new_state"]


def test_uuids_of_jobs_are_as_they_were(place: Place) -> None:
    store = PipelineJobStore(place.mongodb)
    for case in VECTORS["job_uuids"]:
        given = {name: case[name] for name in ("pipeline_uuid", "child_of", "data")}
        assert store.get_typeduuid(given) == case["uuid"]


def test_uuids_of_pipelines_are_as_they_were(place: Place) -> None:
    store = PipelineStore(place.mongodb)
    for case in VECTORS["pipeline_uuids"]:
        given = {"id": case["id"], "components": case["components"], "name": "x", "processing_levels": ["1"]}
        assert store.get_typeduuid(given) == case["uuid"]
        assert store.add_update_document(given)["uuid"] == case["uuid"]


def test_a_made_job_has_the_uuid_that_was_computed(place: Place) -> None:
    store = PipelineJobStore(place.mongodb)
    given = description(place, data={"a": [1, {"ü": None}]}, child_of=["102e95e6-67a8-5a06-9484-3131c6907890"])
    assert store.create(given)["uuid"] == store.uuid_from_properties(given)


def test_a_job_has_all_members_and_no_salt(place: Place) -> None:
    store = PipelineJobStore(place.mongodb)
    given = description(
        place,
        data={"all": "members"},
        archive_path="/products/v2/members",
        archive_system="data-sd2e-community",
        archive_patterns=[{"processing_level": "1", "patterns": [".csv$"]}],
        product_patterns=[".xls$"],
        session="brave-ant",
        agent="an agent",
        task="a task",
        acted_on=["105fb204-530b-5915-9fd6-caf88ca9ad8a"],
        acted_using=["1096522e-6e2a-5031-b287-9d522e73c5e8"],
    )
    made = store.create(given)
    token = made["token"]
    store.handle({"uuid": made["uuid"], "name": "run", "data": {"a": 1}}, token)
    found = store.find_one_by_uuid(made["uuid"])
    for name in given:
        assert found[name] == given[name], name
    assert found["generated_by"] == [place.pipelines["pipeline_uuid"]]
    assert (found["state"], found["last_event"], found["_visible"]) == ("RUNNING", "run", True)
    assert found["_properties"]["revision"] == 1
    assert found["_properties"]["source"] == "testing"
    assert found["_admin"]["project"] == "SD2E-Community"
    assert found["token"] is None
    assert not {"_salt", "_id", "_update_token"} & found.keys()
    now = datetime.now(UTC).replace(tzinfo=None)
    assert now - timedelta(minutes=5) < found["updated"] <= now
    assert found["updated"].microsecond == 0
    first, second = found["history"]
    assert (first["name"], first["data"]) == ("create", given["data"])
    assert (second["name"], second["data"]) == ("run", {"a": 1})
    assert second["uuid"].startswith("108")
    assert set(second) == {"date", "data", "name", "uuid"}


def test_the_history_is_read_by_pages(place: Place) -> None:
    store, made = PipelineJobStore(place.mongodb), place.job()
    for number in range(150):
        answer = store.handle({"uuid": made.uuid, "name": "update", "data": number}, made.token)
    history = answer["history"]
    assert len(history) == 151
    assert [event["data"] for event in history][1:] == list(range(150))
    assert history[-1]["data"] == 149
    assert history[1]["data"] == 0
    assert [event["data"] for event in history[-2:]] == [148, 149]
    assert history == list(history)
    assert [event["data"] for event in store.history(made.uuid, limit=2, skip=100)] == [99, 100]
    assert len(store.history(made.uuid)) == 151
    with pytest.raises(IndexError):
        history[151]
    store.handle({"uuid": made.uuid, "name": "update"}, made.token)
    assert len(history) == 151
    with pytest.raises(UnknownJob):
        store.history("1071269f-b251-5a5f-bec1-6d7f77131f3f")


def test_an_answer_is_a_dictionary_in_every_way(place: Place) -> None:
    made = place.job()
    names = dict(made.run()).keys()
    assert {"uuid", "state", "data", "history", "archive_path", "_admin"} <= names

    def fresh() -> Any:
        return made.update()

    assert isinstance(fresh(), dict)
    assert isinstance(fresh(), Mapping)
    assert {**fresh()}.keys() == names
    assert len(fresh()) == len(names)
    assert "archive_path" in fresh()
    assert "_salt" not in fresh()
    assert set(fresh()) == set(names)
    assert fresh().get("session") == made.session
    assert fresh().get("nothing", 7) == 7
    assert fresh()["pipeline_uuid"] == made.pipeline_uuid
    assert json.loads(json.dumps(fresh(), default=str))["uuid"] == made.uuid
    assert (fresh() | {"more": 1}).keys() == names | {"more"}
    assert ({"more": 1} | fresh()).keys() == names | {"more"}
    assert bool(fresh()) is True
    answer = fresh()
    assert answer == dict(answer)
    assert answer != {}
    for copied in (answer.copy(), copy.copy(answer), copy.deepcopy(answer)):
        assert type(copied) is dict
        assert copied == answer
    assert dict(answer.items())["uuid"] == made.uuid
    with pytest.raises(KeyError):
        answer["nothing"]
    assert fresh().pop("data") == made.data
    assert fresh().setdefault("data", 1) == made.data


def test_an_answer_shows_no_token_and_is_not_pickled(place: Place) -> None:
    answer = place.job().run()
    assert str(answer["token"]).startswith("jp_doc_")
    for shown in (repr(answer), str(answer), f"{answer}", repr(answer.copy()), repr(answer["history"])):
        assert "jp_doc_A" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(answer)


@pytest.mark.parametrize(
    "uuid", [{"$ne": None}, None, 7, ["x"], "", "..", "1071269f-b251-5a5f-bec1-6d7f77131f3f", "\0"]
)
def test_what_is_no_job_is_unknown(place: Place, uuid: Any) -> None:
    made = place.job()
    with pytest.raises(UnknownJob):
        PipelineJobStore(place.mongodb).handle({"uuid": uuid, "name": "run"}, made.token)


def test_names_that_are_no_events(place: Place) -> None:
    store, made = PipelineJobStore(place.mongodb), place.job()
    for name in ("may_reset", "trigger", "states", "", "updated", "run ", "ｒｕｎ", "Kreate", None, 3):
        with pytest.raises(KeyError):
            store.handle({"uuid": made.uuid, "name": name}, made.token)
    with pytest.raises(KeyError, match="name"):
        store.handle({"uuid": made.uuid}, made.token)
    assert store.find_one_by_uuid(made.uuid)["history"][0]["name"] == "create"
    assert len(store.history(made.uuid)) == 1


def test_data_of_an_event(place: Place) -> None:
    store, made = PipelineJobStore(place.mongodb), place.job()

    def kept(data: Any) -> Any:
        return store.handle({"uuid": made.uuid, "name": "update", "data": data}, made.token)["history"][-1]["data"]

    for data in (None, 0, "text", [1, {"a": None}], {}, {"ü": "\0"}, 10**30):
        assert kept(data) == data
    assert kept({"Job is now running!"}) == ["Job is now running!"]
    assert kept({"at": datetime(2026, 1, 2, tzinfo=UTC)}) == {"at": "2026-01-02T00:00:00+00:00"}
    for data in (object(), {"a": b"bytes"}, float("nan")):
        with pytest.raises(TypeError):
            kept(data)


def test_making_a_job_that_cannot_be(place: Place) -> None:
    store = PipelineJobStore(place.mongodb)
    given = description(place)
    with pytest.raises(AttributeError):
        store.create({name: value for name, value in given.items() if name != "data"})
    with pytest.raises(KeyError, match="child_of"):
        store.create({name: value for name, value in given.items() if name != "child_of"})
    for unknown in ("106bd127-e2d2-57ac-b9be-11ed06042e68", None, {"$ne": None}):
        with pytest.raises(Exception, match="Failed to validate pipeline UUID") as refused:
            store.create(given | {"pipeline_uuid": unknown})
        assert isinstance(refused.value.args[1], UnknownPipeline)


def test_a_given_uuid_counts(place: Place) -> None:
    store = PipelineJobStore(place.mongodb)
    uuid = "1071269f-b251-5a5f-bec1-6d7f77131f3e"
    assert store.create(description(place, uuid=uuid, data={"own": 1}))["uuid"] == uuid
    with pytest.raises(DuplicateJobError):
        store.create(description(place, uuid=uuid, data={"own": 2}))


def test_deleting_needs_an_administrative_token(place: Place) -> None:
    store, made = PipelineJobStore(place.mongodb), place.job()
    for token in (made.token, None, "", "jp_adm_", f"jp_adm_{made.token[7:]}", place.admin_key):
        with pytest.raises(InvalidAdminToken):
            store.delete(made.uuid, token)
    with pytest.raises(ValueError, match="for good"):
        store.delete(made.uuid, place.admin(), force=False)
    store.delete(made.uuid, place.admin())
    assert store.find_one_by_uuid(made.uuid) is None
    with pytest.raises(UnknownJob):
        store.delete(made.uuid, place.admin())


def test_pipelines_merge_and_replace(place: Place) -> None:
    store = PipelineStore(place.mongodb)
    given = PIPELINE | {"id": "merged", "notes": {"a": 1}}
    made = store.add_update_document(given)
    assert {name: made[name] for name in given} == given
    merged = store.add_update_document({"id": "merged", "components": PIPELINE["components"], "notes": {"b": 2}})
    assert merged["uuid"] == made["uuid"]
    assert (merged["notes"], merged["name"]) == ({"a": 1, "b": 2}, "RNA-seq")
    replaced = store.add_update_document(given | {"notes": {"b": 3}}, strategy="replace")
    assert store.find_one_by_uuid(made["uuid"]) == replaced
    assert replaced["notes"] == {"b": 3}
    assert store.add_update_document(given | {"id": "another"})["uuid"] != made["uuid"]
    with pytest.raises(PipelineUpdateFailure):
        store.add_update_document(given | {"id": "third"}, uuid=made["uuid"])
    with pytest.raises(DuplicatePipelineError):
        PipelineStore(place.stranger()).add_update_document(given | {"notes": 1}, strategy="replace")
    assert store.find_one_by_uuid("106bd127-e2d2-57ac-b9be-11ed06042e68") is None


def test_a_pipeline_without_the_members_that_were_never_enforced(place: Place) -> None:
    made = PipelineStore(place.mongodb).add_update_document({"components": [{"uri": "https://example.org/"}]})
    assert made["id"] == "pipeline.id"


@pytest.mark.parametrize(
    "given", [None, 7, {}, {"database": "catalog"}, {"authn": "***"}, {"authn": 5}, {"url": "ftp:x"}]
)
def test_no_connection(given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TACC_USERNAME", "sd2eadm")
    with pytest.raises(ConnectionFailure, match="Unable to connect to database") as refused:
        PipelineJobStore(given)
    assert isinstance(refused.value.args[1], ValueError)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mongodb://admin:canary@localhost:27017/?authSource=admin", "jobpass import datacatalog"),
        ("mongodb+srv://admin:canary@example.org", "sqlite:///"),
        ("postgresql://ann:canary@localhost/jobs", "not there yet"),
        ("canary", "Unknown store"),
    ],
)
def test_stores_that_are_not_there_are_named_clearly(url: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TACC_USERNAME", "sd2eadm")
    with pytest.raises(ConnectionFailure) as refused:
        db_connection({"authn": encode_connection_string(url)})
    assert says in str(refused.value)
    assert "canary" not in str(refused.value)


def test_a_connection_is_one_for_one_description(place: Place) -> None:
    one, other = db_connection(place.mongodb), db_connection(dict(place.mongodb))
    assert one is not other
    assert repr(one) == repr(other)
    assert one.bearing("jp_doc_x") is one.bearing("jp_doc_x")
    for token in ("", "a b", "ü", "\n"):
        with pytest.raises(InvalidToken):
            PipelineJobStore(one).handle({"uuid": place.job().uuid, "name": "run"}, token)


def test_an_admin_key_reads_every_job_and_makes_none(place: Place) -> None:
    if "url" not in place.mongodb:
        pytest.skip("a folder is opened with its secret")
    made = place.job()
    store = PipelineJobStore({"url": place.mongodb["url"], "token": place.admin_key})
    assert store.find_one_by_uuid(made.uuid)["data"] == made.data
    with pytest.raises(InvalidToken):
        store.handle({"uuid": made.uuid, "name": "run"})
    with pytest.raises(Exception, match="Failed to validate pipeline UUID"):
        store.create(description(place, data={"by": "admin"}))


def test_without_a_user_there_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TACC_USERNAME", "AGAVE_USERNAME", "JUPYTERHUB_USER", "_abaco_username", "USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_SECRET", "a secret that is long enough")
    with pytest.raises(ValueError, match="username"):
        PipelineJobStore({"authn": encode_connection_string(f"sqlite://{tmp_path}/jobs")})
    assert list(tmp_path.iterdir()) == []


def test_without_a_secret_there_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TACC_USERNAME", "sd2eadm")
    for secret in (None, "short", "a" * 40):
        if secret is None:
            monkeypatch.delenv("CATALOG_ADMIN_TOKEN_SECRET", raising=False)
        else:
            monkeypatch.setenv("CATALOG_ADMIN_TOKEN_SECRET", secret)
        with pytest.raises(ConnectionFailure):
            PipelineJobStore({"authn": encode_connection_string(f"sqlite://{tmp_path}/jobs")})
    assert list(tmp_path.iterdir()) == []
