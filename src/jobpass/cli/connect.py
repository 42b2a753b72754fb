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
from jobpass.errors import SetupError

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

        with Client(target, token, allow_plain_http=saved.plain_http_allowed(target)) as client:
            yield client
    elif private.exists():
        with private.connect() as client:
            yield client
    else:
        raise SetupError("No server is configured: jobpass login --url URL, or set JOBPASS_URL.")


def resolve(url: str | None, token_file: Path | None) -> tuple[str | None, str | None]:
    """The URL and the token, as the environment and the saved log-in give them."""
    from jobpass.cli.inputs import read_secret
    from jobpass.settings import environment

    environ = environment()
    login = saved.read_login()
    named = environ.get("JOBPASS_URL") or None
    target = url or named or (login["url"] if login else None)
    token = None
    if token_file is not None:
        token = read_secret(token_file, "token file")
    elif environ.get("JOBPASS_TOKEN") and named in (None, target):
        token = environ["JOBPASS_TOKEN"]
    elif login and saved.same(login["url"], target):
        token = login["token"]
    return target, token
