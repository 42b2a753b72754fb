"""Where the cloud is, and the way to one kind of its objects."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

from jobpass import Client, errors


class CloudContext:
    """A cloud's server, without any credential; may be shared by threads, and is a context manager.

    ``url`` is ``https://…``, or ``http://…`` on loopback (elsewhere only with ``allow_plain_http``); ``tls`` replaces
    the system's certificates. ``timeout_seconds`` bounds each attempt of a request. ``jobpass.errors.InvalidInput``
    for what cannot be.
    """

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        allow_plain_http: bool = False,
        timeout_seconds: float = 10.0,
    ) -> None:
        self._options: dict[str, Any] = {
            "tls": tls,
            "allow_plain_http": allow_plain_http,
            "timeout_seconds": timeout_seconds,
        }
        self._client = Client(url, **self._options)

    @property
    def url(self) -> str:
        """The server's URL, without a slash at the end."""
        return self._client.url

    def client(self, token: str | None = None) -> Client:
        """A client of the server with this token; all of them share the connections, which ``close`` ends."""
        return self._client.with_token(token)

    def close(self) -> None:
        """Close the connections; the next call opens others."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"CloudContext({self.url!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(CloudContext, **self._options), (self.url,)


class Api:
    """One kind of object on a server: its path, its name for people, and the client for its calls."""

    def __init__(self, context: CloudContext, endpoint: str, object_name: str) -> None:
        self.context = context
        self.endpoint = endpoint
        self.object_name = object_name

    @property
    def url(self) -> str:
        """Where the objects are."""
        return f"{self.context.url}{self.endpoint}"

    @contextmanager
    def calling(self, doing: str, token: str | None) -> Iterator[Client]:
        """A client with ``token``; what fails with it becomes ``RuntimeError``, whose cause is of ``jobpass.errors``.

        ``doing`` says for the message what is done: ``creating``. No message has a secret.
        """
        try:
            yield self.context.client(token)
        except errors.Error as error:
            raise RuntimeError(f"{doing.capitalize()} {self.object_name} failed: {_sentence(error)}") from error

    def __repr__(self) -> str:
        return f"Api({self.url!r})"


def _sentence(error: errors.Error) -> str:
    """What the server said, with the fields that its sentence does not name."""
    fields = error.detail.get("fields") if isinstance(error, errors.InvalidInput) else None
    if not isinstance(fields, dict):
        return error.message
    named = "; ".join(f"{field}: {', '.join(said)}" for field, said in fields.items() if field not in error.message)
    return f"{error.message} ({named})" if named else error.message
