"""Bodies as they come in: bounded in size and time, and of one type."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from jobpass.errors import InvalidInput, TooLarge, WrongContentType
from jobpass.wire.strict import BODY

if TYPE_CHECKING:
    from jobpass.server.call import Call

DRAINED_BYTES: Final = 16 * 1024 * 1024
"""Of a body too large, so much is read and dropped, so that a client which only writes gets to read the answer."""


class ClientGone(Exception):  # noqa: N818 - no error: nobody is left to be told
    """The client closed the connection before its request was whole."""


async def read_body(call: Call) -> bytes:
    """The whole body. Raises ``TooLarge``, ``WrongContentType`` (only if there is a body), or ``ClientGone``."""
    deadlines = call.deadlines
    task = deadlines.begin()
    late = False
    try:
        body = await _read(call)
    except asyncio.CancelledError:
        late = deadlines.end(task)
        if not late:
            raise
    finally:
        deadlines.end(task)
    if late:
        call.close = True
        raise InvalidInput.at(BODY, "did not come in time")
    if body:
        _check_type(call)
    return body


async def _read(call: Call) -> bytes:
    limit = call.body_limit_bytes
    message = await call.receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body") and len(body) <= limit:
        return body
    chunks, size = [body], len(body)
    while message["type"] == "http.request" and message.get("more_body") and size < DRAINED_BYTES:
        message = await call.receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        else:
            chunks.clear()
    if message["type"] == "http.disconnect":
        raise ClientGone
    if size > limit:
        call.close = True
        raise TooLarge(f"The body has more than {limit} bytes.", limit_bytes=limit)
    return b"".join(chunks)


def _check_type(call: Call) -> None:
    """JSON only, in UTF-8 if a charset is told (RFC 8259 §8.1)."""
    values = call.header_values(b"content-type")
    if values == (b"application/json",):
        return
    if len(values) == 1:
        media, _, parameters = values[0].decode("latin-1").lower().partition(";")
        told = parameters.replace(" ", "").replace('"', "").rstrip(";")
        if media.strip() == "application/json" and told in ("", "charset=utf-8", "charset=utf8"):
            return
    raise WrongContentType("The body must be application/json.", expected="application/json")
