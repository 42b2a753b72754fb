"""A site whose webhooks are told, in this process."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import Any, NamedTuple

from jobpass.outbox.addresses import Allowed
from jobpass.outbox.outbox import Limits, Outbox
from jobpass.outbox.places import Places
from jobpass.outbox.sender import Sender
from support.site import Owned, Site


async def eventually(happens: Callable[[], Any], seconds: float = 10) -> Any:
    """What ``happens`` answers (it may be awaitable) once that is true."""
    async with asyncio.timeout(seconds):
        while True:
            answer = happens()
            answer = await answer if isawaitable(answer) else answer
            if answer:
                return answer
            await asyncio.sleep(0.01)


class House(NamedTuple):
    """A site with an author's login token and her job."""

    site: Site
    ann: str
    job: Owned

    async def subscribe(self, url: str, token: str | None = None, **wanted: Any) -> dict[str, Any]:
        """A webhook on the job unless told, as it is answered."""
        body = {"url": url} | (wanted or {"job_uuid": self.job.uuid})
        answer = await self.site.ask("POST", "/api/webhooks", token=token or self.ann, json=body)
        assert answer.status == 200, answer.body
        return answer.json()

    async def send(self, *names: str, job: Owned | None = None) -> None:
        """Events of the job."""
        for name in names:
            answer = await self.site.send(job or self.job, name, data={"of": name})
            assert answer.status == 200, answer.body

    async def webhook(self, made: dict[str, Any]) -> dict[str, Any]:
        """It as it is shown now."""
        return (await self.site.ask("GET", f"/api/webhooks/{made['id']}", token=self.ann)).json()

    async def dead(self, made: dict[str, Any]) -> list[dict[str, Any]]:
        """What was given up."""
        path = f"/api/webhooks/{made['id']}/dead-letters"
        return (await self.site.ask("GET", path, token=self.ann)).json()["dead_letters"]

    async def until(self, made: dict[str, Any], **expected: Any) -> dict[str, Any]:
        """The webhook once it is shown so."""

        async def shown() -> dict[str, Any] | None:
            found = await self.webhook(made)
            return found if {name: found[name] for name in expected} == expected else None

        return await eventually(shown)

    async def disabled(self, made: dict[str, Any]) -> None:
        """Return once it is disabled."""

        async def is_disabled() -> bool:
            found = await self.site.store.find_webhook(made["id"])
            return found is not None and found.disabled_at is not None

        await eventually(is_disabled)


@asynccontextmanager
async def sending(
    site: Site,
    *,
    retry_seconds: tuple[int, ...] = (0, 0),
    limits: Limits | None = None,
    limit_seconds: float = 5,
    places: Places | None = None,
) -> AsyncIterator[Outbox]:
    """What sends, while the context lasts."""
    sender = Sender(places or Places(Allowed(["127.0.0.0/8"])), limit_seconds=limit_seconds)
    outbox = Outbox(
        site.authority,
        site.store,
        sender,
        site.clock,
        secrets.token_bytes,
        retry_seconds=retry_seconds,
        limits=limits or Limits(),
        poll_seconds=0.01,
        lease_seconds=limit_seconds + 5,
    )
    task = asyncio.create_task(outbox.run())
    try:
        yield outbox
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task.exception()
