"""What the demo says, and what of it held."""

from __future__ import annotations

import time
from typing import Any

from jobpass.cli import output


class Telling:
    """Says what happens, and remembers what held."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self.checks: list[dict[str, Any]] = []
        self._started = time.monotonic()

    @property
    def held(self) -> bool:
        """Whether all checks held, and there were some."""
        return bool(self.checks) and all(check["held"] for check in self.checks)

    @property
    def seconds(self) -> float:
        """How long it took so far."""
        return round(time.monotonic() - self._started, 1)

    def title(self, text: str) -> None:
        """The next part."""
        self.say(f"\n== {text}")

    def say(self, text: str) -> None:
        """A line."""
        if not self.quiet:
            output.line(text)

    def check(self, claim: str, held: object, detail: str = "") -> None:
        """A claim, and whether it held."""
        self.checks.append({"claim": claim, "held": bool(held), "detail": detail})
        self.say(f"   {'ok    ' if held else 'FAILED'}  {claim}{f': {output.printable(detail)}' if detail else ''}")
