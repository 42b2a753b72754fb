"""SIGKILL between deliveries, several times: everything acknowledged arrives, in order for each job."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import jobpass
from jobpass.client.exchange import ONCE
from jobpass.errors import ServerUnavailable
from support.outgoing import eventually
from support.process import make_folder
from support.receiver import Got, receiving

KILLS = 6
JOBS = 3
CHILD = Path(__file__).with_name("child.py")


async def start(folder: Path) -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CHILD),
        str(folder),
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(CHILD.parents[1]), os.environ.get("PYTHONPATH", "")])},
    )
    assert process.stdout is not None
    host, port = (await process.stdout.readline()).decode().split()
    return process, f"http://{host}:{port}"


async def send(url: str, uuid: str, token: str, acknowledged: dict[str, list[int]]) -> None:
    async with jobpass.AsyncClient(url, token, retries=ONCE) as client:
        try:
            while True:
                answer = await client.send(uuid, "update", {"n": len(acknowledged[uuid])})
                acknowledged[uuid].append(answer.sequence)
        except ServerUnavailable:
            return


async def test_what_was_acknowledged_arrives_in_order_across_kills(tmp_path: Path) -> None:
    made = await make_folder(tmp_path)
    told: dict[str, list[int]] = defaultdict(list)
    ids: Counter[str] = Counter()

    async def answer(got: Got) -> int:
        told[got.data["job_uuid"]].append(got.data["sequence"])
        ids[got.headers["webhook-id"]] += 1
        await asyncio.sleep(0.001 * secrets.randbelow(5))
        return 500 if secrets.randbelow(10) == 0 else 204

    acknowledged: dict[str, list[int]] = defaultdict(list)
    async with receiving(answer) as receiver:
        process, url = await start(tmp_path)
        async with jobpass.AsyncClient(url, made.login) as ann:
            pipeline = (await ann.job(made.job.uuid)).pipeline_uuid
            jobs = [await ann.create_job(pipeline, {"number": number}) for number in range(JOBS)]
            hook = await ann.create_webhook(receiver.url, pipeline_uuid=pipeline, events=["update"])
        for _ in range(KILLS):
            senders = [asyncio.create_task(send(url, job.uuid, job.token, acknowledged)) for job in jobs]
            await asyncio.sleep(0.2 + secrets.randbelow(300) / 1000)
            process.kill()
            await process.wait()
            await asyncio.gather(*senders)
            process, url = await start(tmp_path)
        async with jobpass.AsyncClient(url, made.login) as ann:
            histories = {job.uuid: [one async for one in ann.iter_history(job.uuid)] for job in jobs}

            async def all_told() -> bool:
                waiting = (await ann.webhook(hook.id)).waiting
                return not waiting and all(set(acknowledged[job.uuid]) <= set(told[job.uuid]) for job in jobs)

            await eventually(all_told, seconds=60)
            assert (await ann.webhook(hook.id)).dead == 0
        process.terminate()
        await process.wait()
    for job in jobs:
        recorded = [event.sequence for event in histories[job.uuid] if event.name == "update"]
        assert list(dict.fromkeys(told[job.uuid])) == recorded
        assert told[job.uuid] == sorted(told[job.uuid])
        assert set(acknowledged[job.uuid]) <= set(recorded)
    assert sum(map(len, acknowledged.values())) > 100
