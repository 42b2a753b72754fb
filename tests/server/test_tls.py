"""TLS with a real certificate, and certificates that cannot be used."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

import httpx2
import pytest

from jobpass.errors import SetupError
from jobpass.server.run import serve
from jobpass.stores.memory import MemoryStore
from support.certificates import certify
from support.site import Site, make_site


@pytest.fixture
async def site() -> Site:
    return make_site(MemoryStore())


@pytest.mark.parametrize("together", [False, True])
async def test_the_whole_way_over_tls(site: Site, tmp_path: Path, together: bool) -> None:
    certfile, keyfile = certify(tmp_path)
    told: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
    if together:
        certfile.write_bytes(certfile.read_bytes() + keyfile.read_bytes())
    key = None if together else keyfile
    starting = serve(site.app, certfile=certfile, keyfile=key, ready=lambda *where: told.set_result(where))
    task = asyncio.create_task(starting)
    try:
        host, port = await told
        trust = ssl.create_default_context(cafile=str(certfile))
        async with httpx2.AsyncClient(base_url=f"https://{host}:{port}", verify=trust) as client:
            job = await site.job(await site.login("ann"))
            headers = {"authorization": f"Bearer {job.token}"}
            ran = await client.post(job.events, json={"name": "run"}, headers=headers)
            assert (ran.status_code, ran.json()["state"]) == (200, "RUNNING")
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP" not in await reader.read()  # nothing is said in the clear
        writer.close()
        old = ssl.create_default_context(cafile=str(certfile))
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await asyncio.open_connection(host, port, ssl=old)
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_what_cannot_be_used_is_told_before_anything_listens(site: Site, tmp_path: Path) -> None:
    certfile, keyfile = certify(tmp_path)
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    _, other_key = certify(elsewhere, b"a password")
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("not PEM")
    for certificate, key, words in (
        (tmp_path / "missing.pem", keyfile, "missing.pem"),
        (certfile, tmp_path / "missing.pem", "missing.pem"),
        (certfile, garbage, "garbage.pem"),
        (garbage, keyfile, "garbage.pem"),
        (certfile, other_key, "locked by a password"),
        (certfile, None, "cert.pem"),
        (None, keyfile, "without its certificate"),
    ):
        with pytest.raises(SetupError, match=words):
            await serve(make_site(MemoryStore()).app, certfile=certificate, keyfile=key)
