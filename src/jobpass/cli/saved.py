"""The log-in that is kept for this user between commands."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from jobpass.errors import SetupError

LOGIN_FILE: Final = "login.json"


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
