"""From a runner's name to the runner."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobpass.worker.runners.runner import Runner
    from jobpass.worker.work import Setup


def make_runner(setup: Setup) -> Runner:
    """The runner that was asked for, with all that it needs imported. Raises ``SetupError`` or what an import does."""
    # Each brings what it runs: none is imported for another's sake.
    if setup.runner == "command":
        from jobpass.worker.runners.command import CommandRunner

        return CommandRunner.make(setup)
    if setup.runner == "perceval":
        from jobpass.worker.runners.perceval import PercevalRunner

        return PercevalRunner.make(setup)
    from jobpass.worker.runners.python import PythonRunner

    return PythonRunner.make(setup)
