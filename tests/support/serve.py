"""A real server process over a folder: ``python serve.py FOLDER [PORT [LOGIN_ROUNDS]]``.

The folder holds ``keyring.json`` and ``jobpass.sqlite``. Prints ``host port`` when it accepts connections, and
``closed`` when it has ended as it should. ``LOGIN_ROUNDS`` makes passwords slower to check.
"""

from __future__ import annotations

import logging
import secrets
import sys
from pathlib import Path

from argon2 import PasswordHasher

from jobpass.archives import FileArchives
from jobpass.authority.authority import Authority
from jobpass.authority.passwords import Passwords
from jobpass.clock import SystemClock
from jobpass.lifecycle.standard import STANDARD
from jobpass.server.app import create_app
from jobpass.server.run import run, serve
from jobpass.stores.sqlite.store import SqliteStore
from jobpass.tokens.keyring import Keyring


async def main(folder: Path, port: int, rounds: int) -> None:
    keyring = Keyring.parse((folder / "keyring.json").read_text())
    store = await SqliteStore.open(folder / "jobpass.sqlite")
    passwords = Passwords(2, PasswordHasher(time_cost=rounds, memory_cost=1024, parallelism=1))
    authority = Authority(
        store, keyring, STANDARD, passwords, SystemClock(), secrets.token_bytes, archives=FileArchives()
    )
    app = create_app(authority, randomness=secrets.token_bytes)
    await serve(app, port=port, ready=lambda host, bound: print(host, bound, flush=True))
    print("closed", flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    given = sys.argv[1:] + ["0", "1"][len(sys.argv) - 2 :]
    run(main(Path(given[0]), int(given[1]), int(given[2])))
