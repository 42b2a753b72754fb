"""Callbacks and pictures under the names of the original."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

import jobpass
from datacatalog.linkedstores.pipelinejob import AgaveEvents, JobError, PipelineJobStore, agave_status_to_event
from datacatalog.managers.pipelinejobs import ManagedPipelineJob
from jobpass.compose import serving, write_derived_keyring
from jobpass.tokens.caveats import Actions, Events, ExpiresAt, Jobs, read_all
from jobpass.tokens.token import parse
from support.catalog import Place

STATUSES = json.loads((Path(__file__).parents[2] / "vectors" / "agave.json").read_text())
OUTSIDE = "https://outside.example.org"
ALL = ("run", "update", "resource", "finish", "fail")


def ticket(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2]


def events_of(url: str) -> tuple[str, ...]:
    (events,) = [one for one in read_all(parse(ticket(url)).caveats) if isinstance(one, Events)]
    return events.allowed


@pytest.fixture
def outside(place: Place, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where URLs lead: to the server, or, for a folder in this process, to where the variable says."""
    if place.operator is not None:
        return str(place.mongodb["url"])
    monkeypatch.setenv("JOBPASS_PUBLIC_URL", OUTSIDE)
    return OUTSIDE


def test_w14_a_callback_holds_a_ticket_and_not_the_token(place: Place, outside: str) -> None:
    made = place.job(session="an odd&status=FAILED session/é")
    assert made.callback is not None
    assert made.callback.startswith(f"{outside}/api/callbacks/jp_doc_")
    assert str(made.token) not in made.callback
    assert dict(parse_qsl(urlsplit(made.callback).query)) == {"session": "an odd&status=FAILED session/é"}
    kinds = {type(one) for one in read_all(parse(ticket(made.callback)).caveats)}
    assert kinds == {Jobs, Events, ExpiresAt, Actions}
    assert events_of(made.callback) == ALL
    assert made.callback not in repr(made)


def test_w14_in_process_there_is_none_unless_a_server_of_the_folder_is_named(place: Place) -> None:
    made = place.job()
    if place.operator is None:
        assert (made.callback, made.build_webhook(), made.agave_notifications()) == (None, None, [])
    named = ManagedPipelineJob(place.mongodb, place.pipelines | {"callback_url": OUTSIDE}, data={"n": made.uuid})
    assert str(named.setup().callback).startswith(f"{OUTSIDE}/api/callbacks/")
    for bad in ("http://outside.example.org", "outside", "https://ann:pw@outside.example.org"):
        with pytest.raises(ValueError, match="url"):
            ManagedPipelineJob(place.mongodb, place.pipelines | {"callback_url": bad}, data={"n": bad}).setup()


def test_without_the_jobs_own_token_there_is_none(place: Place, outside: str) -> None:
    manager = place.manager()
    assert (manager.build_webhook(), manager.agave_notifications()) == (None, [])
    manager.setup()
    assert manager.callback is not None
    manager.token = place.admin()
    assert manager.set_callbacks() is manager
    assert manager.callback is None


def test_agave_notifications_are_those_of_the_original_with_a_ticket_each(place: Place, outside: str) -> None:
    made = place.job(session="brave-ant")
    told = made.agave_notifications()
    shape = [(one["event"], one["persistent"], one["url"].partition("?")[2]) for one in told]
    assert shape == [
        ("RUNNING", True, "session=brave-ant&status=${JOB_STATUS}"),
        ("FINISHED", False, "session=brave-ant&status=FINISHED"),
        ("FAILED", False, "session=brave-ant&status=${JOB_STATUS}"),
    ]
    assert [events_of(one["url"]) for one in told] == [("run",), ("finish",), ("fail",)]
    assert all(one["url"].startswith(outside) for one in told)


def check_at_work(made: ManagedPipelineJob, history: Any) -> None:
    """The URLs of a manager, called as Agave calls them."""
    assert made.callback is not None
    assert httpx2.post(f"{made.callback}&status=QUEUED", json={"id": "x-007"}).json()["last_event"] == "resource"
    running, finished, failed = (one["url"] for one in made.agave_notifications())
    document = {"id": "x-007", "status": "RUNNING", "owner": "sd2eadm"}
    assert httpx2.post(running.replace("${JOB_STATUS}", "RUNNING"), json=document).json()["state"] == "RUNNING"
    assert httpx2.post(running.replace("${JOB_STATUS}", "FINISHED"), json=document).status_code == 403
    answers = [httpx2.post(finished, json=document | {"status": "FINISHED", "try": n}) for n in range(3)]
    assert [answer.json()["state"] for answer in answers] == ["FINISHED"] * 3
    assert len({answer.content for answer in answers}) == 1
    assert httpx2.post(failed.replace("${JOB_STATUS}", "STOPPED"), json=document).status_code == 409
    assert [event["name"] for event in history()] == ["create", "resource", "run", "finish"]
    assert history()[1]["data"] == {"id": "x-007", "session": made.session, "status": "QUEUED"}
    assert httpx2.get(made.callback).status_code == 422


def test_they_work(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the server, and for a folder of this process on a server of the same folder."""
    if place.operator is not None:
        made = place.job()
        check_at_work(made, lambda: PipelineJobStore(place.mongodb).history(str(made.uuid)))
        return
    folder = place.archive.parent / "jobs"
    asyncio.run(write_derived_keyring(folder, os.environ["CATALOG_ADMIN_TOKEN_SECRET"], environ={}))
    with serving(folder, environ={"JOBPASS_CALLBACKS": "true"}) as url:
        monkeypatch.setenv("JOBPASS_PUBLIC_URL", url)
        made = place.job()
        check_at_work(made, lambda: PipelineJobStore(place.mongodb).history(str(made.uuid)))


def test_b11_the_table_of_agave_has_only_events() -> None:
    assert AgaveEvents.agavejobs == {**STATUSES, "UPDATED": "update", "KILLED": "fail"}
    assert all(agave_status_to_event(status) == event for status, event in AgaveEvents.agavejobs.items())
    for unknown in ("", "finished", "DONE"):
        with pytest.raises(KeyError):
            agave_status_to_event(unknown)
    AgaveEvents.agavejobs["DONE"] = "finish"
    try:
        assert "DONE" not in jobpass.AGAVE_EVENTS
    finally:
        del AgaveEvents.agavejobs["DONE"]


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not on this machine")
def test_a_picture_is_a_png_in_base64(place: Place) -> None:
    made = place.job()
    made.run()
    store = PipelineJobStore(place.mongodb)
    drawn = store.fsm_state_png(made.uuid)
    assert base64.b64decode(drawn, validate=True).startswith(b"\x89PNG\r\n")
    assert store.fsm_state_png(made.uuid, made.token) == drawn


def test_without_graphviz_it_is_an_svg(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = place.job()
    made.run().update()
    monkeypatch.setenv("PATH", str(tmp_path))
    text = base64.b64decode(PipelineJobStore(place.mongodb).fsm_state_png(made.uuid)).decode()
    assert text.startswith("<svg ")
    assert f"Job {made.uuid}" in text
    assert "RUNNING" in text


def test_w25_a_picture_goes_through_no_file(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the original another user of the machine could foretell its name, and put a link there."""
    made = place.job()
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    opened: list[str] = []
    monkeypatch.setattr("builtins.open", lambda path, *rest, **more: opened.append(str(path)))
    assert PipelineJobStore(place.mongodb).fsm_state_png(made.uuid)
    assert opened == []
    assert list(tmp_path.iterdir()) == []


def test_a_picture_of_no_job_is_an_error_of_the_store(place: Place) -> None:
    made = place.job()
    store = PipelineJobStore(place.stranger())
    for uuid in ("1071269f-b251-5a5f-bec1-6d7f77131f3f", made.uuid, None, {"$ne": None}):
        with pytest.raises(JobError) as refused:
            store.fsm_state_png(uuid)
        assert refused.value.args[0] == "Failed to get_graph"
    with pytest.raises(JobError):
        PipelineJobStore(place.mongodb).fsm_state_png(made.uuid, "a3b29f2c62ec9d15")
