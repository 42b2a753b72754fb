"""What a webhook is sent: the same bytes for the same delivery, each time."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from jobpass.records import Claim
from jobpass.wire.problems import scrub
from jobpass.wire.webhooks import EventData, EventMessage, PingMessage

MEDIA_TYPE: Final = "application/json"

_encode = msgspec.json.Encoder().encode


def body(claim: Claim) -> bytes:
    """The JSON text; whatever looks like a token in it is cut after its prefix."""
    event, pipeline_uuid, delivery = claim.happened, claim.pipeline_uuid, claim.delivery
    if event is None or pipeline_uuid is None or delivery.job_uuid is None:
        return _encode(PingMessage("webhook.ping", delivery.made_at, {"webhook": delivery.webhook}))
    data = EventData(
        delivery.job_uuid,
        pipeline_uuid,
        event.sequence,
        event.name,
        event.uuid,
        event.state,
        event.at,
        Raw(event.data),
    )
    return scrub(_encode(EventMessage("job.event", event.at, data)))
