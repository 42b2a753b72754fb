"""Large texts: whoever names one names all of it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import pytest

from jobpass.authority.blobs import CHUNK_BYTES, Blobs
from jobpass.clock import FixedClock
from jobpass.stores.memory import MemoryStore


@pytest.mark.parametrize("size", [CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES - 1])
async def test_what_has_more_than_one_chunk_is_all_there_before_anything_can_name_it(size: int) -> None:
    """The last write may fail while what names it stands: that would be there with a part of its text for ever."""
    blobs = Blobs(MemoryStore(), FixedClock(datetime(2026, 11, 22, tzinfo=UTC)), secrets.token_bytes)
    text = secrets.token_bytes(size)
    kept = await blobs.put(text)
    assert await blobs.whole(kept.blob) == text
    await kept.finish()
    assert await blobs.whole(kept.blob) == text


async def test_what_is_one_chunk_is_written_with_what_names_it() -> None:
    store = MemoryStore()
    blobs = Blobs(store, FixedClock(datetime(2026, 11, 22, tzinfo=UTC)), secrets.token_bytes)
    kept = await blobs.put(b"x" * CHUNK_BYTES)
    assert await store.read_blob(kept.blob.number, 0) is None
    await kept.finish()
    assert await blobs.whole(kept.blob) == b"x" * CHUNK_BYTES
