"""An attack that a payload names, for jobs that come from a server: their payloads are objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attacks
import plain


def attack(payload: Any, report: Callable[..., None]) -> Any:
    name = payload["attack"]
    return getattr(plain if name == "echo" else attacks, name)(payload.get("with"), report)
