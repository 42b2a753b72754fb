"""Bodies as they come in: bounded in size and time, and of the type that the route reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import parse_qsl

from jobpass.errors import Error, InvalidInput, TooLarge, WrongContentType
from jobpass.wire.power import TokenForm
from jobpass.wire.problems import scrub
from jobpass.wire.strict import BODY

if TYPE_CHECKING:
    from jobpass.server.call import Call

T = TypeVar("T")

DRAINED_BYTES: Final = 16 * 1024 * 1024
"""Of a body too large, so much is read and dropped, so that a client which only writes gets to read the answer."""


FORM: Final = "application/x-www-form-urlencoded"
MAX_MEMBERS: Final = 32
"""Of a form; more are refused unread."""


class ClientGone(Exception):  # noqa: N818 - no error: nobody is left to be told
    """The client closed the connection before its request was whole."""


async def read_body(call: Call, media_type: str = "application/json") -> bytes:
    """The whole body. Raises ``TooLarge``, ``WrongContentType`` (only if there is a body), or ``ClientGone``."""
    if call.body is None:
        body = await _receive(call)
    else:
        body = call.body
        if len(body) > call.body_limit_bytes:
            raise _too_large(call)
    if body:
        _check_type(call, media_type)
    return body


async def _receive(call: Call) -> bytes:
    """The body as it comes, within the time that there is for it; whoever sends it may not do so slowly to outlive
    the end of a token."""
    body = await _within_time(call, lambda: _read(call))
    if call.presented is not None and call.presented.session is not None:
        call.presented = await call.authority.credentials.anew(call.presented)
    return body


async def _within_time(call: Call, read: Callable[[], Awaitable[T]]) -> T:
    deadlines = call.deadlines
    task = deadlines.begin()
    late = False
    try:
        found = await read()
    except asyncio.CancelledError:
        late = deadlines.end(task)
        if not late:
            raise
    finally:
        deadlines.end(task)
    if late:
        call.close = True
        raise InvalidInput.at(BODY, "did not come in time")
    return found


@asynccontextmanager
async def streamed_body(call: Call, media_type: str = "application/json") -> AsyncIterator[AsyncIterator[bytes]]:
    """The body in pieces as they come, each within the time that there is for a whole one elsewhere.

    Whoever takes them bounds how many there are. If that ends with an error, some of the rest is read and dropped.
    """
    pieces = _pieces(call, media_type)
    try:
        yield pieces
    except Error:
        call.close = call.body is None
        await _drop(pieces)
        raise
    finally:
        await pieces.aclose()


async def _pieces(call: Call, media_type: str) -> AsyncGenerator[bytes, None]:
    if call.body is not None:
        if call.body:
            _check_type(call, media_type)
            yield call.body
        return
    checked = more = False
    while not checked or more:
        message = await _within_time(call, call.receive)
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece, more = message.get("body", b""), message.get("more_body", False)
        if piece and not checked:
            _check_type(call, media_type)
        checked = True
        if piece:
            yield piece


async def _drop(pieces: AsyncIterator[bytes]) -> None:
    dropped = 0
    with suppress(Error):
        async for piece in pieces:
            dropped += len(piece)
            if dropped > DRAINED_BYTES:
                return


@asynccontextmanager
async def listened_to(call: Call) -> AsyncIterator[Callable[[], bool]]:
    """Tells whether the client is still there, for whoever lets it wait once its body was read."""
    if call.body is not None:  # it is in this process
        yield lambda: True
        return
    leaving = asyncio.ensure_future(call.receive())
    try:
        yield lambda: not leaving.done()
    finally:
        leaving.cancel()


async def read_told(call: Call) -> bytes:
    """The body, which others will read or the audit keeps: ``InvalidInput`` if something in it could be a token."""
    body = await read_body(call)
    if scrub(body) != body:
        raise InvalidInput.at(BODY, "holds a token; whoever reads it could use it")
    return body


async def read_members(call: Call) -> dict[str, str]:
    """The members of a form."""
    return form_members(await read_body(call, FORM))


async def read_form(call: Call) -> TokenForm:
    """The form of RFC 7662 and RFC 7009. Members that are not known are passed over, as RFC 6749 §3.2 asks."""
    members = await read_members(call)
    token = members.get("token")
    if not token:
        raise InvalidInput.at("form.token", "is required")
    return TokenForm(token, members.get("token_type_hint"))


def form_members(body: bytes) -> dict[str, str]:
    """The members of a form; ``InvalidInput`` if it is none, or has one that comes twice."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_MEMBERS)
    except ValueError:  # not UTF-8, before or behind the percent signs, or too many members
        raise InvalidInput.at("form._body", "is not a form") from None
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidInput.at("form._body", "has a member that comes twice")
    return members


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
        raise _too_large(call)
    return b"".join(chunks)


def _too_large(call: Call) -> TooLarge:
    limit = call.body_limit_bytes
    return TooLarge(f"The body has more than {limit} bytes.", limit_bytes=limit)


def _check_type(call: Call, media_type: str) -> None:
    """One type only, in UTF-8 if a charset is told (RFC 8259 §8.1)."""
    values = call.header_values(b"content-type")
    if values == (media_type.encode(),):
        return
    if len(values) == 1:
        media, _, parameters = values[0].decode("latin-1").lower().partition(";")
        told = parameters.replace(" ", "").replace('"', "").rstrip(";")
        if media.strip() == media_type and told in ("", "charset=utf-8", "charset=utf8"):
            return
    raise WrongContentType(f"The body must be {media_type}.", expected=media_type)
