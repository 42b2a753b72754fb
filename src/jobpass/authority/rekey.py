"""After root keys were retired: the jobs that they signed get tokens under the key that signs now."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from jobpass import ids
from jobpass.authority.history import PAGE
from jobpass.errors import UnknownJob
from jobpass.records import Change, Event, Job

if TYPE_CHECKING:
    from jobpass.ports import Randomness, Store
    from jobpass.tokens.keyring import Keyring

AT_ONCE: Final = 64
"""Jobs that are written together."""


async def rekey(store: Store, keyring: Keyring, randomness: Randomness, at: datetime) -> int:
    """Give each job whose root key does not verify any more a new serial under the key that signs; how many it were.

    Its old tokens were dead already and stay so; its owner can be given a new one. For who holds the installation.
    """
    living = {key.kid for key in keyring.keys if key.state != "retired"}
    count, after = 0, None
    while True:
        page = await store.list_jobs(owner=None, state=None, pipeline_uuid=None, after=after, limit=PAGE)
        dead = [job for job in page.items if job.kid not in living]
        for start in range(0, len(dead), AT_ONCE):
            some = dead[start : start + AT_ONCE]
            done = [_redraw(store, job.uuid, keyring.signing_kid, ids.serial(randomness(8)), at) for job in some]
            count += sum(await asyncio.gather(*done))
        after = page.next
        if after is None:
            return count


async def _redraw(store: Store, uuid: str, kid: str, serial: int, at: datetime) -> bool:
    def judge(job: Job | None, _prior: Event | None) -> Change:
        if job is None:
            raise UnknownJob(uuid)
        gone = {"previous_serial": None, "previous_kid": None, "previous_until": None}
        return Change(job, replace(job, serial=serial, kid=kid, updated_at=at, **gone), None)

    try:
        await store.apply(uuid, judge)
    except UnknownJob:  # deleted since the page was read
        return False
    return True
