"""One request, as the handlers see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from jobpass.errors import MissingToken

if TYPE_CHECKING:
    from jobpass.authority.authority import Authority
    from jobpass.authority.bearer import Bearer
    from jobpass.server.deadlines import Deadlines

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Call:
    """A request on its way; what is not known yet is empty.

    ``uuid`` is the path's, as it came. ``text`` is the bearer text: for the answer to an event, and for nothing else.
    ``close`` says that the connection ends with the answer.
    """

    __slots__ = (
        "_fields",
        "_headers",
        "address",
        "authority",
        "body_limit_bytes",
        "close",
        "deadlines",
        "presented",
        "query",
        "receive",
        "request_id",
        "template",
        "text",
        "uuid",
    )

    def __init__(
        self, scope: Scope, receive: Receive, authority: Authority, deadlines: Deadlines, body_limit_bytes: int
    ) -> None:
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._fields = dict(self._headers)
        client = scope.get("client")
        self.address: str | None = client[0] if client else None
        self.receive = receive
        self.authority = authority
        self.deadlines = deadlines
        self.body_limit_bytes = body_limit_bytes
        self.request_id = ""
        self.template = ""
        self.uuid = ""
        self.text = ""
        self.query: dict[str, str] = {}
        self.presented: Bearer | None = None
        self.close = False

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
