"""Ask an ASGI application in this process, byte for byte, as a server would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import unquote, urlencode

JSON = (b"content-type", b"application/json")
FORM = (b"content-type", b"application/x-www-form-urlencoded")


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The one value of a header, or None."""
        values = [value.decode("latin-1") for key, value in self.headers if key == name.encode()]
        assert len(values) < 2, (name, values)
        return values[0] if values else None

    @property
    def code(self) -> str:
        """The stable code of a problem."""
        return self.json()["detail"]["code"]


class Asker:
    """Sends requests to one application."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(
        self,
        method: str,
        target: str,
        *,
        token: str | None = None,
        json: Any = None,
        body: bytes | None = None,
        form: dict[str, str] | None = None,
        headers: Iterable[tuple[bytes, bytes]] = (),
        chunk_bytes: int = 1 << 16,
    ) -> Answer:
        """One request; ``json``, ``form`` or ``body`` brings a content type with it unless ``headers`` does."""
        sent = list(headers)
        if token is not None:
            sent.append((b"authorization", b"Bearer " + token.encode()))
        if json is not None:
            body = _dump(json)
        if form is not None:
            body = urlencode(form).encode()
            sent.append(FORM)
        if body is not None and all(name != b"content-type" for name, _ in sent):
            sent.append(JSON)
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode("utf-8", "surrogatepass"),
            "query_string": query.encode(),
            "headers": sent,
            "client": ("192.0.2.7", 4711),
            "scheme": "http",
        }
        return await self.raw(scope, body or b"", chunk_bytes)

    async def raw(self, scope: dict[str, Any], body: bytes, chunk_bytes: int = 1 << 16) -> Answer:
        """One request by its scope; the body comes in chunks."""
        chunks = [body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes)] or [b""]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if not chunks:  # the client is there, and waits for its answer
                await asyncio.get_running_loop().create_future()
            chunk = chunks.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        start, *rest = sent
        assert start["type"] == "http.response.start"
        return Answer(start["status"], list(start["headers"]), b"".join(message["body"] for message in rest))


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()
