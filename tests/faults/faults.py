"""The faults by name, with how often each is done in the long form and in the suite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from faults.crowd import crowd
from faults.disk import disk_full
from faults.kills import kills
from faults.trial import Verdict


class Fault(NamedTuple):
    """What is done to it, and how often."""

    run: Callable[[Path, int], Awaitable[Verdict]]
    times: int
    """In the long form."""
    few: int
    """In the suite."""


FAULTS: Final[Mapping[str, Fault]] = {
    "kill": Fault(kills, 200, 3),
    "disk": Fault(disk_full, 20, 2),
    "crowd": Fault(crowd, 1000, 200),
}
"""``times`` of the crowd counts its clients."""
