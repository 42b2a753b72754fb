"""What both shells have without I/O: where the server is, the operations, and making a token narrower."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NoReturn, Self

from jobpass.client.address import Address
from jobpass.client.asking import Bearer
from jobpass.client.callbacks import callback_url
from jobpass.client.exchange import Retries
from jobpass.client.flow import Flow
from jobpass.client.narrow import narrow
from jobpass.clock import Clock
from jobpass.errors import InvalidInput, MissingToken
from jobpass.tokens.attenuate import admin_token


class BaseClient:
    """A server and a token. Its ``repr`` shows the token's kind at most, and it cannot be pickled or copied."""

    def __init__(
        self,
        url: str,
        token: Bearer,
        timeout_seconds: float,
        retries: Retries,
        allow_plain_http: bool,
        clock: Clock,
        public_url: str | None,
    ) -> None:
        self._address = Address.parse(url, allow_plain_http=allow_plain_http)
        self._plain_http_allowed = allow_plain_http
        self._public_url = public_url
        self._flow = Flow(token, timeout_seconds, retries)
        self._clock = clock
        self._owner = True

    @property
    def url(self) -> str:
        """The server's URL, without a slash at the end."""
        return self._address.base

    @property
    def token(self) -> str | None:
        """The bearer text in use; ``login`` sets it, ``logout`` drops it."""
        return self._flow.token

    @property
    def public_url(self) -> str | None:
        """Where others reach the server, as far as this client was told; None in process, where there need be none."""
        return self._public_url

    def with_token(self, token: Bearer) -> Self:
        """A client of the same server with another token; it uses these connections, and closing it ends none."""
        other = object.__new__(type(self))
        other.__dict__ |= self.__dict__ | {"_flow": self._flow.with_token(token), "_owner": False}
        return other

    def attenuate(
        self,
        *,
        expires_in_seconds: float | None = None,
        expires_at: datetime | None = None,
        jobs: Iterable[str] | None = None,
        events: Iterable[str] | None = None,
        states: Mapping[str, Iterable[str]] | None = None,
        actions: Iterable[str] | None = None,
        platforms: Iterable[str] | None = None,
        cidr: Iterable[str] | None = None,
        token: str | None = None,
    ) -> str:
        """A narrower copy of ``token`` (or of the client's own), made here without asking the server.

        ``states`` maps a state to the events that are allowed from it; ``cidr`` lists networks such as ``10.0.0.0/8``.
        An empty list forbids all that it speaks of. Raises ``InvalidInput`` if nothing is given or something is not
        sound, ``MissingToken`` or ``MalformedToken`` if there is no token to narrow.
        """
        text = self.token if token is None else token
        if text is None:
            raise MissingToken("There is no token to attenuate.")
        return narrow(
            text,
            self._clock.now(),
            expires_in_seconds=expires_in_seconds,
            expires_at=expires_at,
            jobs=jobs,
            events=events,
            states=states,
            actions=actions,
            platforms=platforms,
            cidr=cidr,
        )

    def callback_url(
        self,
        events: Iterable[str],
        *,
        expires_in_seconds: float | None = None,
        expires_at: datetime | None = None,
        cidr: Iterable[str] | None = None,
        token: str | None = None,
        base: str | None = None,
    ) -> str:
        """A URL with a ticket, for a sender that can only call one: it causes these ``events`` of one job, until then.

        The ticket is made here from a job's document token (``token``, or the client's own), without asking the server,
        which takes it only if its setting ``callbacks`` is on. It ends within 30 days; ``cidr`` lists the networks that
        it may come from. ``base`` is where the outside reaches the server; unless given, ``public_url`` of the client,
        else its URL. Whoever sees the URL can use it. Raises ``InvalidInput``, ``MissingToken``, ``WrongKind`` for
        another token, ``MalformedToken``.
        """
        text = self.token if token is None else token
        if text is None:
            raise MissingToken("There is no document token to make a ticket from.")
        return callback_url(
            self._reached_at(base),
            text,
            self._clock.now(),
            events,
            expires_in_seconds=expires_in_seconds,
            expires_at=expires_at,
            cidr=cidr,
        )

    def _reached_at(self, base: str | None) -> Address:
        url = base or self._public_url
        if url is None:
            raise InvalidInput.at("base", "must say where a server is: this client works in process, and has no URL")
        return Address.parse(url, allow_plain_http=self._plain_http_allowed)

    def admin_token(self, key: str) -> str:
        """The admin token of the present window, made here from an admin key; see ``admin_lifetime``.

        Raises ``MalformedToken``, or ``WrongKind`` for a text that is no admin key.
        """
        return admin_token(key, self._clock.now())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r}, token={self._flow.shown})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A client holds a token and is not pickled or copied; make another one.")
