"""Where the server is: the URL that a client is given, checked."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

import httpx2

from jobpass.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Address:
    """A server's base URL; paths of the contract follow ``base``, which ends without a slash."""

    base: str
    secure: bool

    @classmethod
    def parse(cls, url: str, *, allow_plain_http: bool = False) -> Address:
        """The address that ``url`` names; ``InvalidInput`` if it is none.

        ``http`` is for loopback, where nobody listens on the way; elsewhere it needs ``allow_plain_http``.
        """
        read = _read(url)
        if read is None or read.scheme not in ("http", "https") or not read.host:
            raise InvalidInput.at("url", "must be like https://host or http://127.0.0.1:8000")
        if read.userinfo or read.query or read.fragment or url.endswith(("?", "#")):
            raise InvalidInput.at("url", "must not hold a user, a password, a query or a fragment")
        secure = read.scheme == "https"
        if not (secure or allow_plain_http or is_loopback(read.host)):
            raise InvalidInput.at("url", "must be https: over http everybody on the way could take the token")
        return cls(str(read).rstrip("/"), secure)

    def __str__(self) -> str:
        return self.base


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine by its form alone: ``localhost`` or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _read(url: str) -> httpx2.URL | None:
    try:
        read = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        return None
    return None if read.port is not None and not 0 < read.port < 65536 else read
