"""Answers in pieces: as fast as the client takes them, and no longer than it is there."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from jobpass.errors import Error
from jobpass.server.call import Streamed

if TYPE_CHECKING:
    from jobpass.server.call import Call, Receive, Send

WHOLE_BYTES: Final = 64 * 1024
"""A shorter JSON answer is sent at once: each piece costs both sides a system call and a turn of the loop."""
GONE: Final = "client_gone"
"""The reason in the log for an answer that nobody waited for."""

log = logging.getLogger("jobpass.server")
_encode = msgspec.json.Encoder().encode
_control = re.compile(rb"[\x00-\x1f]")


async def gathered(answer: Streamed) -> bytes | Streamed:
    """The whole of a short answer; a longer one as it came, with what was taken from it before the rest."""
    taken, size = [], 0
    async for piece in answer.pieces:
        taken.append(piece)
        size += len(piece)
        if size > WHOLE_BYTES:
            return Streamed(_again(taken, answer.pieces), answer.media_type)
    return b"".join(taken)


async def _again(taken: list[bytes], rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        yield b"".join(taken)
        async for piece in rest:
            yield piece
    finally:
        await rest.aclose()


async def send_streamed(receive: Receive, send: Send, method: str, call: Call, answer: Streamed) -> str:
    """Send the answer; why it broke off, or nothing. A client that goes away ends it at once."""
    headers = [
        (b"content-type", answer.media_type),
        (b"cache-control", b"no-store"),
        (b"x-request-id", call.request_id.encode("ascii")),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if method == "HEAD":
        await answer.pieces.aclose()
        await send({"type": "http.response.body", "body": b""})
        return ""
    gone = asyncio.ensure_future(_gone(receive))
    try:
        return await _send_pieces(send, answer.pieces, gone)
    except Exception as error:  # the head is out: only a connection that breaks tells that this is not all
        shown = error.code if isinstance(error, Error) else type(error).__name__
        log.error("an answer broke off: %s", shown, extra={"request_id": call.request_id})
        raise ConnectionAbortedError(shown) from None
    finally:
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone
        await answer.pieces.aclose()


async def _send_pieces(send: Send, pieces: AsyncGenerator[bytes, None], gone: asyncio.Future[None]) -> str:
    while True:
        coming = asyncio.ensure_future(anext(pieces, None))
        await asyncio.wait((coming, gone), return_when=asyncio.FIRST_COMPLETED)
        if not coming.done():
            coming.cancel()
            with suppress(asyncio.CancelledError):
                await coming
            return GONE
        piece = coming.result()
        if piece is None:
            await send({"type": "http.response.body", "body": b""})
            return ""
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        if gone.done():
            return GONE


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def spliced(
    answer: Struct, member: str, pieces: AsyncIterator[bytes], *, text: bool = False, within: str | None = None
) -> Streamed:
    """The JSON object of ``answer`` with one member more, whose JSON comes in pieces; with ``text`` that is the text
    which the member is. With ``within`` it is all a member of that name itself."""
    return Streamed(_spliced(_encode(answer), member, pieces, text=text, within=within))


async def _spliced(
    head: bytes, member: str, pieces: AsyncIterator[bytes], *, text: bool, within: str | None
) -> AsyncGenerator[bytes, None]:
    opening, mark = b'"%b":' % member.encode(), b'"' if text else b""
    before = b"" if within is None else b'{"%b":' % within.encode()
    yield before + head[:-1] + b"," + opening + mark
    async for piece in pieces:
        yield escaped(piece) if text else piece
    yield mark + b"}" + (b"" if within is None else b"}")


def escaped(piece: bytes) -> bytes:
    """A piece of UTF-8 as it stands in a JSON text, wherever it was cut."""
    piece = piece.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return _control.sub(lambda found: b"\\u%04x" % found.group()[0], piece)
