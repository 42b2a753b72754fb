"""From a name to addresses that may be connected to: looked up here, checked here, and nowhere else again."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from jobpass.errors import InvalidInput
from jobpass.outbox.addresses import Allowed
from jobpass.outbox.target import FIELD, parse

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""(name, port) → all of its addresses; ``OSError`` if there are none."""

LOOKUP_SECONDS: Final = 5.0
LOOKUPS: Final = 16
"""Names that are looked up at once; each has a thread, since the system's resolver blocks."""
CHECKS: Final = 4
"""Of these, so many for webhooks that somebody makes just now."""


class NowhereAllowedError(Exception):
    """The name has no addresses, or one that webhooks may not be sent to; nobody is told which."""


class Places:
    """``ports.Destinations``, and the addresses behind it. ``resolve`` replaces the system's resolver."""

    def __init__(self, allowed: Allowed, resolve: Resolve | None = None) -> None:
        self._allowed = allowed
        self._resolve = resolve or Resolver(LOOKUPS)
        self._checks = asyncio.Semaphore(CHECKS)

    async def check(self, url: str) -> None:
        """As ``ports.Destinations``."""
        target = parse(url)
        try:
            async with self._checks:
                await self.find(target.host, target.port, secure=target.secure)
        except NowhereAllowedError:
            where = "a public address" if target.secure else "an address that may be told things without TLS"
            raise InvalidInput.at(FIELD, f"does not lead to {where}") from None

    async def find(self, host: str, port: int, *, secure: bool) -> list[str]:
        """The addresses of ``host``, each of them allowed; ``NowhereAllowedError`` if one is not, or there are none."""
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                found = await self._resolve(host, port)
        except (OSError, UnicodeError):  # a TimeoutError is an OSError
            raise NowhereAllowedError from None
        if not found or not all(self._allowed.permits(address, secure=secure) for address in found):
            raise NowhereAllowedError
        return found


class Resolver:
    """The system's resolver, ``most`` names at once.

    Its threads are its own: a name server that never answers holds up no other work, and nobody waits for it to end
    the process.
    """

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)

    async def __call__(self, host: str, port: int) -> list[str]:
        """All addresses of the name."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[str]] = loop.create_future()

        def settle(found: list[str], error: OSError | UnicodeError | None) -> None:
            self._free.release()
            if answer.done():  # nobody waits any more
                return
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)

        def work() -> None:
            found: list[str] = []
            failure: OSError | UnicodeError | None = None
            try:
                infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                found = list(dict.fromkeys(str(info[4][0]) for info in infos))
            except (OSError, UnicodeError) as error:
                failure = error
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(settle, found, failure)

        threading.Thread(target=work, name="jobpass-lookup", daemon=True).start()
        return await answer
