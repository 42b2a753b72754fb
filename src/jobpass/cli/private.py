"""This user's private data: what ``run`` and the other commands use when no server is configured.

Below the XDG state directory: ``private/``, a data folder, and beside it what its only operator logs in with.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jobpass.cli.saved import LOGIN_FILE, read_login, save_login
from jobpass.errors import InvalidToken, SetupError

if TYPE_CHECKING:
    from jobpass.client.sync import Client

OPERATOR_FILE: Final = "operator.json"
SPARE: Final = timedelta(minutes=10)
"""A saved token that ends sooner is not used any more."""


def state() -> Path:
    """The folder that holds it all."""
    from jobpass.settings import environment, user_state_folder

    return user_state_folder(environment())


def folder() -> Path:
    """The data folder."""
    return state() / "private"


def exists() -> bool:
    """Whether there are private data."""
    from jobpass.compose import is_initialised

    return is_initialised(folder())


def ensure() -> None:
    """Make the private data if need be; several processes may do so at once."""
    from jobpass import compose

    state().mkdir(mode=0o700, parents=True, exist_ok=True)
    with compose.alone(state()):
        if not compose.is_initialised(folder()):
            password = compose.make_password()
            # The password comes first: a data folder whose password nobody knows would be of no use.
            compose.write_private(state() / OPERATOR_FILE, json.dumps({"password": password}).encode())
            asyncio.run(compose.init_data(folder(), compose.DEFAULT_EMAIL, password, environ={}))


@contextmanager
def connect() -> Iterator[Client]:
    """A client of the private data, in this process, logged in."""
    from jobpass import compose

    with logged_in(lambda token: compose.open(f"sqlite://{folder()}", token, environ={})) as client:
        yield client


@contextmanager
def logged_in(make: Callable[[str | None], Client]) -> Iterator[Client]:
    """The client that ``make`` makes, with the saved token of the private operator or a fresh one, which is saved."""
    with make(_saved_token()) as client:
        if client.token is None or not _lives(client):
            _log_in(client)
        yield client


def _saved_token() -> str | None:
    from jobpass.clock import SystemClock

    saved = read_login(state() / LOGIN_FILE)
    if saved is None or datetime.fromisoformat(saved["expires_at"]) < SystemClock().now() + SPARE:
        return None
    return saved["token"]


def _lives(client: Client) -> bool:
    try:
        client.me()
    except InvalidToken:  # the data folder was made again, or its keys were rotated
        return False
    return True


def _log_in(client: Client) -> None:
    from jobpass.compose import DEFAULT_EMAIL

    try:
        password = json.loads((state() / OPERATOR_FILE).read_bytes())["password"]
    except (OSError, ValueError, KeyError):
        raise SetupError(f"The private operator's password cannot be read from {state() / OPERATOR_FILE}.") from None
    answer = client.login(DEFAULT_EMAIL, password)
    login = {"url": "private", "email": answer.email, "token": answer.token}
    save_login(login | {"expires_at": answer.expires_at.isoformat()}, state() / LOGIN_FILE)
