"""Where a job rests, and which events bring it there."""

from __future__ import annotations

import pytest

from jobpass.lifecycle.draft import draft, event
from jobpass.lifecycle.model import Lifecycle
from jobpass.lifecycle.resting import rests, settles
from jobpass.lifecycle.sound import build
from jobpass.lifecycle.standard import COMPUTE, PIPELINE

OWN = build(
    draft(
        "own",
        initial="CREATED",
        states={"CREATED": "new", "FINISHED": "a name that means nothing here", "GONE": "the end"},
        final=["GONE"],
        events=[
            event("create", "", ("CREATED", "CREATED")),
            event("finish", "", ("CREATED", "FINISHED")),
            event("leave", "", ("FINISHED CREATED", "GONE")),
        ],
    )
)


@pytest.mark.parametrize(
    ("lifecycle", "settling"),
    [
        (PIPELINE, {"finish", "fail", "indexed", "validated", "reject", "finalize", "retire"}),
        (COMPUTE, {"cancel", "canceled", "complete", "fail"}),
        (OWN, {"leave"}),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_the_events_that_bring_to_rest(lifecycle: Lifecycle, settling: set[str]) -> None:
    assert {one.name for one in lifecycle.events if settles(lifecycle, one.name)} == settling
    assert not settles(lifecycle, "no such event")


def test_a_name_means_something_in_the_standard_lifecycles_alone() -> None:
    assert rests("pipeline", "FINISHED", final=False)
    assert not rests("own", "FINISHED", final=False)
    assert rests("own", "GONE", final=True)
    assert not rests("pipeline", "RUNNING", final=False)
