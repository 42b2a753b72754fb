"""Large texts on their way into the store and out of it: a chunk at a time, whatever their size."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from jobpass.authority.outcome import WHOLE_BYTES, ResultCheck
from jobpass.errors import StoreUnavailable, TooLarge, UnknownJob
from jobpass.records import Blob

if TYPE_CHECKING:
    from jobpass.clock import Clock
    from jobpass.ports import Randomness, WorkStore

CHUNK_BYTES: Final = 256 * 1024
SWEPT_AFTER: Final = timedelta(hours=2)
"""What no job names so long after its first chunk is taken away; what was refused, before that."""
SWEPT_AT_ONCE: Final = 64
"""Chunks; other writers wait for it."""

Chunks = AsyncIterator[bytes]
T = TypeVar("T")


class Kept(NamedTuple):
    """A text that is in the store once ``finish`` was called, too: with what names it, so that one write is enough.

    What is left for then is all of it or nothing: whoever names a text of which the store has a part is not refused.
    """

    blob: Blob
    finish: Callable[[], Awaitable[None]]
    drop: Callable[[], Awaitable[None]]
    """Has it taken away soon, unless something names it."""

    async def naming(self, write: Awaitable[T]) -> T:
        """The answer of the ``write`` that names it, after the last of it is there; if there is none it is dropped."""
        finished, answer = await asyncio.gather(self.finish(), write, return_exceptions=True)
        for outcome in (finished, answer):
            if isinstance(outcome, BaseException):
                await self.drop()
                raise outcome
        return answer  # type: ignore[return-value]  # it is no exception


class Blobs:
    """Puts texts into the store under a number that no job names yet, and reads those that jobs name."""

    def __init__(self, store: WorkStore, clock: Clock, randomness: Randomness) -> None:
        self._store = store
        self._clock = clock
        self._randomness = randomness

    async def put(self, text: bytes) -> Kept:
        """Keep a text that is in memory, and is not empty."""
        kept = await self._keep(_pieces(text), len(text))
        if kept is None:
            raise ValueError("there is nothing to keep")
        return kept

    async def receive(self, chunks: Chunks, most: int) -> Kept | None:
        """Keep a result as it comes; None for an empty one. ``TooLarge`` beyond ``most`` bytes, ``InvalidInput`` for
        what is no result; what was kept by then is dropped."""
        return await self._keep(_checked(chunks), most)

    async def read(self, blob: Blob) -> Chunks:
        """The chunks of a blob that a job names; ``UnknownJob`` if it is gone with its job."""
        first = await self._store.read_blob(blob.number, 0)
        if first is None:
            raise UnknownJob("")
        return self._read(blob, first)

    async def whole(self, blob: Blob) -> bytes:
        """All of a blob, which is known to be small enough."""
        return b"".join([chunk async for chunk in await self.read(blob)])

    async def sweep(self) -> None:
        """A chore: take away some of what no job names."""
        await self._store.sweep_blobs(self._clock.now() - SWEPT_AFTER, SWEPT_AT_ONCE)

    async def _read(self, blob: Blob, first: bytes) -> Chunks:
        chunk: bytes | None = first
        place, size = 0, 0
        while chunk is not None:
            yield chunk
            place, size = place + 1, size + len(chunk)
            chunk = await self._store.read_blob(blob.number, place) if size < blob.size else None
        if size != blob.size:  # deleted meanwhile: whoever reads must not take it for all
            raise UnknownJob("")

    async def _keep(self, chunks: Chunks, most: int) -> Kept | None:
        """All of it is written when this returns, unless it is one chunk."""
        number = int.from_bytes(self._randomness(8), "big") >> 1 or 1
        try:
            return await self._keep_as(number, chunks, most)
        except Exception:  # whatever it is: it may leave a lot behind
            await self._drop(number)
            raise

    async def _keep_as(self, number: int, chunks: Chunks, most: int) -> Kept | None:
        digest, size, place, last = hashlib.sha256(), 0, -1, b""
        async for chunk in _even(chunks):
            size += len(chunk)
            if size > most:
                raise TooLarge(f"There are more than {most} bytes.", limit_bytes=most)
            digest.update(chunk)
            if place >= 0:
                await self._write(number, place, last)
            place, last = place + 1, chunk
        if place < 0:
            return None
        blob = Blob(number, size, digest.hexdigest())
        if place == 0:
            return Kept(blob, lambda: self._write(number, 0, last), lambda: self._drop(number))
        await self._write(number, place, last)
        return Kept(blob, _nothing, lambda: self._drop(number))

    async def _drop(self, number: int) -> None:
        with suppress(StoreUnavailable):  # then it is swept in its time
            await self._store.drop_blob(number)

    async def _write(self, number: int, place: int, chunk: bytes) -> None:
        if place == 0:
            await self._store.add_blob(number, chunk, self._clock.now())
        else:
            await self._store.extend_blob(number, place, chunk)


async def _nothing() -> None:
    return None


async def _pieces(text: bytes) -> Chunks:
    for start in range(0, len(text), CHUNK_BYTES):
        yield text[start : start + CHUNK_BYTES]


async def _checked(chunks: Chunks) -> Chunks:
    """The chunks, each once it is seen that they may be a result's; the last one not before all were seen."""
    check, size, held = ResultCheck(), 0, b""
    async for chunk in _even(chunks):
        size += len(chunk)
        if size > WHOLE_BYTES:  # what it costs now is not for the event loop
            await asyncio.to_thread(check.feed, chunk)
        else:
            check.feed(chunk)
        if held:
            yield held
        held = chunk
    if held:
        check.finish()
        yield held


async def _even(chunks: Chunks) -> Chunks:
    """The same bytes in chunks of one size, but for the last."""
    kept = bytearray()
    async for chunk in chunks:
        kept += chunk
        while len(kept) >= CHUNK_BYTES:
            yield bytes(kept[:CHUNK_BYTES])
            del kept[:CHUNK_BYTES]
    if kept:
        yield bytes(kept)
