"""What the server tells webhooks, put together."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from jobpass.clock import SystemClock
from jobpass.outbox.addresses import Allowed
from jobpass.outbox.places import Places

if TYPE_CHECKING:
    from jobpass.compose.installation import Installation
    from jobpass.outbox.outbox import Outbox
    from jobpass.settings import Settings


def make_outbox(opened: Installation, settings: Settings) -> Outbox:
    """What sends, over an installation that is open; nothing is sent before it is run."""
    from jobpass.outbox.outbox import Outbox
    from jobpass.outbox.sender import Sender

    sender = Sender(Places(Allowed(settings.webhook_networks)))
    return Outbox(
        opened.authority,
        opened.store,
        sender,
        SystemClock(),
        secrets.token_bytes,
        retry_seconds=settings.webhook_retry_seconds,
    )
