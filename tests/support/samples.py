"""A sound request for each route, so that tests can walk the whole table."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from msgspec.structs import replace

from jobpass.records import Change, Job
from jobpass.server.route import Route
from jobpass.wire import paths
from support.asgi import Answer
from support.site import PASSWORD, PIPELINE, Owned, Site

PUBLIC = {paths.LOGIN, paths.HEALTH, paths.READY, paths.OPENAPI, paths.PLATFORMS_PUBLIC}
"""Templates that ask for no token: log in, health, what anybody is told, and a document that is the same everywhere."""


WEBHOOK_URL = "http://127.0.0.1:9/"
"""Nobody is there, and nothing is sent."""


class Things(NamedTuple):
    """What there is in a site: an author's and an operator's login token; her job, request for a key, webhook and job
    tokens (one of them revoked); the operator's API keys (likewise) and the platform ``sim:local``."""

    ann: str
    olga: str
    job: Owned
    pipeline: str
    key_id: str
    key_hash: str
    webhook: str
    token_id: int
    token: str
    revoked_id: int
    api_key_id: int
    revoked_key_id: int


async def make_things(site: Site) -> Things:
    """Fill a site."""
    ann, olga = await site.login("ann"), await site.login("olga", "operator")
    job = await site.job(ann)
    asked = {"use_case": "repair", "storage": "a vault", "lifetime_seconds": 600}
    key = (await site.ask("POST", "/api/admin-keys", token=ann, json=asked)).json()
    hook = (await site.ask("POST", "/api/webhooks", token=ann, json={"url": WEBHOOK_URL, "job_uuid": job.uuid})).json()
    token, revoked = [(await site.ask("POST", "/api/tokens", token=ann, json={})).json() for _ in range(2)]
    ended = {"token_id": str(revoked["token_id"])}
    assert (await site.ask("POST", "/api/tokens/revoke", token=ann, form=ended)).status == 200
    keys = [(await site.ask("POST", "/api/apikeys", token=olga, json={})).json()["id"] for _ in range(2)]
    assert (await site.ask("POST", f"/api/apikeys/{keys[1]}/revoke", token=olga)).status == 200
    assert (await site.ask("POST", "/api/platforms", token=olga, json={"name": "sim:local"})).status in (200, 409)
    made = ann, olga, job, await site.pipeline(ann), key["id"], key["request_hash"], hook["id"]
    return Things(*made, token["token_id"], token["token"], revoked["token_id"], *keys)


def sample(route: Route, things: Things) -> tuple[str, Any]:
    """The path and the body (JSON, or members of a form) of a sound request; the body is None if there is none."""
    segment = {"jobs": things.job.uuid, "pipelines": things.pipeline, "admin_keys": things.key_id, "accounts": "1"}
    segment |= {"webhooks": things.webhook, "files": things.job.uuid, "tokens": str(things.token_id)}
    key = things.revoked_key_id if route.template == paths.API_KEY_REOPEN else things.api_key_id
    segment |= {"api_keys": str(key), "platforms": "sim:local"}
    place = route.handler.__module__.rpartition(".")[2]
    path = re.sub(r"\{\w+\}", segment.get(place, ""), route.template)
    bodies: dict[str, Any] = {
        paths.JOB_EVENTS: {"name": "update"},
        paths.JOB_ROTATE: {"grace_seconds": 1},
        paths.JOB_RESET: {"data": {"why": "a test"}},
        paths.JOB_INDEX: {"level": "2", "fixity": False},
        paths.JOBS: {"pipeline_uuid": things.pipeline, "data": {}},
        paths.PIPELINES: PIPELINE,
        paths.LOGIN: {"email": "ann@example.org", "password": PASSWORD},
        paths.USERS: {"email": "new@example.org", "password": "a long and odd sentence"},
        paths.USER_PASSWORD: {"password": "another odd long sentence", "present": PASSWORD},
        paths.ADMIN_KEYS: {"use_case": "repair", "storage": "a vault"},
        paths.ADMIN_KEY: {"use_case": "repair", "storage": "a safe"},
        paths.ADMIN_KEY_APPROVE: {"request_hash": things.key_hash},
        paths.ADMIN_KEY_DENY: {"reason": "no need"},
        paths.ADMIN_KEY_REVOKE: {"reason": "lost"},
        paths.INTROSPECT: {"token": things.job.token},
        paths.REVOKE: {"token": things.job.token},
        paths.USER: {"first_name": "Ann"},
        paths.TOKENS_CONTAIN: {"token": things.token},
        paths.API_KEYS: {"label": "a worker"},
        paths.PLATFORMS: {"name": "sim:another"},
        paths.PLATFORM: {"description": "another one"},
        paths.WEBHOOKS: {"url": WEBHOOK_URL, "job_uuid": things.job.uuid},
        paths.WEBHOOK_ROTATE: {"grace_seconds": 1},
        paths.WEBHOOK_RETRY: {"ids": [1]},
    }
    cloud: dict[str, Any] = {
        "generate": {"duration": 60},
        "update": {"label": "another"},
        "revoke": {"token_id": str(things.token_id)},
        "reopen": {"token_id": str(things.revoked_id)},
        "delete": {"tokens": [things.token]},
        "delete_by_ids": {"token_ids": [things.token_id]},
    }
    if route.contract:
        return path, cloud[route.handler.__name__] if route.body is not None else None
    return path, bodies[route.template] if route.body is not None else None


async def finished(site: Site, job: Owned) -> None:
    """Put the job where it can be indexed, past every rule."""

    def judge(found: Job | None, _prior: object) -> Change:
        assert found is not None
        return Change(found, replace(found, state="FINISHED", archive_system="s", archive_path="/a/b"), None)

    await site.store.apply(job.uuid, judge)


async def send(site: Site, route: Route, things: Things, token: str | None) -> Answer:
    """The sound request with this token."""
    path, body = sample(route, things)
    if route.form:
        return await site.ask(route.method, path, token=token, form=body)
    return await site.ask(route.method, path, token=token, json=body)
