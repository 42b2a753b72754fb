"""Passwords: argon2, and never more hashes at once than cores."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from jobpass.errors import InvalidInput, TooMany

MIN_LENGTH = 12
"""Characters, after NIST SP 800-63B-4 §3.1.1.2 (at least 8 with a second factor, 15 without; the issue says 12)."""
MAX_LENGTH = 1024
"""Characters; more is a way to keep the machine busy, not a better password."""
MIN_GUESSES = 10**7
"""Fewer, by zxcvbn's estimate, and a password counts as a common one (NIST SP 800-63B-4 §3.1.1.2: a blocklist)."""
MAX_ESTIMATED = 64
"""Characters that are estimated: the time grows with the square."""
UNUSABLE = "!"
"""Instead of a hash: no password fits, and trying one takes as long as for any account."""
QUEUE_LENGTH = 64
"""Hashes that may wait for a core; one more is refused."""

T = TypeVar("T")


class Passwords:
    """Hashes and checks passwords on at most ``slots`` threads. ``hasher`` sets the cost."""

    def __init__(self, slots: int, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(slots)
        self._waiting = 0
        self._decoy: str | None = None

    async def hash(self, password: str, about: Collection[str] = ()) -> str:
        """The argon2id hash of a new password; ``InvalidInput`` if it may not be one.

        ``about`` are words that everybody would try for this account, such as its address.
        """
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
            raise InvalidInput.at("json.password", f"must have {MIN_LENGTH} to {MAX_LENGTH} characters")
        _encode(password)
        return await self._run(lambda: self._hash_uncommon(password, about))

    async def check(self, password: str, password_hash: str | None) -> bool:
        """Whether the password fits; with no hash, or ``UNUSABLE``, False after the same work."""
        if len(password) > MAX_LENGTH:
            return False
        if self._decoy is None:
            self._decoy = await self._run(lambda: self._hasher.hash("no such account"))
        # An unknown address is checked against the decoy, so that it takes as long as a known one.
        usable = password_hash is not None and password_hash != UNUSABLE
        against = password_hash if password_hash is not None and usable else self._decoy
        return await self._run(lambda: self._fits(password, against)) and usable

    def _hash_uncommon(self, password: str, about: Collection[str]) -> str:
        if _is_common(password, about):
            raise InvalidInput.at("json.password", "is one that is commonly used, or close to one; take another")
        return self._hasher.hash(password)

    def _fits(self, password: str, password_hash: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= QUEUE_LENGTH:
            raise TooMany("Too many log-ins at once.", retry_after_seconds=2)
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def _is_common(password: str, about: Collection[str]) -> bool:
    """Whether few guesses find it: from lists of passwords, words and names, the keyboard, dates, repeats."""
    from zxcvbn import zxcvbn  # here: its lists take 30 ms and a few megabytes

    words = [part for word in about for part in (word, *re.split(r"[^a-z0-9]+", word.lower())) if part]
    guesses = zxcvbn(password[:MAX_ESTIMATED], user_inputs=["jobpass", *words])["guesses"]
    return bool(guesses < MIN_GUESSES)


def _encode(password: str) -> None:
    try:
        password.encode()
    except UnicodeEncodeError:
        raise InvalidInput.at("json.password", "is not valid Unicode") from None
