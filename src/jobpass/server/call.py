"""One request, as the handlers see it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from jobpass.errors import MissingToken, NotFound
from jobpass.wire.problems import NO_STATUSES

if TYPE_CHECKING:
    from jobpass.authority.authority import Authority
    from jobpass.authority.bearer import Bearer
    from jobpass.server.counters import Counters
    from jobpass.server.deadlines import Deadlines

JSON: Final = b"application/json"
NUMBER_DIGITS: Final = 18
"""Of a number in a path, so that a store can hold it."""

Headers = list[tuple[bytes, bytes]]
"""Names, in lower case, and values."""
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Streamed:
    """An answer that comes in pieces, of any size together; ``media_type`` is that of all of it."""

    __slots__ = ("media_type", "pieces")

    def __init__(self, pieces: AsyncGenerator[bytes, None], media_type: bytes = JSON) -> None:
        self.pieces = pieces
        self.media_type = media_type


class WorkLimits(Struct, frozen=True):
    """What compute jobs may have, and how long their status may be waited for (0: not at all)."""

    payload_bytes: int = 4 * 1024 * 1024
    result_bytes: int = 64 * 1024 * 1024
    hold_seconds: float = 2.0


class Call:
    """A request on its way; what is not known yet is empty.

    ``id`` is the path's uuid or id, as it came. ``text`` is the bearer text: for the answer to an event, and nothing
    else. ``close`` says that the connection ends with the answer. ``body`` is the whole one, if it was there from the
    start; else it is received. ``contract`` and ``statuses`` are the route's, as soon as that is known.
    """

    __slots__ = (
        "_fields",
        "_headers",
        "address",
        "authority",
        "body",
        "body_limit_bytes",
        "close",
        "contract",
        "counters",
        "deadlines",
        "id",
        "limits",
        "media_type",
        "presented",
        "query",
        "receive",
        "request_id",
        "statuses",
        "template",
        "text",
    )

    def __init__(
        self,
        headers: Headers,
        address: str | None,
        receive: Receive,
        authority: Authority,
        counters: Counters,
        deadlines: Deadlines,
        body_limit_bytes: int,
        limits: WorkLimits,
    ) -> None:
        self._headers = headers
        self._fields = dict(headers)
        self.address = address
        self.receive = receive
        self.body: bytes | None = None
        self.authority = authority
        self.counters = counters
        self.deadlines = deadlines
        self.body_limit_bytes = body_limit_bytes
        self.limits = limits
        self.request_id = ""
        self.template = ""
        self.id = ""
        self.text = ""
        self.media_type = JSON
        self.query: dict[str, str] = {}
        self.presented: Bearer | None = None
        self.close = False
        self.contract = False
        self.statuses: Mapping[int, int] = NO_STATUSES

    @property
    def bearer(self) -> Bearer:
        """Who asks; only routes that need a bearer have one."""
        if self.presented is None:
            raise MissingToken("This route was not asked with a token.")
        return self.presented

    def number(self, unknown: type[NotFound], what: str) -> int:
        """The number in the path; what cannot be one is a ``what`` that nobody knows."""
        if not (self.id.isascii() and self.id.isdecimal() and len(self.id) <= NUMBER_DIGITS):
            raise unknown(f"There is no such {what}.", id=self.id[:64])
        return int(self.id)

    def header_values(self, name: bytes) -> tuple[bytes, ...]:
        """All values of a header, by its name in lower case."""
        if len(self._fields) == len(self._headers):
            value = self._fields.get(name)
            return () if value is None else (value,)
        return tuple([value for key, value in self._headers if key == name])
