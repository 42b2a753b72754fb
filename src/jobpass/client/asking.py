"""How every operation of the SDK asks: one request with the token, its answer read as what it should be."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from json.encoder import c_make_encoder, encode_basestring_ascii  # type: ignore[attr-defined]
from typing import Any, Final, Generic, NoReturn, Protocol, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Raw

from jobpass.client.exchange import Again, Operation, Reply, Request, Retries, Step, exchange
from jobpass.client.results import read
from jobpass.errors import InvalidInput, MalformedToken, NotFound, UnknownJob
from jobpass.tokens.token import MAX_TEXT_CHARS
from jobpass.wire import paths

MAX_PARAMETER_CHARS: Final = 1024
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"

T = TypeVar("T")
P = TypeVar("P", bound="Page")
_BEARER = re.compile(rf"[!-~]{{1,{MAX_TEXT_CHARS}}}")


def _refuse(_: object) -> NoReturn:
    raise TypeError("not JSON")


# What ``JSONEncoder(allow_nan=False).encode`` makes anew for each call; a circle is a RecursionError.
_chunks = c_make_encoder(None, _refuse, encode_basestring_ascii, None, ":", ",", False, False, False)


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """One of many results."""

    value: T


Bearer = str | Callable[[], str] | None
"""A token, or what tells the one to use now (it is asked for every request), or none."""

Stream = Generator[Step | Item[T], Reply | None, None]
"""Like an ``Operation``, with results on the way: an ``Item`` is replied to with None."""


class Page(Protocol):
    """Some of many results."""

    @property
    def next(self) -> str | None:
        """The ``after`` of the page that follows, None at the end."""
        ...


class Asking:
    """Sends requests with one token, or with that of a source."""

    def __init__(self, token: Bearer, timeout_seconds: float, retries: Retries) -> None:
        if not timeout_seconds > 0:
            raise InvalidInput.at("timeout_seconds", "must be more than 0")
        self._token = sendable(token) if isinstance(token, str) else token
        self._timeout_seconds = timeout_seconds
        self._retries = retries
        self.answers_arrive = False
        """Whether no answer is lost between the application and this client, as in one process."""

    @property
    def token(self) -> str | None:
        """The bearer text to use now."""
        return sendable(self._token()) if callable(self._token) else self._token

    @token.setter
    def token(self, token: Bearer) -> None:
        self._token = token

    @property
    def shown(self) -> str:
        """The kind of the token as its prefix tells it: ``jp_doc_…``."""
        token = self._token
        if token is None:
            return "None"
        named = isinstance(token, str) and token.startswith("jp_") and token[6:7] == "_"
        return f"{token[:7]}…" if isinstance(token, str) and named else "…"

    def _ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        /,
        *,
        body: bytes | None = None,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
        again: Again = "always",
        bearer: bool = True,
        timeout_seconds: float | None = None,
        **params: str | int | Sequence[int] | None,
    ) -> Operation[T]:
        """Send one request, with the token if ``bearer``, and read its answer as a ``kind``.

        A sequence among ``params`` is a parameter that comes once for each of its items.
        """
        body = yield from self._fetch(
            method,
            path,
            body=body,
            content_type=content_type,
            headers=headers,
            again=again,
            bearer=bearer,
            timeout_seconds=timeout_seconds,
            **params,
        )
        return read(body, kind)

    def _fetch(
        self,
        method: str,
        path: str,
        /,
        *,
        body: bytes | None = None,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
        again: Again = "always",
        bearer: bool = True,
        timeout_seconds: float | None = None,
        **params: str | int | Sequence[int] | None,
    ) -> Operation[bytes]:
        """The same, with the answer as it came."""
        sent = Headers({"accept": "application/json", "accept-encoding": "identity", **(headers or {})})
        if body is not None:
            sent["content-type"] = content_type
        if bearer:
            self._authorise(sent)
        query = {name: _parameter(name, value) for name, value in params.items() if value is not None}
        request = Request(method, path, sent, body, query, again, timeout_seconds or self._timeout_seconds)
        return (yield from exchange(request, self._retries))

    def _authorise(self, sent: Headers) -> None:
        token = self.token
        if token is not None:
            sent["authorization"] = f"Bearer {token}"


class Headers(dict[str, str]):
    """What is sent beside a body. Shows no values: whoever reports a crash with its local variables has these too."""

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"


def items(values: Iterable[T]) -> Generator[Item[T], Reply | None, None]:
    """Each of the values as an ``Item``."""
    for value in values:
        yield Item(value)


def pages(ask: Callable[[str | None], Operation[P]], found: Callable[[P], Iterable[T]]) -> Stream[T]:
    """What is ``found`` on one page after the other; ``ask`` takes the ``next`` of the page before."""
    after: str | None = None
    while True:
        page = yield from ask(after)
        yield from items(found(page))
        after = page.next
        if after is None:
            return


def of_job(template: str, uuid: str) -> str:
    """The path of a job; ``UnknownJob`` for what can be no uuid."""
    if not is_segment(uuid):
        raise UnknownJob(uuid)
    return _filled(template, uuid)


def path_of(template: str, named: str | int, unknown: type[NotFound], what: str, by: str = "id") -> str:
    """The path of a ``what``; ``unknown``, with the member ``by``, for what can be none."""
    text = str(named)
    if not is_segment(text):
        raise unknown(f"There is no such {what}.", **{by: text})
    return _filled(template, text)


def _filled(template: str, segment: str) -> str:
    return paths.fill(template, uuid=segment) if "{uuid}" in template else paths.fill(template, id=segment)


def is_segment(text: str) -> bool:
    """Whether ``text`` can be one segment of a path: nothing, dots and slashes would name another path."""
    return text not in ("", ".", "..") and "/" not in text and len(text) <= MAX_PARAMETER_CHARS


def rfc3339(at: datetime | None, field: str) -> str | None:
    """The moment in UTC as the wire has it; ``InvalidInput`` for one without a time zone."""
    if at is None:
        return None
    if at.tzinfo is None:
        raise InvalidInput.at(field, "must have a time zone")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def form(**members: str | int | None) -> bytes:
    """The members that are not None as a form."""
    try:
        return urlencode(
            {name: value for name, value in members.items() if value is not None}, errors="strict"
        ).encode()
    except UnicodeEncodeError:
        raise InvalidInput.at("form.token", "is not valid Unicode") from None


def flag(value: bool) -> str | None:
    """A yes as forms and queries have it; a no is not sent."""
    return "true" if value else None


def _parameter(name: str, value: str | int | Sequence[int]) -> str | list[str]:
    if not isinstance(value, str | int):
        return [str(one) for one in value]
    text = str(value)
    if len(text) > MAX_PARAMETER_CHARS or not text.isprintable():  # half a surrogate pair is not printable either
        raise InvalidInput.at(f"query.{name}", f"must be at most {MAX_PARAMETER_CHARS} printable characters")
    return text


def sendable(token: str) -> str:
    """``token``, if a header can carry it; the error of the HTTP library would show it."""
    if not _BEARER.fullmatch(token):
        raise MalformedToken("The text is not a token.")
    return token


def to_json(value: Any, field: str) -> bytes:
    """``value`` as JSON text; what JSON has not (NaN, dates, sets, circles) is ``InvalidInput``, never made to fit."""
    if isinstance(value, Raw):
        return bytes(value)
    return _encoded(lambda: "".join(_chunks(value, 0)).encode(), field)


def to_body(message: msgspec.Struct) -> bytes:
    """``message`` as JSON text."""
    return _encoded(lambda: msgspec.json.encode(message), "json")


def _encoded(encode: Callable[[], bytes], field: str) -> bytes:
    try:
        return encode()
    except (TypeError, ValueError, RecursionError):  # half a surrogate pair in a text is a ValueError too
        raise InvalidInput.at(field, "cannot be written as JSON") from None
