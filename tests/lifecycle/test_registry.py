"""Lifecycles by name, and that neither a set nor a lifecycle can be changed."""

from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError, replace

import pytest

from jobpass.errors import InvalidInput, InvalidLifecycle
from jobpass.lifecycle.registry import Lifecycles
from jobpass.lifecycle.standard import COMPUTE, PIPELINE, STANDARD

MINE = replace(COMPUTE, name="mine")


@pytest.mark.parametrize("name", ["Pipeline", "", "pipelin", "pipeline\n", None, ["pipeline"]])
def test_an_unknown_name_is_invalid_input_at_the_field(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        STANDARD.get(name, "query.lifecycle")
    assert list(caught.value.detail["fields"]) == ["query.lifecycle"]
    assert name not in STANDARD


def test_adding_makes_another_set() -> None:
    more = STANDARD.adding([MINE])
    assert more.names == ("pipeline", "compute", "mine")
    assert list(more) == [PIPELINE, COMPUTE, MINE]
    assert len(STANDARD) == 2
    assert "mine" in more
    assert "mine" not in STANDARD
    assert more == Lifecycles([PIPELINE, COMPUTE, MINE]) != STANDARD
    assert hash(more) == hash(Lifecycles([PIPELINE, COMPUTE, MINE]))


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(InvalidLifecycle, match="two lifecycles named pipeline") as caught:
        STANDARD.adding([replace(COMPUTE, name="pipeline")])
    assert caught.value.detail["problems"] == [{"line": 0, "problem": "there are two lifecycles named pipeline"}]


def test_a_lifecycle_cannot_be_changed() -> None:
    for attribute in ("table", "initial", "final", "admin_only"):
        with pytest.raises(FrozenInstanceError):
            setattr(PIPELINE, attribute, {})
    for mapping in (PIPELINE.table, PIPELINE.state, PIPELINE.event):
        with pytest.raises(TypeError):
            mapping["RETIRED", "run"] = "RUNNING"  # type: ignore[index]


def test_the_table_given_is_not_the_table_kept() -> None:
    table = dict(COMPUTE.table)
    mine = replace(COMPUTE, table=table)
    table["completed", "lease"] = "running"
    assert ("completed", "lease") not in mine.table


def test_equality_is_of_what_they_do_and_say() -> None:
    assert copy.copy(PIPELINE) == PIPELINE
    assert replace(PIPELINE, initial="RUNNING") != PIPELINE
    assert replace(COMPUTE, table={}) != COMPUTE
    assert len({PIPELINE, COMPUTE, replace(PIPELINE)}) == 2
