"""Webhooks: subscribe, see, rotate, end, and try again what was given up."""

from __future__ import annotations

import msgspec

from jobpass.server import present
from jobpass.server.body import read_body, read_told
from jobpass.server.call import Call
from jobpass.server.query import limit
from jobpass.wire.strict import decode
from jobpass.wire.webhooks import (
    DeadLetterPage,
    DeletedWebhook,
    NewWebhook,
    PingAnswer,
    RetryAnswer,
    RetryRequest,
    RotateSecret,
    WebhookAnswer,
    WebhookList,
)

_new = msgspec.json.Decoder(NewWebhook)
_rotation = msgspec.json.Decoder(RotateSecret)
_retry = msgspec.json.Decoder(RetryRequest)


async def create(call: Call) -> WebhookAnswer:
    """``POST /api/webhooks``"""
    new = decode(await read_told(call), _new)
    made = await call.authority.webhooks.create(
        call.bearer, new.url, job_uuid=new.job_uuid, pipeline_uuid=new.pipeline_uuid, events=new.events
    )
    return present.webhook(made.webhook, secret=made.secret)


async def list_webhooks(call: Call) -> WebhookList:
    """``GET /api/webhooks``"""
    page = await call.authority.webhooks.list(call.bearer, after=call.query.get("after"), limit=limit(call.query))
    return WebhookList([present.webhook(webhook) for webhook in page.items], page.next)


async def show(call: Call) -> WebhookAnswer:
    """``GET /api/webhooks/{id}``"""
    seen = await call.authority.webhooks.read(call.bearer, call.id)
    return present.webhook(seen.webhook, waiting=seen.waiting, dead=seen.dead)


async def delete(call: Call) -> DeletedWebhook:
    """``DELETE /api/webhooks/{id}``"""
    await call.authority.webhooks.delete(call.bearer, call.id)
    return DeletedWebhook(call.id, deleted=True)


async def rotate(call: Call) -> WebhookAnswer:
    """``POST /api/webhooks/{id}/rotate``: the body may be absent."""
    body = await read_body(call)
    rotation = decode(body, _rotation) if body else RotateSecret()
    made = await call.authority.webhooks.rotate(call.bearer, call.id, rotation.grace_seconds)
    return present.webhook(made.webhook, secret=made.secret)


async def enable(call: Call) -> WebhookAnswer:
    """``POST /api/webhooks/{id}/enable``"""
    return present.webhook(await call.authority.webhooks.enable(call.bearer, call.id))


async def ping(call: Call) -> PingAnswer:
    """``POST /api/webhooks/{id}/ping``"""
    return PingAnswer(await call.authority.webhooks.ping(call.bearer, call.id))


async def dead_letters(call: Call) -> DeadLetterPage:
    """``GET /api/webhooks/{id}/dead-letters``"""
    page = await call.authority.webhooks.dead_letters(
        call.bearer, call.id, after=call.query.get("after"), limit=limit(call.query)
    )
    return DeadLetterPage([present.dead_letter(letter) for letter in page.items], page.next)


async def retry(call: Call) -> RetryAnswer:
    """``POST /api/webhooks/{id}/dead-letters/retry``: the body may be absent."""
    body = await read_body(call)
    wanted = decode(body, _retry) if body else RetryRequest()
    return RetryAnswer(await call.authority.webhooks.retry(call.bearer, call.id, wanted.ids))
