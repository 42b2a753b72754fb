"""One request, as the handlers see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from jobpass.errors import MissingToken
from jobpass.wire.problems import NO_STATUSES

if TYPE_CHECKING:
    from jobpass.authority.authority import Authority
    from jobpass.authority.bearer import Bearer
    from jobpass.server.counters import Counters
    from jobpass.server.deadlines import Deadlines

JSON: Final = b"application/json"

Headers = list[tuple[bytes, bytes]]
"""Names, in lower case, and values."""
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


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

    def header_values(self, name: bytes) -> tuple[bytes, ...]:
        """All values of a header, by its name in lower case."""
        if len(self._fields) == len(self._headers):
            value = self._fields.get(name)
            return () if value is None else (value,)
        return tuple([value for key, value in self._headers if key == name])
