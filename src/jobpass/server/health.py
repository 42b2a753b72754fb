"""Is the server there, and can it work."""

from __future__ import annotations

from jobpass.server.call import Call
from jobpass.wire.messages import Message


async def health(_call: Call) -> Message:
    """``GET /health``: the process answers."""
    return Message("ok")


async def ready(call: Call) -> Message:
    """``GET /ready``: the record can be written; 503 if not."""
    await call.authority.check()
    return Message("ready")
