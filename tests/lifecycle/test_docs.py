"""What docs/lifecycles.md shows is what there is."""

from __future__ import annotations

import re
from pathlib import Path

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
    (code,) = blocks("python")
    exec(compile(code, "docs/lifecycles.md", "exec"), {})
