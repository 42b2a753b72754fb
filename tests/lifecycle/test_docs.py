"""What docs/lifecycles.md shows is what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jobpass
from jobpass.lifecycle.draw import draw
from jobpass.lifecycle.parse import parse
from jobpass.lifecycle.standard import STANDARD

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "lifecycles.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_pictures_are_those_that_the_code_draws() -> None:
    assert blocks("mermaid") == [draw(lifecycle, "mermaid") for lifecycle in STANDARD]


def test_the_example_is_the_file_and_is_sound() -> None:
    (toml,) = blocks("toml")
    assert toml == (ROOT / "examples" / "lifecycles" / "review.toml").read_text()
    assert parse(toml).name == "review"


def test_the_python_runs() -> None:
    names: dict[str, Any] = {}
    for code in blocks("python"):
        exec(compile(code, "docs/lifecycles.md", "exec"), names)
    with jobpass.open("memory:") as client:
        pipeline = {"id": "a", "name": "A", "components": [], "processing_levels": []}
        job = client.create_job(client.create_pipeline(pipeline)["uuid"])
        assert f"Job {job.uuid}, lifecycle pipeline, now CREATED".encode() in names["picture_of"](client, job.uuid)
