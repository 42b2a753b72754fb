"""The part of the table of routes that is about webhooks."""

from __future__ import annotations

from typing import Final

from jobpass import errors
from jobpass.server import webhooks
from jobpass.server.route import PAGE, Route
from jobpass.wire import paths
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

WEBHOOKS: Final = (
    Route(
        "POST",
        paths.WEBHOOKS,
        webhooks.create,
        "has a URL told of events; gives the secret that signs, once",
        WebhookAnswer,
        body=NewWebhook,
        refuses=(errors.UnknownJob, errors.Conflict),
    ),
    Route("GET", paths.WEBHOOKS, webhooks.list_webhooks, "lists webhooks", WebhookList, query=PAGE),
    Route("GET", paths.WEBHOOK, webhooks.show, "shows a webhook", WebhookAnswer, refuses=(errors.UnknownWebhook,)),
    Route(
        "POST",
        paths.WEBHOOK_ROTATE,
        webhooks.rotate,
        "gives a new secret; the one before signs too for a while",
        WebhookAnswer,
        body=RotateSecret,
        refuses=(errors.UnknownWebhook,),
    ),
    Route(
        "POST",
        paths.WEBHOOK_ENABLE,
        webhooks.enable,
        "has a disabled webhook told again",
        WebhookAnswer,
        refuses=(errors.UnknownWebhook, errors.Conflict),
    ),
    Route(
        "POST",
        paths.WEBHOOK_PING,
        webhooks.ping,
        "sends something that means nothing",
        PingAnswer,
        refuses=(errors.UnknownWebhook, errors.Conflict, errors.TooMany),
    ),
    Route(
        "GET",
        paths.WEBHOOK_DEAD,
        webhooks.dead_letters,
        "shows what was given up",
        DeadLetterPage,
        query=PAGE,
        refuses=(errors.UnknownWebhook,),
    ),
    Route(
        "POST",
        paths.WEBHOOK_RETRY,
        webhooks.retry,
        "tries again what was given up",
        RetryAnswer,
        body=RetryRequest,
        refuses=(errors.UnknownWebhook, errors.Conflict),
    ),
    Route(
        "DELETE",
        paths.WEBHOOK,
        webhooks.delete,
        "ends a webhook and all that waits for it",
        DeletedWebhook,
        refuses=(errors.UnknownWebhook,),
    ),
)
