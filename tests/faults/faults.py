"""The faults by name, with how often each is done in the long form and in the suite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from faults.clocks import clocks
from faults.crowd import crowd
from faults.database import crashes, fail_overs, freezes, node_kills, restarts
from faults.disk import disk_full
from faults.kills import kills
from faults.network import network
from faults.trial import Verdict
from faults.workers import postgres_worker_kills, worker_kills
from jobpass.lifecycle.model import Lifecycle
from jobpass.lifecycle.standard import COMPUTE, PIPELINE


class Fault(NamedTuple):
    """What is done to it, and how often."""

    run: Callable[[Path, int], Awaitable[Verdict]]
    times: int
    """In the long form."""
    few: int
    """In the suite; 0 leaves it out there."""
    lifecycle: Lifecycle = PIPELINE
    """That of its jobs."""


FAULTS: Final[Mapping[str, Fault]] = {
    "kill": Fault(kills, 200, 2),
    "disk": Fault(disk_full, 20, 2),
    "crowd": Fault(crowd, 1000, 100),
    "workers": Fault(worker_kills, 60, 1, COMPUTE),
    "postgres-workers": Fault(postgres_worker_kills, 60, 2, COMPUTE),
    "postgres-kill": Fault(node_kills, 50, 0),
    "postgres-restart": Fault(restarts, 20, 0),
    "postgres-crash": Fault(crashes, 20, 0),
    "postgres-freeze": Fault(freezes, 10, 0),
    "postgres-fail-over": Fault(fail_overs, 10, 1),
    "postgres-network": Fault(network, 30, 3),
    "postgres-clock": Fault(clocks, 30, 3),
}
"""``times`` of the crowd counts its clients. In the suite a node before PostgreSQL is killed by ``postgres-clock``."""
