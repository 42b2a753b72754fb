"""A node whose clock is wrong: ``python node.py --clock-offset SECONDS`` and the arguments of ``jobpass serve``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from jobpass import compose, log
from jobpass.compose.installation import open_installation
from jobpass.compose.outgoing import make_outbox
from jobpass.compose.serving import make_app
from jobpass.server import run
from jobpass.settings import Settings, environment, load
from support.clocks import Shifted


async def main(folder: Path, settings: Settings, offset_seconds: float) -> None:
    """Serve until SIGTERM, as ``jobpass serve`` does."""
    async with open_installation(folder, settings=settings, clock=Shifted(offset_seconds)) as opened:
        await run.serve(
            make_app(opened.authority, settings),
            host=settings.host,
            port=settings.port,
            ready=lambda host, port: print(json.dumps({"url": compose.http_url(host, port)}), flush=True),
            beside=make_outbox(opened, settings).run,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--clock-offset", type=float, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--store")
    given, _ = parser.parse_known_args()
    flags = {"port": given.port} | ({"store": given.store} if given.store else {})
    in_force = load(environment(), data=given.data, flags=flags).settings
    log.configure("text", "info", access=False)
    run.run(main(given.data, in_force, given.clock_offset))
