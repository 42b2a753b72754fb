"""Graphviz, if this machine has it: its ``dot`` lays out and draws what is handed to it, and sees nothing else."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jobpass.errors import SetupError

TIME_LIMIT_SECONDS: Final = 10.0

_SVG: Final = "{http://www.w3.org/2000/svg}"
_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}  # no token of ours is handed down


def find() -> Path | None:
    """The program ``dot``, None if it is not here. One that is found through a relative path counts as absent."""
    found = shutil.which("dot")
    return Path(found) if found is not None and Path(found).is_absolute() else None


def png(program: Path, graph: str) -> bytes:
    """The graph in pixels; ``SetupError`` if the program cannot draw it."""
    return _run(program, graph, "png")


def svg(program: Path, graph: str, notes: Mapping[str, str]) -> bytes:
    """The graph as SVG without ids, classes, comments and links; ``notes`` are titles by graphviz's names.

    ``SetupError`` if the program cannot draw it.
    """
    try:
        root = ET.fromstring(_run(program, graph, "svg"))  # noqa: S314 - a program of this machine wrote it
    except ET.ParseError:
        raise SetupError(f"What {program} drew is not SVG.") from None
    for element in list(root.iter()):
        element.tag = element.tag.removeprefix(_SVG)
        for name in [name for name in element.attrib if name in ("id", "class") or name.startswith("{")]:
            del element.attrib[name]
        title = element.find(f"{_SVG}title")
        if title is not None:
            note = notes.get(title.text or "")
            if note is None:
                element.remove(title)
            else:
                title.text = note
    root.set("xmlns", _SVG.strip("{}"))
    root.set("role", "img")
    text: str = ET.tostring(root, encoding="unicode")
    return text.encode() + b"\n"


def _run(program: Path, graph: str, form: str) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - an absolute path, fixed arguments, the graph on stdin
            [program, f"-T{form}"],
            input=graph.encode(),
            capture_output=True,
            check=False,
            timeout=TIME_LIMIT_SECONDS,
            env=_ENVIRONMENT,
        )
    except subprocess.TimeoutExpired:
        raise SetupError(f"{program} did not draw the picture within {TIME_LIMIT_SECONDS:.0f} seconds.") from None
    except OSError as error:
        raise SetupError(f"{program} cannot be started: {error.strerror}.") from None
    if done.returncode or not done.stdout:
        raise SetupError(f"{program} cannot draw the picture (exit code {done.returncode}).")
    return done.stdout
