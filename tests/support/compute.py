"""Platforms, people with job tokens, and workers, for the tests of compute jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import msgspec

from jobpass.authority.bearer import Bearer
from jobpass.authority.platforms import Draft
from jobpass.authority.submissions import Asked
from jobpass.authority.workers import Leased
from jobpass.records import Job, Work
from support.house import House

PLATFORM = "sim:local"
PAYLOAD = b'{"command":"probs","max_shots":1000,"experiment":":PCVL:zip:e","job_context":null}'
RESULT = b'{"results":"yes","global_perf":1.0}'


class Yard(NamedTuple):
    """A house with a platform, somebody who sends jobs, and a worker's key."""

    house: House
    ann: Bearer
    olga: Bearer
    key: Bearer

    async def submit(self, bearer: Bearer | None = None, key: str | None = None, **asked: Any) -> Job:
        """A job on the one platform."""
        wanted = Asked(**({"payload": PAYLOAD, "platform": PLATFORM, "name": "probs"} | asked))
        return await self.house.authority.submissions.submit(bearer or self.ann, wanted, key)

    async def lease(self, worker: str = "w1", wait_seconds: float = 0) -> Leased | None:
        """What a worker gets."""
        return await self.house.authority.workers.next(self.key, worker, (PLATFORM,), wait_seconds)

    async def taken(self, worker: str = "w1") -> tuple[Leased, Bearer]:
        """A lease, which there is, and who reports with it."""
        leased = await self.lease(worker)
        assert leased is not None
        return leased, await self.house.bearer(leased.token)

    async def complete(self, bearer: Bearer, uuid: str, text: bytes = RESULT) -> Job:
        """Report a result."""
        return await self.house.authority.workers.complete(bearer, uuid, chunks(text), 1 << 20, "probs", 10)

    async def end(self, *names: str) -> Job:
        """A job that has ended: completed, or by these events."""
        job = await self.submit()
        _, holder = await self.taken()
        if not names:
            return await self.complete(holder, job.uuid)
        assert names == ("fail",)
        return await self.house.authority.workers.fail(holder, job.uuid, "broken", "it broke")


async def make_yard(house: House) -> Yard:
    """Fill a house."""
    ann, olga = await house.person("ann@example.org"), await house.person("olga@example.org", "operator")
    await house.authority.platforms.create(olga, Draft(PLATFORM))
    issued = await house.authority.api_keys.create(olga, platforms=(PLATFORM,))
    return Yard(house, ann, olga, await house.bearer(issued.token))


def work_of(job: Job) -> Work:
    """The work that it has."""
    assert job.work is not None
    return job.work


async def chunks(text: bytes, size: int = 1 << 16) -> AsyncIterator[bytes]:
    """A text as it comes over a connection."""
    for start in range(0, len(text), size):
        yield text[start : start + size]


async def joined(pieces: AsyncIterator[bytes] | None) -> bytes:
    """All of a text."""
    assert pieces is not None
    return b"".join([piece async for piece in pieces])


def data_of(data: bytes) -> Any:
    """The data of an event, read."""
    return msgspec.json.decode(data)
