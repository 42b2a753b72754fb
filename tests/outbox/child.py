"""A server that tells webhooks, over a folder of ``support.process``: ``python child.py FOLDER``; to be killed."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from jobpass.clock import SystemClock
from jobpass.outbox.addresses import Allowed
from jobpass.outbox.outbox import Outbox
from jobpass.outbox.places import Places
from jobpass.outbox.sender import Sender
from jobpass.server.run import run, serve
from jobpass.stores.sqlite.store import SqliteStore
from jobpass.tokens.keyring import Keyring
from support.site import make_site

LEASE_SECONDS = 1.5
"""Short, so that what a killed one had under way is soon another's."""


async def main(folder: Path) -> None:
    store = await SqliteStore.open(folder / "jobpass.sqlite")
    site = make_site(store, SystemClock(), Keyring.parse((folder / "keyring.json").read_text()))
    sender = Sender(Places(Allowed(["127.0.0.0/8"])), limit_seconds=1)
    outbox = Outbox(
        site.authority,
        store,
        sender,
        SystemClock(),
        secrets.token_bytes,
        retry_seconds=(0,) * 20,
        poll_seconds=0.02,
        lease_seconds=LEASE_SECONDS,
    )
    await serve(site.app, ready=lambda host, port: print(host, port, flush=True), beside=outbox.run)


if __name__ == "__main__":
    run(main(Path(sys.argv[1])))
