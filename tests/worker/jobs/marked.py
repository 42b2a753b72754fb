"""Work that says who did it: the worker's own directory has a module ``mark`` with its name."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from mark import MARK


def work(payload: Any, report: Callable[..., None]) -> Any:
    """Takes the seconds that it is told; no two runs bring the same."""
    time.sleep(payload["seconds"])
    return {"number": payload["number"], "by": MARK, "run": secrets.token_hex(8)}
