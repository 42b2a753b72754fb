"""examples/nginx: a real nginx asks a real server who may pass."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from support.process import Folder, make_folder, process

EXAMPLE = Path(__file__).parents[2] / "examples" / "nginx" / "nginx.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx-light)")


@contextmanager
def nginx(place: Path, jobpass_url: str) -> Iterator[str]:
    """The example's nginx before a server; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    text = EXAMPLE.read_text()
    for told, real in (("127.0.0.1:8470", jobpass_url.removeprefix("http://")), ("127.0.0.1:8480", address)):
        assert text.count(told) == 1
        text = text.replace(told, real)
    if os.geteuid() == 0:  # else its workers would be somebody who may not read the temporary folder
        text = f"user root;\n{text}"
    (place / "nginx.conf").write_text(text)
    (place / "files").mkdir()
    (place / "files" / "report.txt").write_text("for readers with a token\n")
    command = [str(NGINX), "-e", "stderr", "-p", f"{place}/", "-c", "nginx.conf"]
    with (place / "nginx.log").open("w") as log, subprocess.Popen(command, stderr=log) as server:
        try:
            wait_for(address, place / "nginx.log")
            yield f"http://{address}"
        finally:
            server.terminate()
            server.wait(timeout=10)


def wait_for(address: str, log: Path) -> None:
    host, _, port = address.partition(":")
    for _ in range(200):
        try:
            socket.create_connection((host, int(port))).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text())


def use(folder: Folder, place: Path) -> None:
    with process(folder) as (server, url), nginx(place, url) as front, httpx2.Client() as client:

        def get(token: str | None, **more: str) -> httpx2.Response:
            headers = {} if token is None else {"authorization": f"Bearer {token}"}
            return client.get(f"{front}/report.txt", headers=headers | more)

        good = get(folder.login)
        assert (good.status_code, good.text) == (200, "for readers with a token\n")
        head = client.head(f"{front}/report.txt", headers={"authorization": f"Bearer {folder.login}"})
        assert head.status_code == 200
        for bad in (None, "nonsense", folder.login[:-4] + "AAAA"):
            refused = get(bad)
            assert (refused.status_code, "readers" in refused.text) == (401, False), bad
        document = get(folder.job.token)
        assert (document.status_code, "readers" in document.text) == (403, False)
        assert client.get(f"{front}/report.txt?token={folder.login}").status_code == 401
        assert client.get(f"{front}/_jobpass", headers={"authorization": f"Bearer {folder.login}"}).status_code == 404
        client.post(f"{url}/api/logout", headers={"authorization": f"Bearer {folder.login}"}).raise_for_status()
        assert get(folder.login).status_code == 401
        server.terminate()
        server.wait(timeout=20)
        down = get(folder.login)
        assert (down.status_code, "readers" in down.text) == (500, False)


async def test_who_has_a_login_token_may_pass(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "nginx").mkdir()
    folder = await make_folder(tmp_path / "data")
    await asyncio.to_thread(use, folder, tmp_path / "nginx")
