"""A peer's own virtual environment, made from its pinned requirements and kept for the next run."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.peers.errors import CannotMeasureError

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".peers"
REQUIREMENTS = Path(__file__).parent / "requirements"
_MAKING_SECONDS = 900


def prepare(name: str) -> Path:
    """The folder of programs of the peer's environment, made now if it is not what the requirements say.

    ``CannotMeasureError`` if they cannot be installed.
    """
    wanted = (REQUIREMENTS / f"{name}.txt").read_text()
    place = ENVIRONMENTS / name
    stamp = place / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"{name}: making its virtual environment", file=sys.stderr, flush=True)
        venv.create(place, clear=True, with_pip=True)
        command = ["nice", str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--requirement"]
        try:
            done = subprocess.run(
                [*command, str(REQUIREMENTS / f"{name}.txt")], capture_output=True, text=True, timeout=_MAKING_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise CannotMeasureError("its installation from the package registry did not end") from error
        if done.returncode:
            raise CannotMeasureError("it could not be installed from the package registry", done.stderr)
        stamp.write_text(wanted)
    return place / "bin"


def pinned(name: str, distribution: str) -> str:
    """The version of a distribution in the peer's requirements."""
    found = re.search(rf"^{re.escape(distribution)}==(\S+)$", (REQUIREMENTS / f"{name}.txt").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"the requirements of {name} do not pin {distribution}")
    return found[1]
