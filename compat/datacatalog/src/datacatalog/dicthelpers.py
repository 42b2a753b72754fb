"""Mappings merged into one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def data_merge(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """A new mapping of the members of both; mappings are merged deep, and of all else the right one wins."""
    merged = dict(left)
    for name, value in right.items():
        present = merged.get(name)
        if isinstance(present, Mapping) and isinstance(value, Mapping):
            merged[name] = data_merge(present, value)
        else:
            merged[name] = value
    return merged
