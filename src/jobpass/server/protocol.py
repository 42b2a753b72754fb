"""HTTP/1.1 on a connection: uvicorn's, with bounds on the head of a request and with Jobpass's own error body."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from jobpass.wire.messages import Problem

HEAD_BYTES: Final = 64 * 1024
"""What the request line and the headers of one request may have together."""
HEAD_SECONDS: Final = 30
"""They have to come within so many seconds; a connection that sends nothing at all is closed after them too."""
UNREAD_SECONDS: Final = 60
"""A client that takes nothing of its answer for so long is cut off."""

_ANSWER: Final = msgspec.json.encode(
    Problem("This is not an HTTP request that can be read.", {"code": "malformed_request"}, "-")
)


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._last_bytes = 0  # how many came last
        self._first_bytes = 0  # how many came together with the first of this head, others before it included
        self._bound_bytes = 0  # the head has no more than these so far
        self._quiet_bytes = 0  # how many came since the last of a body, or since a head was whole
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there; its first request has to come."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._close)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._end_timer()
        self._end_unread_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client is behind: what was written waits here."""
        super().pause_writing()
        self._unread_timer = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It has taken most of that."""
        self._end_unread_timer()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Bytes came: a head that grows or drags on is not waited for, nor is one that does not follow an answer."""
        size = len(data)
        self._last_bytes = size
        self._bound_bytes += size
        self._quiet_bytes += size
        super().data_received(data)
        if self._in_head:
            if self._bound_bytes - self._first_bytes > HEAD_BYTES:
                self.send_400_response("")
                return
        elif self._quiet_bytes > HEAD_BYTES:  # behind a body, or between its chunks; an answer may be under way
            self._end_timer()
            self._close()
            return
        elif not self.cycle.response_complete:
            return
        # These bytes have ended the time of an idle connection, whatever they are: the rest of a body, an empty line.
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._close)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_head = True
        self._first_bytes = self._bound_bytes = self._last_bytes

    def on_headers_complete(self) -> None:
        """The head is whole. An error here is answered as what is not HTTP."""
        self._in_head = False
        if self._head_timer is not None:
            self._end_timer()
        # Counting each head costs more than it is worth: most cannot be too long, whatever they contain.
        if self._bound_bytes > HEAD_BYTES:
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > HEAD_BYTES:
                raise ValueError("the head is too long")
        upgrade = self.parser.should_upgrade()
        if upgrade:
            self._refuse_body()
        super().on_headers_complete()
        self._quiet_bytes = 0
        if upgrade:  # nobody answers in another protocol; what follows in this one, the parser may pass over
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Some of a body."""
        self._quiet_bytes = 0
        super().on_body(body)

    def on_chunk_header(self) -> None:
        """From here on fields are trailers, which are no part of the head that was read (RFC 9110 §6.5.1): no handler
        sees them."""
        self.headers = []

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's sentence is not shown
        """Answer what is not HTTP, and close."""
        if self.transport.is_closing():
            return
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncache-control: no-store\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_ANSWER), _ANSWER)
        )
        self.transport.close()

    def _refuse_body(self) -> None:
        """Raise if a body is told of by a head that asks for another protocol, or for a tunnel.

        The parser would take it for the next request, which whoever is before this server has not seen.
        """
        told = any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in self.headers
        )
        if told or self.parser.get_method() == b"CONNECT":
            raise ValueError("nothing can come behind a head that asks for another protocol")

    def _close(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()

    def _end_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_unread_timer(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None
