"""The time by which leases end, and whether so much of it has really passed."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jobpass.clock import Clock
    from jobpass.ports import Store

JUMP_SECONDS: Final = 1.0
"""By less than so much a clock is only steered, or was compared with the store's anew."""

log = logging.getLogger("jobpass.work")


class LeaseTime:
    """One node gives a lease and another may take the job back: only the store's clock is the same for both.

    A clock that is put forward, or a machine that slept, takes nobody's job away: then no lease ends until every worker
    that lives has had the time to renew its own.
    """

    def __init__(self, store: Store, clock: Clock, lease_seconds: int) -> None:
        self._store = store
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._seen = self.now(), clock.steady()
        self._ends_from = self._seen[1]

    def now(self) -> datetime:
        """This node's time, as the store's clock has it."""
        return self._clock.now() - timedelta(seconds=self._store.clock_offset() or 0.0)

    def may_end(self) -> bool:
        """Whether leases may end now; to be asked about once a second."""
        (seen, steady), self._seen = self._seen, (self.now(), self._clock.steady())
        ahead = (self._seen[0] - seen).total_seconds() - (self._seen[1] - steady)
        if ahead > JUMP_SECONDS:
            self._ends_from = self._seen[1] + self._lease_seconds
            log.warning("the clock was put forward by %.0f seconds: no lease ends for a while", ahead)
        return self._seen[1] >= self._ends_from
