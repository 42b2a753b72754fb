"""Which server a command talks to, and with which token.

The URL is that of ``--url``, else ``JOBPASS_URL``, else of the saved log-in, else this user's private data (``run``
without a server makes them). A token goes to the server that it belongs to: a saved one never to another URL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jobpass.cli import private, saved
from jobpass.errors import InvalidInput, InvalidToken, MissingToken, ServerUnavailable, SetupError

if TYPE_CHECKING:
    from jobpass.client.sync import Client

DEFAULT_URL: Final = "http://127.0.0.1:8470"

Url = Annotated[str | None, typer.Option("--url", help="The server; else JOBPASS_URL, else that of the log-in.")]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="Use the token in this file; else JOBPASS_TOKEN, else the log-in's.")
]


@contextmanager
def connect(url: str | None, token_file: Path | None) -> Iterator[Client]:
    """A client of the server that this command is about; ``SetupError`` if none is known."""
    target, token = resolve(url, token_file)
    if target is not None:
        from jobpass.client.sync import Client

        allowed = saved.plain_http_allowed(target)
        with naming(target, token), Client(target, token, allow_plain_http=allowed) as client:
            yield client
    elif private.exists():
        with private.connect() as client:
            yield client
    else:
        raise SetupError("No server is configured: jobpass login --url URL, or set JOBPASS_URL.")


@contextmanager
def naming(url: str, token: str | None) -> Iterator[None]:
    """Have errors say which server does not answer, and that there was no token for it."""
    try:
        yield
    except ServerUnavailable as error:
        raise ServerUnavailable(f"{error.message.removesuffix('.')} ({url}).", **error.detail) from None
    except InvalidToken:
        if token is not None:
            raise
        raise MissingToken(f"There is no token for {url}: jobpass login --url {url}, or --token-file FILE.") from None


def resolve(url: str | None, token_file: Path | None, what: str = "token file") -> tuple[str | None, str | None]:
    """The URL and the token, as the environment and the saved log-in give them."""
    from jobpass.cli.inputs import read_secret
    from jobpass.settings import environment

    environ = environment()
    login = saved.read_login()
    named = environ.get("JOBPASS_URL") or None
    target = url or named or (login["url"] if login else None)
    token = None
    if token_file is not None:
        token = read_secret(token_file, what).strip()
        if not token:
            raise InvalidInput(f"The {what} {token_file} is empty.")
    elif environ.get("JOBPASS_TOKEN") and named in (None, target):
        token = environ["JOBPASS_TOKEN"]
    elif login and saved.same(login["url"], target):
        token = login["token"]
    return target, token
