"""The metrics: by a route for operators, and by an application of its own for a port of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from jobpass.wire.paths import METRICS

if TYPE_CHECKING:
    from jobpass.server.call import Call, Receive, Scope, Send
    from jobpass.server.counters import Counters


async def show(call: Call) -> Raw:
    """``GET /metrics``: for operators."""
    from jobpass.server import exposition

    call.authority.admit(call.bearer, "metrics.read")
    call.media_type = exposition.MEDIA_TYPE.encode()
    return Raw(exposition.render(call.counters))


class MetricsApp:
    """An ASGI application with ``GET /metrics`` and nothing else, for whoever reaches it."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request; without the store, so that it also answers when that is down."""
        from jobpass.server import exposition

        if scope["type"] != "http":
            return
        fits = scope["path"] == METRICS and scope["method"] in ("GET", "HEAD")
        body = exposition.render(self._counters) if fits else b""
        headers = [(b"content-type", exposition.MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200 if fits else 404, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
