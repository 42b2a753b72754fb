"""A sound request for each route, so that tests can walk the whole table."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from jobpass.server.route import Route
from jobpass.wire import paths
from support.asgi import Answer
from support.site import PASSWORD, PIPELINE, Owned, Site

PUBLIC = {paths.LOGIN, paths.HEALTH, paths.READY, paths.OPENAPI}
"""Templates that ask for no token: log in, health, and a document that is the same everywhere."""


class Things(NamedTuple):
    """What there is in a site: the login tokens of an author and an operator, her job, her request for an admin key."""

    ann: str
    olga: str
    job: Owned
    pipeline: str
    key_id: str
    key_hash: str


async def make_things(site: Site) -> Things:
    """Fill a site."""
    ann, olga = await site.login("ann"), await site.login("olga", "operator")
    job = await site.job(ann)
    asked = {"use_case": "repair", "storage": "a vault", "lifetime_seconds": 600}
    key = (await site.ask("POST", "/api/admin-keys", token=ann, json=asked)).json()
    return Things(ann, olga, job, await site.pipeline(ann), key["id"], key["request_hash"])


def sample(route: Route, things: Things) -> tuple[str, Any]:
    """The path and the body (JSON, or members of a form) of a sound request; the body is None if there is none."""
    segment = {"jobs": things.job.uuid, "pipelines": things.pipeline, "admin_keys": things.key_id, "accounts": "1"}
    place = route.handler.__module__.rpartition(".")[2]
    path = re.sub(r"\{\w+\}", segment.get(place, ""), route.template)
    bodies: dict[str, Any] = {
        paths.JOB_EVENTS: {"name": "update"},
        paths.JOB_ROTATE: {"grace_seconds": 1},
        paths.JOB_RESET: {"data": {"why": "a test"}},
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
    }
    return path, bodies[route.template] if route.body is not None else None


async def send(site: Site, route: Route, things: Things, token: str | None) -> Answer:
    """The sound request with this token."""
    path, body = sample(route, things)
    if route.form:
        return await site.ask(route.method, path, token=token, form=body)
    return await site.ask(route.method, path, token=token, json=body)
