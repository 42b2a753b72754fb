"""The bearer text of a request: from the ``Authorization`` header, and from nowhere else (RFC 6750 §2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobpass.errors import MalformedToken, MissingToken

if TYPE_CHECKING:
    from jobpass.authority.bearer import Bearer
    from jobpass.server.call import Call


async def identify(call: Call) -> Bearer:
    """Who sends the request; ``InvalidToken``. A forged text is refused without any look-up."""
    credentials = call.authority.credentials
    call.text = bearer_text(call)
    return await credentials.identify(credentials.verify(call.text), call.address)


def bearer_text(call: Call) -> str:
    """The text after ``Bearer``; ``MissingToken`` without such a header, ``MalformedToken`` for two of them."""
    values = call.header_values(b"authorization")
    if not values:
        raise MissingToken("There is no Authorization header.")
    if len(values) > 1:
        raise MalformedToken("There is more than one Authorization header.")
    scheme, _, text = values[0].partition(b" ")
    if scheme.lower() != b"bearer":
        raise MissingToken("The Authorization header is not of the scheme Bearer.")
    try:
        return text.strip(b" ").decode("ascii")
    except UnicodeDecodeError:
        raise MalformedToken("The bearer text is not ASCII.") from None
