"""A site with a platform, somebody's job token, and a worker's key: what compute jobs need over HTTP."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from support.asgi import Answer
from support.site import Site

PLATFORM = "sim:local"
PAYLOAD = {"command": "probs", "experiment": ":PCVL:zip:e", "max_shots": 1000, "job_context": None}
JOB = {
    "pcvl_version": "1.3.1",
    "process_id": "95ad89df-2818-4b6f-a898-d46b883f9d7c",
    "payload": PAYLOAD,
    "platform_name": PLATFORM,
    "job_name": "probs",
    "unknown": {"to": "us"},
}
RESULT = b'{"results": ":PCVL:BSDistribution:{|2,0>=0.5;|0,2>=0.5}", "a\\u0041\\\\": "\xc3\xbc",\n "global_perf": 1.0}'


class Yard(NamedTuple):
    """A site, and what one needs to use its queue."""

    site: Site
    login: str
    token: str
    operator: str
    key: str

    async def get(self, path: str, token: str | None = None) -> Answer:
        """What somebody reads; the owner unless told."""
        return await self.site.ask("GET", path, token=token or self.token)

    async def post(self, path: str, token: str | None = None, **sent: Any) -> Answer:
        """What somebody sends."""
        return await self.site.ask("POST", path, token=token or self.token, **sent)

    async def submit(self, token: str | None = None, **changed: Any) -> str:
        """The id of a new job."""
        answer = await self.post("/api/job", token, json=JOB | changed)
        assert answer.status == 200, answer.body
        return answer.json()["job_id"]

    async def lease(self, worker: str = "w1", wait_s: float = 0) -> Any:
        """The job that a worker gets, or None."""
        wanted = {"worker_id": worker, "platforms": [PLATFORM], "wait_s": wait_s}
        answer = await self.post("/api/workers/jobs/next", self.key, json=wanted)
        assert answer.status == 200, answer.body
        return answer.json()["job"]

    async def report(self, job: Any, what: str, **sent: Any) -> Answer:
        """What the worker of a lease says."""
        return await self.post(f"/api/workers/jobs/{job['job_id']}/{what}", job["token"], **sent)

    async def complete(self, job: Any, text: bytes = RESULT) -> Answer:
        """The worker's results."""
        return await self.report(job, "complete?results_type=probs&shots=7", body=text)

    async def end(self, text: bytes = RESULT) -> str:
        """The id of a job that was done."""
        job_id = await self.submit()
        assert (await self.complete(await self.lease(), text)).status == 200
        return job_id

    async def status(self, job_id: str) -> Any:
        """How a job stands."""
        answer = await self.get(f"/api/job/status/{job_id}")
        assert answer.status == 200, answer.body
        return answer.json()


async def make_yard(site: Site) -> Yard:
    """Fill a site."""
    ann, olga = await site.login("ann"), await site.login("olga", "operator")
    made = await site.ask(
        "POST", "/api/platforms", token=olga, json={"name": PLATFORM, "constraints": {"max_mode_count": 9}}
    )
    assert made.status == 200, made.body
    key = (await site.ask("POST", "/api/apikeys", token=olga, json={"platforms": [PLATFORM]})).json()["key"]
    token = (await site.ask("POST", "/api/tokens", token=ann, json={"label": "mine"})).json()["token"]
    return Yard(site, ann, token, olga, key)


def events_of(stream: bytes) -> list[tuple[str, Any]]:
    """The names and data of server-sent events."""
    found = []
    for block in stream.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found
