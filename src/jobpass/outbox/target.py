"""The URLs that a webhook can have: one strict form, so that nobody reads one of them in another way."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from jobpass.errors import InvalidInput

FIELD: Final = "json.url"
MAX_URL_CHARS: Final = 2048
MAX_PORT: Final = 65_535

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]{2,45}\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!$-;=?-Z_a-z~\[\]]*)?",  # visible ASCII but for " # < > \ ^ ` { | }
    re.IGNORECASE,
)
_PORTS: Final = {"http": 80, "https": 443}


class Target(NamedTuple):
    """A URL taken apart; ``host`` without brackets, ``path`` with the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return self.scheme == "https"

    @property
    def header(self) -> str:
        """The Host header (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port: all that is told to whom the URL does not belong."""
        return f"{self.scheme}://{self.header}"


def parse(url: str) -> Target:
    """The URL taken apart; ``InvalidInput`` on ``json.url`` for what can be no webhook's."""
    if len(url) > MAX_URL_CHARS:
        raise InvalidInput.at(FIELD, f"must have at most {MAX_URL_CHARS} characters")
    found = _URL.fullmatch(url)
    if found is None:
        raise InvalidInput.at(FIELD, "must be like https://host/path, in ASCII, without a user, a password or a #")
    scheme, port = found["scheme"].lower(), found["port"]
    number = _PORTS[scheme] if port is None else int(port)
    if not 1 <= number <= MAX_PORT:
        raise InvalidInput.at(FIELD, f"must have a port from 1 to {MAX_PORT}")
    return Target(scheme, found["host"].lower().strip("[]"), number, found["path"] or "/")
