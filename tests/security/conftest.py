"""A site on the memory store, and everything that is logged."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from jobpass.stores.memory import MemoryStore
from support.site import Site, make_site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = make_site(MemoryStore())
    yield made
    await made.authority.close()


class Everything(logging.Formatter):
    """Shows all that a record carries, and scrubs nothing."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{super().format(record)} {record.__dict__!r}"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Everything())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)
