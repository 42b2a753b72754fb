"""The servers of the HTTP benchmarks, each a process of its own: ``python -m benchmarks.http_apps yardstick``.

Each prints ``host port`` on a line of its own once it accepts connections, and stops on SIGTERM.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import socket
import sys
from pathlib import Path

import msgspec

YARDSTICK_KEY = bytes(range(32))
YARDSTICK_PATH = "/api/pipelinejobs/{uuid}/events"


def told(host: str, port: int) -> None:
    """Say where the server listens."""
    print(host, port, flush=True)


async def ours(folder: Path, *, audited: bool = True) -> None:
    """Jobpass as it is served, on a data folder; without a line in the log for each request.

    ``audited`` False leaves refusals unnoted, to see what noting them costs.
    """
    from jobpass.compose import open_authority
    from jobpass.compose.serving import settle
    from jobpass.server.app import create_app
    from jobpass.server.run import serve

    def settled(host: str, port: int) -> None:
        settle()
        told(host, port)

    logging.basicConfig(level=logging.WARNING)
    async with open_authority(folder) as authority:
        if not audited:
            authority.audit.note_refusal = lambda *_: None  # type: ignore[method-assign]
        await serve(create_app(authority, randomness=secrets.token_bytes), ready=settled)


def yardstick() -> None:
    """Starlette and uvicorn: parse the body, check one HMAC, answer."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode

    async def submit(request: Request) -> Response:
        payload, _, mac = request.headers["authorization"].removeprefix("Bearer ").partition(".")
        expected = hmac.digest(YARDSTICK_KEY, payload.encode(), "sha256").hex()
        if not hmac.compare_digest(mac, expected):
            return Response(b'{"error":"no"}', 401, media_type="application/json")
        event = decode(await request.body())
        answer = {"uuid": request.path_params["uuid"], "last_event": event["name"], "sequence": 1, "state": "CREATED"}
        return Response(encode(answer), media_type="application/json")

    app = Starlette(routes=[Route(YARDSTICK_PATH, submit, methods=["POST"])])
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_config=None,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    told(*listener.getsockname())
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    if sys.argv[1] in ("ours", "unaudited"):
        import uvloop

        uvloop.run(ours(Path(sys.argv[2]), audited=sys.argv[1] == "ours"))
    elif sys.argv[1] == "yardstick":
        yardstick()
    else:
        sys.exit("ours DIR, unaudited DIR, or yardstick")
