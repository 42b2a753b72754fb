"""Real server processes over real folders."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from jobpass.clock import SystemClock
from jobpass.stores.sqlite.store import SqliteStore
from jobpass.tokens.keyring import Keyring
from support.site import Owned, make_site

SCRIPT = Path(__file__).with_name("serve.py")


class Folder(NamedTuple):
    """A data folder with one author and one job, made before any server ran."""

    path: Path
    login: str
    job: Owned


async def make_folder(tmp_path: Path) -> Folder:
    """Initialise a folder."""
    keyring = Keyring.generate(secrets.token_bytes(4), secrets.token_bytes(32))
    (tmp_path / "keyring.json").write_text(keyring.dump())
    site = make_site(await SqliteStore.open(tmp_path / "jobpass.sqlite"), SystemClock(), keyring)
    login = await site.login("ann")
    job = await site.job(login)
    await site.authority.close()
    return Folder(tmp_path, login, job)


@contextmanager
def process(folder: Folder, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process and its URL; killed at the end if it still runs."""
    command = [sys.executable, str(SCRIPT), str(folder.path), *arguments]
    log = (folder.path / "log").open("w")
    with log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as server:
        try:
            assert server.stdout is not None
            host, port = server.stdout.readline().split()
            yield server, f"http://{host}:{port}"
        finally:
            if server.poll() is None:
                server.kill()
