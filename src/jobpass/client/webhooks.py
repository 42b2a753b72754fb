"""The operations about webhooks.

A secret is shown once: what makes one is not sent again once it was sent.
"""

from __future__ import annotations

from collections.abc import Collection

from jobpass.client.asking import Asking, Stream, pages, path_of, to_body
from jobpass.client.exchange import Operation
from jobpass.errors import InvalidInput, UnknownWebhook
from jobpass.wire import paths
from jobpass.wire.webhooks import (
    DeadLetter,
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


class Webhooks(Asking):
    """Having a URL told of events."""

    def create_webhook(
        self,
        url: str,
        *,
        job_uuid: str | None = None,
        pipeline_uuid: str | None = None,
        events: Collection[str] = (),
    ) -> Operation[WebhookAnswer]:
        """Have ``url`` told of a job's events, or of those of a pipeline's jobs that one may see; of all if none named.

        ``secret`` of the answer verifies what comes; it is shown this once.
        """
        if isinstance(events, str):
            raise InvalidInput.at("json.events", "must be a list of texts")
        body = to_body(NewWebhook(url, job_uuid, pipeline_uuid, list(events)))
        return (yield from self._ask("POST", paths.WEBHOOKS, WebhookAnswer, body=body, again="unsent"))

    def webhook(self, webhook_id: str) -> Operation[WebhookAnswer]:
        """A webhook, with how many deliveries wait for it and how many were given up."""
        return (yield from self._ask("GET", _of(paths.WEBHOOK, webhook_id), WebhookAnswer))

    def webhooks(self, *, after: str | None = None, limit: int | None = None) -> Operation[WebhookList]:
        """One page of webhooks: all for an operator, one's own for an author."""
        return (yield from self._ask("GET", paths.WEBHOOKS, WebhookList, after=after, limit=limit))

    def iter_webhooks(self, *, limit: int | None = None) -> Stream[WebhookAnswer]:
        """All webhooks, ``limit`` a request."""
        return pages(lambda after: self.webhooks(after=after, limit=limit), lambda page: page.webhooks)

    def delete_webhook(self, webhook_id: str) -> Operation[None]:
        """End a webhook and all that waits for it."""
        yield from self._ask("DELETE", _of(paths.WEBHOOK, webhook_id), DeletedWebhook, again="unsent")

    def rotate_webhook(self, webhook_id: str, grace_seconds: int = 86_400) -> Operation[WebhookAnswer]:
        """A new secret; the one before signs too for ``grace_seconds`` (0 to 604,800)."""
        path, body = _of(paths.WEBHOOK_ROTATE, webhook_id), to_body(RotateSecret(grace_seconds))
        return (yield from self._ask("POST", path, WebhookAnswer, body=body, again="unsent"))

    def enable_webhook(self, webhook_id: str) -> Operation[WebhookAnswer]:
        """Have a disabled webhook told of what happens from now on; see ``retry_dead_letters`` for the rest."""
        return (yield from self._ask("POST", _of(paths.WEBHOOK_ENABLE, webhook_id), WebhookAnswer))

    def ping_webhook(self, webhook_id: str) -> Operation[str]:
        """Send it something that means nothing, once; its ``webhook-id``. If that fails it is a dead letter."""
        answer = yield from self._ask("POST", _of(paths.WEBHOOK_PING, webhook_id), PingAnswer, again="unsent")
        return answer.message_id

    def dead_letters(
        self, webhook_id: str, *, after: str | None = None, limit: int | None = None
    ) -> Operation[DeadLetterPage]:
        """One page of what was given up, in the order in which it happened."""
        path = _of(paths.WEBHOOK_DEAD, webhook_id)
        return (yield from self._ask("GET", path, DeadLetterPage, after=after, limit=limit))

    def iter_dead_letters(self, webhook_id: str, *, limit: int | None = None) -> Stream[DeadLetter]:
        """All that was given up, ``limit`` a request."""
        return pages(
            lambda after: self.dead_letters(webhook_id, after=after, limit=limit), lambda page: page.dead_letters
        )

    def retry_dead_letters(self, webhook_id: str, ids: Collection[int] | None = None) -> Operation[int]:
        """Try again what was given up, these or all; how many those are."""
        body = to_body(RetryRequest(None if ids is None else list(ids)))
        answer = yield from self._ask("POST", _of(paths.WEBHOOK_RETRY, webhook_id), RetryAnswer, body=body)
        return answer.retried


def _of(template: str, webhook_id: str) -> str:
    return path_of(template, webhook_id, UnknownWebhook, "webhook")
