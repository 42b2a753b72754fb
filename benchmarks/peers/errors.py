"""Why something could not be measured."""

from __future__ import annotations


class CannotMeasureError(Exception):
    """``reason`` stands in the table and names no place of this machine; ``detail`` is for the terminal alone."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
