"""What comes in on the command line: JSON, files with passwords and tokens."""

from __future__ import annotations

import getpass
import json
import sys
from pathlib import Path
from typing import Any

from jobpass.errors import InvalidInput


def read_text(path: Path, what: str) -> str:
    """The text of a file, ``-`` being stdin; ``InvalidInput`` if it cannot be read."""
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except OSError as error:
        raise InvalidInput(f"The {what} {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"The {what} {path} is not UTF-8 text.") from None


def read_secret(path: Path, what: str) -> str:
    """The text of a file less one trailing newline."""
    return read_text(path, what).removesuffix("\n").removesuffix("\r")


def ask_password(email: str) -> str:
    """Ask for a password without echo; ``InvalidInput`` if nobody can answer."""
    if not sys.stdin.isatty():
        raise InvalidInput("There is no terminal to ask for the password: give --password-file FILE (- is stdin).")
    return getpass.getpass(f"Password of {email}: ")


def read_json(text: str, option: str) -> Any:
    """The value of an option: JSON text, or ``@FILE`` (``@-`` is stdin). ``InvalidInput`` if it is not JSON."""
    if text.startswith("@"):
        text = read_text(Path(text[1:]), "file")
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{option} is not JSON: {error}.") from None


def read_object(text: str, option: str) -> dict[str, Any]:
    """The same, which must be an object."""
    value = read_json(text, option)
    if not isinstance(value, dict):
        raise InvalidInput(f"{option} is not a JSON object.")
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
