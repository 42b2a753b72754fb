"""How far this node's clock is from the database's, which all nodes have in common."""

from __future__ import annotations

import logging
from typing import Final

from jobpass.clock import Clock, to_microseconds

APART_SECONDS: Final = 2.0
"""More than so much is told to the log, once; less than half of it ends that."""
ANSWER_SECONDS: Final = 0.5
"""An answer that took longer says too little: the process stood still meanwhile, or its clock was put."""

log = logging.getLogger("jobpass.store")


class Offset:
    """The last comparison: ``seconds`` that this node's clock is ahead; None while there is none."""

    def __init__(self, clock: Clock) -> None:
        self.seconds: float | None = None
        self._clock = clock
        self._apart = False

    def now(self) -> int:
        """This node's time in microseconds."""
        return to_microseconds(self._clock.now())

    def note(self, asked_at: int, theirs: int) -> None:
        """The database has answered its time, which was asked for at ``asked_at``; both in microseconds."""
        answered_at = self.now()
        if not 0 <= answered_at - asked_at <= ANSWER_SECONDS * 1e6:
            return
        self.seconds = ((asked_at + answered_at) / 2 - theirs) / 1e6
        if not self._apart and abs(self.seconds) > APART_SECONDS:
            self._apart = True
            way = "ahead of" if self.seconds > 0 else "behind"
            log.warning("this node's clock is %.1f seconds %s the database's", abs(self.seconds), way)
        elif self._apart and abs(self.seconds) < APART_SECONDS / 2:
            self._apart = False
            log.warning("this node's clock agrees with the database's again")
