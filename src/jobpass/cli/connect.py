"""Which server a command talks to, and with which token.

The URL is that of ``--url``, else ``JOBPASS_URL``, else of the saved log-in, else this user's private data (``run``
without a server makes them). A token goes to the server that it belongs to: a saved one never to another URL.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jobpass.errors import SetupError

if TYPE_CHECKING:
    from jobpass.client.sync import Client

DEFAULT_URL: Final = "http://127.0.0.1:8470"
LOGIN_FILE: Final = "login.json"

Url = Annotated[str | None, typer.Option("--url", help="The server; else JOBPASS_URL, else that of the log-in.")]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="Use the token in this file; else JOBPASS_TOKEN, else the log-in's.")
]


@contextmanager
def connect(url: str | None, token_file: Path | None) -> Iterator[Client]:
    """A client of the server that this command is about; ``SetupError`` if none is known."""
    from jobpass.cli import private

    target, token = resolve(url, token_file)
    if target is not None:
        from jobpass.client.sync import Client

        with Client(target, token, allow_plain_http=plain_http_allowed(target)) as client:
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
    saved = read_login()
    named = environ.get("JOBPASS_URL") or None
    target = url or named or (saved["url"] if saved else None)
    token = None
    if token_file is not None:
        token = read_secret(token_file, "token file")
    elif environ.get("JOBPASS_TOKEN") and named in (None, target):
        token = environ["JOBPASS_TOKEN"]
    elif saved and same(saved["url"], target):
        token = saved["token"]
    return target, token


def same(one: str, other: str | None) -> bool:
    """Whether two URLs are written alike, but for a trailing slash."""
    return other is not None and one.rstrip("/") == other.rstrip("/")


def plain_http_allowed(url: str) -> bool:
    """Whether the person said at the log-in that this server may be spoken to without TLS."""
    saved = read_login()
    return bool(saved and same(saved["url"], url) and saved.get("plain_http") == "yes")


def login_path() -> Path:
    """Where the log-in is saved."""
    from jobpass.settings import environment, user_config_folder

    return user_config_folder(environment()) / LOGIN_FILE


def read_login(path: Path | None = None) -> dict[str, str] | None:
    """The saved log-in, None if there is none; ``SetupError`` if others can read it or it cannot be read."""
    import json

    place = path or login_path()
    try:
        with place.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise SetupError(f"Others can read the log-in {place}: jobpass logout, then chmod 600 it or remove it.")
            found = json.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SetupError(f"The log-in {place} cannot be read: {error.strerror}.") from None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in ("url", "email", "token")):
        raise SetupError(f"The log-in {place} cannot be read: remove it and log in again.")
    return found


def save_login(login: dict[str, str], path: Path | None = None) -> None:
    """Keep a log-in where only this user reads it."""
    import json

    from jobpass.compose import write_private

    place = path or login_path()
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(place, json.dumps(login, indent=2).encode() + b"\n")
