"""The lifecycles that ship, against the seed system's own answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobpass.errors import IllegalTransition, UnknownEvent
from jobpass.lifecycle.standard import COMPUTE, PIPELINE, STANDARD
from jobpass.lifecycle.step import step

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "datacatalog.json").read_text())


def test_there_are_165_pairs_of_which_43_are_legal() -> None:
    assert len({(row["state"], row["event"]) for row in VECTORS["fsm"]}) == 165
    assert len(PIPELINE.table) == sum(not row["refused"] for row in VECTORS["fsm"]) == 43


@pytest.mark.parametrize("row", VECTORS["fsm"], ids=lambda row: f"{row['state']}-{row['event']}")
def test_pipeline_answers_as_the_seed_system(row: dict[str, Any]) -> None:
    if row["refused"]:
        with pytest.raises(IllegalTransition):
            step(PIPELINE, row["state"], row["event"])
    else:
        assert step(PIPELINE, row["state"], row["event"]) == row["new_state"]


def test_pipeline_has_the_seed_systems_names_order_and_descriptions() -> None:
    for ours, theirs in ((PIPELINE.states, VECTORS["states"]), (PIPELINE.events, VECTORS["events"])):
        assert [{"name": each.name, "description": each.description} for each in ours] == theirs


def test_what_only_an_admin_token_allows() -> None:
    assert PIPELINE.admin_only == {"reset", "ready", "delete"}
    assert COMPUTE.admin_only == {"delete"}
    assert "delete" not in PIPELINE.event


def test_compute_knows_the_words_that_may_go_out_and_no_other() -> None:
    words = "waiting running suspended cancel_requested completed canceled error"
    assert [state.name for state in COMPUTE.states] == words.split()
    assert COMPUTE.initial == "waiting"
    assert COMPUTE.final == {"completed", "canceled", "error"}
    assert all(not COMPUTE.legal(state) for state in COMPUTE.final)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ("lease update update complete", "completed"),
        ("lease fail", "error"),
        ("cancel", "canceled"),
        ("lease cancel update canceled", "canceled"),
        ("lease cancel cancel complete", "completed"),
        ("lease requeue lease requeue lease requeue fail", "error"),
        ("suspend resume lease complete", "completed"),
        ("lease suspend cancel", "canceled"),
    ],
)
def test_ways_of_a_compute_job(events: str, state: str) -> None:
    at = COMPUTE.initial
    for event in events.split():
        at = step(COMPUTE, at, event)
    assert at == state


@pytest.mark.parametrize("event", ["lease", "update", "requeue", "complete"])
def test_a_compute_job_that_no_worker_holds_has_nothing_to_report(event: str) -> None:
    with pytest.raises(IllegalTransition):
        step(COMPUTE, "suspended", event)


@pytest.mark.parametrize("name", ["RUN", "run ", "\uff52un", "", "may_reset", "delete", "\ud800", "r" * 100_000])
def test_event_names_are_looked_up_exactly(name: str) -> None:
    for state in PIPELINE.state:
        with pytest.raises(UnknownEvent):
            step(PIPELINE, state, name)


def test_a_refusal_tells_what_would_be_legal() -> None:
    with pytest.raises(IllegalTransition) as caught:
        step(PIPELINE, "CREATED", "finish")
    assert caught.value.detail == {
        "event": "finish",
        "state": "CREATED",
        "legal": ["create", "fail", "reset", "resource", "run", "update"],
    }
    assert PIPELINE.legal("CREATED") == ("create", "run", "update", "resource", "fail", "reset")


def test_a_state_that_the_lifecycle_does_not_have_allows_nothing() -> None:
    for state in ("created", "", "waiting"):
        with pytest.raises(IllegalTransition) as caught:
            step(PIPELINE, state, "reset")
        assert caught.value.detail["legal"] == []


def test_both_are_known_by_name() -> None:
    assert STANDARD.names == ("pipeline", "compute")
    assert STANDARD.get("pipeline") is PIPELINE
    assert STANDARD.get("compute") is COMPUTE
