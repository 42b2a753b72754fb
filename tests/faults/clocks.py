"""(e) Two nodes before one PostgreSQL, the clock of one ten minutes ahead, which that one tells."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import httpx2

from faults.database import WORK_SECONDS
from faults.load import WAIT_SECONDS
from faults.nodes import EMAIL, PASSWORD, TESTS, Node
from faults.postgres import cluster
from faults.trial import Trial, Verdict, trial
from jobpass.client.aio import AsyncClient
from jobpass.client.exchange import ONCE
from jobpass.errors import InvalidToken

OFFSET_SECONDS = 600
REVOKED_SECONDS = 1.0
"""After so long what was ended at one node is ended at all."""


async def clocks(folder: Path, times: int) -> Verdict:
    """Both are at work; tokens end at one node and are tried at the other, in turn; each third time one is killed."""
    async with cluster(folder) as database:
        store = ("--store", database.url())
        wrong = (str(TESTS / "faults" / "node.py"), "--clock-offset", str(OFFSET_SECONDS))
        nodes = [
            Node(folder / "data", folder / "right.log", *store),
            Node(folder / "data", folder / "ahead.log", *store, command=wrong),
        ]
        took: list[float] = []
        async with trial(folder, nodes, store) as made:
            await made.begin()
            for number in range(times):
                await asyncio.sleep(WORK_SECONDS)
                here, there = (nodes[number % 2], nodes[(number + 1) % 2])
                took += [await _log_out(made, here, there), await _rotate(made, here, there)]
                await made.hurt(here.kill_and_start if number % 3 == 2 else _now)
            await _told(made, *nodes)
            note = f"ended tokens were refused elsewhere after at most {max(took):.2f} s"
            return await made.end("a clock 10 minutes ahead on one of two nodes, PostgreSQL", lambda _: note)


async def _now() -> float:
    return time.monotonic()


async def _told(made: Trial, right: Node, ahead: Node) -> None:
    """The node that is wrong has said so, in its log once a start at most and in its metrics; the other has not."""
    words = "ahead of the database's"
    made.expect(words not in right.said(), "a node with a right clock says that it is wrong")
    made.expect(
        1 <= ahead.said().count(words) <= len(ahead.start_seconds), "a wrong clock is not told, or again and again"
    )
    offsets = [await _offset(node, made.login) for node in (right, ahead)]
    wrong = [offset - more for offset, more in zip(offsets, (0, OFFSET_SECONDS), strict=True)]
    made.expect(max(map(abs, wrong)) < 1, f"the nodes say that their clocks are {offsets} s ahead")


async def _offset(node: Node, login: str) -> float:
    """What the metrics say, which they do within a second or two of a start."""
    headers = {"authorization": f"Bearer {login}"}
    async with httpx2.AsyncClient(base_url=node.url, headers=headers) as client, asyncio.timeout(WAIT_SECONDS):
        while True:
            answer = await client.get("/metrics")
            found = re.search(r"^jobpass_clock_offset_seconds (.+)$", answer.text, re.MULTILINE)
            if found:
                return float(found[1])
            await asyncio.sleep(0.1)


async def _log_out(made: Trial, here: Node, there: Node) -> float:
    """A log-in of one node opens the other, until it ends."""
    async with AsyncClient(here.url, retries=ONCE) as one:
        await one.login(EMAIL, PASSWORD)
        async with AsyncClient(there.url, one.token, retries=ONCE) as other:
            await other.me()
            await one.logout()
            return await _refused(made, other, "a log-in that has ended")


async def _rotate(made: Trial, here: Node, there: Node) -> float:
    """A job's token is replaced; the job is one that the load does not use."""
    async with AsyncClient(here.url, made.login, retries=ONCE) as one:
        pipeline = (await one.job(made.targets[0].uuid)).pipeline_uuid
        job = await one.create_job(pipeline, {"rotated": time.monotonic()})
        async with AsyncClient(there.url, job.token, retries=ONCE) as other:
            await other.job(job.uuid)
            await one.rotate_job_token(job.uuid)
            return await _refused(made, other, "a job's token that was replaced", job.uuid)


async def _refused(made: Trial, client: AsyncClient, what: str, job: str | None = None) -> float:
    """How long the token is still taken; a violation if that is too long."""
    since = time.monotonic()
    while (took := time.monotonic() - since) < 3 * REVOKED_SECONDS:
        asked = time.monotonic() - since
        try:
            await (client.me() if job is None else client.job(job))
        except InvalidToken:
            break
        made.expect(asked < REVOKED_SECONDS, f"{what} was taken {asked:.2f} s later")
        await asyncio.sleep(0.02)
    return took
