"""From names to addresses: every one of them counts, and nothing of them is told."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from jobpass.errors import InvalidInput
from jobpass.outbox import places as module
from jobpass.outbox.addresses import Allowed
from jobpass.outbox.places import NowhereAllowedError, Places, Resolver


def names(**known: list[str]):
    async def resolve(host: str, _port: int) -> list[str]:
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return known[host]

    return resolve


RESOLVE = names(good=["8.8.8.8", "2606:4700::1"], inside=["10.0.0.1"], mixed=["8.8.8.8", "127.0.0.1"], none=[])


async def test_all_addresses_of_an_allowed_name_are_found() -> None:
    places = Places(Allowed([]), RESOLVE)
    assert await places.find("good", 443, secure=True) == ["8.8.8.8", "2606:4700::1"]
    await places.check("https://good/")


@pytest.mark.parametrize("host", ["inside", "mixed", "none", "unknown"])
async def test_one_address_that_is_not_allowed_is_enough_and_looks_like_none(host: str) -> None:
    places = Places(Allowed([]), RESOLVE)
    with pytest.raises(NowhereAllowedError):
        await places.find(host, 443, secure=True)
    with pytest.raises(InvalidInput) as refused:
        await places.check(f"https://{host}/")
    assert refused.value.message == "json.url: does not lead to a public address"


async def test_without_tls_only_where_a_setting_allows_it() -> None:
    places = Places(Allowed(["10.0.0.0/8"]), RESOLVE)
    await places.check("http://inside/")
    await places.check("https://inside/")
    with pytest.raises(InvalidInput):
        await places.check("http://good/")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "[::1]", "localhost"])
async def test_the_system_s_own_readings_of_an_address_lead_nowhere_else(host: str) -> None:
    with pytest.raises(InvalidInput):
        await Places(Allowed([])).check(f"https://{host}/")


async def test_the_system_resolves() -> None:
    assert await Resolver(1)("127.0.0.1", 80) == ["127.0.0.1"]
    assert "127.0.0.1" in await Resolver(1)("localhost", 80)
    with pytest.raises(socket.gaierror):
        await Resolver(1)("does-not-exist.invalid", 80)
    with pytest.raises((OSError, UnicodeError)):
        await Resolver(1)("a" * 70, 80)


async def test_a_name_server_that_does_not_answer_is_waited_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOKUP_SECONDS", 0.05)

    async def never(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    started = time.monotonic()
    with pytest.raises(NowhereAllowedError):
        await Places(Allowed([]), never).find("slow", 443, secure=True)
    assert time.monotonic() - started < 2


async def test_so_many_names_at_once_and_a_caller_that_left_frees_its_place_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, running = threading.Event(), threading.Semaphore(0)

    def slow(*_args: object, **_more: object) -> list[object]:
        running.release()
        held.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    resolver = Resolver(2)
    tasks = [asyncio.create_task(resolver(f"n{number}", 1)) for number in range(3)]
    for _ in range(2):
        assert await asyncio.to_thread(running.acquire, timeout=5)
    tasks[0].cancel()
    await asyncio.sleep(0.05)
    assert not running.acquire(blocking=False)  # its thread is still at work
    held.set()
    assert await asyncio.to_thread(running.acquire, timeout=5)
    assert await tasks[1] == await tasks[2] == []
