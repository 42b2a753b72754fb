"""What signs the messages to webhooks, after the Standard Webhooks specification.

Nothing of it is stored: a secret follows from a root key, the webhook's id and the number of the secret.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Final

from jobpass.records import Webhook
from jobpass.tokens.mac import hmac_sha256

if TYPE_CHECKING:
    from jobpass.tokens.keyring import Keyring

PREFIX: Final = "whsec_"
"""Of a secret's text; the rest is base64."""


class Secrets:
    """The secrets of all webhooks, as far as their root keys are there."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self.living = frozenset(key.kid for key in keyring.keys if key.state != "retired")

    def text(self, webhook: Webhook) -> str:
        """The secret that signs now: for its owner, who is told once."""
        return PREFIX + base64.b64encode(self._key(webhook.kid, webhook.id, webhook.secret_number)).decode()

    def signature(self, webhook: Webhook, message_id: str, timestamp: int, body: bytes, at: datetime) -> str:
        """The ``webhook-signature`` header: by the secret, and while it may also by the one before.

        ``KeyringError`` if the root key of the secret is not there any more.
        """
        signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
        keys = [self._key(webhook.kid, webhook.id, webhook.secret_number)]
        before, until = webhook.previous_kid, webhook.previous_until
        if before is not None and before in self.living and until is not None and at < until:
            keys.append(self._key(before, webhook.id, webhook.secret_number - 1))
        return " ".join(f"v1,{base64.b64encode(hmac_sha256(key, signed)).decode()}" for key in keys)

    def _key(self, kid: str, webhook_id: str, number: int) -> bytes:
        return self._keyring.derive(kid, f"webhook/{webhook_id}/{number}")
