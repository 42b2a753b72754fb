"""What comes from outside: the environment and the clock, read at each call and nowhere else in this package."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from typing import Final

_WHOLE: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


class SettingError(ValueError):
    """A ``CATALOG_*`` variable is missing or cannot be used; the message names it, and never holds its value."""


def given(variable: str) -> str | None:
    """The variable's value, also an empty one; None if it is not set."""
    return os.environ.get(variable)


def text(variable: str, default: str) -> str:
    """The variable's value, also an empty one; ``default`` if it is not set."""
    return os.environ.get(variable, default)


def whole(variable: str, default: int, highest: int = 10**9) -> int:
    """The variable as a whole number from 1 to ``highest``; ``SettingError`` for anything else."""
    value = os.environ.get(variable)
    return default if value is None else number(variable, value, highest)


def number(variable: str, value: str, highest: int = 10**9) -> int:
    """``value``, which ``variable`` has, as a whole number from 1 to ``highest``; ``SettingError`` if it is none."""
    digits = value.strip()
    if not _WHOLE.fullmatch(digits) or not 1 <= int(digits) <= highest:
        raise SettingError(f"{variable} must be a whole number from 1 to {highest}.")
    return int(digits)


def first(*variables: str) -> str | None:
    """The value of the first variable that is set and not empty."""
    return next((value for variable in variables if (value := os.environ.get(variable))), None)


def beginning(prefix: str) -> dict[str, str]:
    """The variables whose names begin with ``prefix``."""
    return {name: value for name, value in os.environ.items() if name.startswith(prefix)}


def now() -> datetime:
    """The present moment, aware, UTC."""
    return datetime.now(UTC)
