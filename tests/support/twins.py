"""Two stores of which one must do what the other does: SQLite on a disk, and the memory store."""

from __future__ import annotations

import asyncio
import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from jobpass.stores.memory import MemoryStore
from jobpass.stores.sqlite import SqliteStore


class Twins(RuleBasedStateMachine):
    """Asks both stores the same, and finds the same in both after each step; what is asked is each machine's own."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.memory = MemoryStore()
        self.open()

    @abstractmethod
    async def perform(self, store: Any, operation: Any) -> Any:
        """What the store answers to the operation."""

    @abstractmethod
    async def everything(self, store: Any) -> Any:
        """All that the store can be asked for."""

    def open(self) -> None:
        """Open the file again, or make it."""
        self.sqlite = self.runner.run(SqliteStore.open(Path(self.folder.name) / "store.sqlite"))

    @rule()
    def reopen(self) -> None:
        """Go on with what is on the disk."""
        self.runner.run(self.sqlite.close())
        self.open()

    def compare(self, operations: list[Any]) -> None:
        """Have these performed: in one tick on SQLite, one after the other in memory."""

        async def both() -> None:
            here = await asyncio.gather(*(self.outcome(self.sqlite, operation) for operation in operations))
            there = [await self.outcome(self.memory, operation) for operation in operations]
            assert here == there

        self.runner.run(both())

    async def outcome(self, store: Any, operation: Any) -> Any:
        """The answer, or the error as it can be compared."""
        try:
            return await self.perform(store, operation)
        except Exception as error:
            return type(error), str(error)

    @invariant()
    def same(self) -> None:
        """Both keep the same."""
        assert self.runner.run(self.everything(self.sqlite)) == self.runner.run(self.everything(self.memory))

    def teardown(self) -> None:
        """Let go of the file."""
        self.runner.run(self.sqlite.close())
        self.runner.close()
        self.folder.cleanup()


def run(machine: type[Twins]) -> None:
    """Run it with half of the examples that the profile asks for, each of 15 steps at most."""
    profile = settings()
    fewer = settings(profile, max_examples=profile.max_examples // 2, stateful_step_count=15)
    run_state_machine_as_test(machine, settings=fewer)
