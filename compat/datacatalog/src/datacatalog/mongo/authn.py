"""The form in which a connection's URL is kept in settings: base64, which hides nothing."""

from __future__ import annotations

import base64


def encode_connection_string(conn_string: str) -> str:
    """``conn_string`` as the value of ``authn``."""
    return base64.urlsafe_b64encode(conn_string.encode()).decode()


def decode_authn_string(authn_string: str) -> str:
    """The URL in a value of ``authn``. Raises ``ValueError`` for what is not base64 of a text."""
    if not isinstance(authn_string, str):
        raise ValueError("authn must be a text: base64 of a URL such as sqlite:///srv/jobs")
    try:
        # Padding is often lost when a value is copied by hand.
        padded = authn_string.strip() + "=" * (-len(authn_string.strip()) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise ValueError("authn is not base64 of a URL such as sqlite:///srv/jobs") from None
