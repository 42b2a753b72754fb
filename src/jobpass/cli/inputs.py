"""What comes in on the command line: JSON, files with passwords and tokens."""

from __future__ import annotations

import getpass
import json
import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from jobpass.errors import InvalidInput

T = TypeVar("T", bound=str)
_SPAN: Final = re.compile(r"(\d{1,9})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


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


def read_line_unseen(question: str) -> str:
    """A secret from stdin less one trailing newline, asked for without echo on a terminal; never an argument."""
    return getpass.getpass(question) if sys.stdin.isatty() else read_secret(Path("-"), "secret")


def read_token(file: Path | None, variable: str, what: str) -> str:
    """A token or key from a file (``-`` is stdin), else from the environment, else from stdin; never an argument."""
    from jobpass.settings import environment

    found = environment().get(variable)
    if file is None and found:
        return found
    if file is None and sys.stdin.isatty():
        raise InvalidInput(f"There is no {what}: name its file, set {variable}, or write it to stdin.")
    return read_text(file or Path("-"), what).strip()


def read_span(text: str) -> timedelta | None:
    """How long ``30s``, ``10m``, ``2h``, ``7d`` or ``1w`` is; None for another text."""
    found = _SPAN.fullmatch(text)
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None


def read_seconds(text: str, option: str) -> int:
    """The seconds of a span such as ``30m``; ``InvalidInput`` for another text."""
    try:
        span = read_span(text)
    except OverflowError:
        span = None
    if span is None:
        raise InvalidInput(f"{option} is not a span such as 30m, 2h or 7d: {text}")
    return int(span.total_seconds())


def read_moment(text: str, option: str, now: datetime, *, past: bool) -> datetime:
    """A moment as RFC 3339, or how far it lies in the past or the future: ``2h``. ``InvalidInput`` for another text."""
    try:
        span = read_span(text)
        moment = datetime.fromisoformat(text) if span is None else now - span if past else now + span
    except (ValueError, OverflowError):
        raise InvalidInput(f"{option} is neither a span such as 2h nor a moment of RFC 3339: {text}") from None
    if moment.tzinfo is None:
        raise InvalidInput(f"{option} needs a time zone, such as Z at its end: {text}")
    return moment


def split(texts: list[str] | None) -> list[str] | None:
    """The words of an option that takes several, separated by commas or given again; None if it was not given."""
    if texts is None:
        return None
    return [word.strip() for text in texts for word in text.split(",") if word.strip()]


def one_of(text: str, choices: tuple[T, ...], option: str) -> T:
    """``text``, if it is one of the choices."""
    for choice in choices:
        if text == choice:
            return choice
    raise InvalidInput(f"{option} is not one of {', '.join(map(str, choices))}: {text}")


def confirm(question: str, *, yes: bool) -> None:
    """Go on if the person says so; ``InvalidInput`` if not, or if nobody can answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidInput("There is no terminal to ask for a confirmation: give --yes.")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise InvalidInput("Nothing was done.")


def confirm_on_terminal(question: str, *, yes: bool) -> None:
    """As ``confirm``, on the terminal itself: for where something else comes on stdin."""
    if yes:
        return
    try:
        with Path("/dev/tty").open("r+b", buffering=0) as terminal:
            terminal.write(f"{question} [y/N] ".encode())
            answer = terminal.read(1024)
    except OSError:
        raise InvalidInput("There is no terminal to ask for a confirmation: give --yes.") from None
    if (answer or b"").strip().lower() not in (b"y", b"yes"):
        raise InvalidInput("Nothing was done.")


def new_password(file: Path | None, whose: str) -> str:
    """A password from a file, else asked for twice without echo."""
    if file is not None:
        return read_secret(file, "password file")
    first = ask_password(whose)
    if getpass.getpass("The same again: ") != first:
        raise InvalidInput("The two passwords are not the same.")
    return first


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
