"""Where random bytes come from."""

from __future__ import annotations

from collections.abc import Callable

Randomness = Callable[[int], bytes]
"""n → n random bytes, fit for keys."""
