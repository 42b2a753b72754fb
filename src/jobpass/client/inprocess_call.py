"""One request to an application in this process, and its answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable
from urllib.parse import quote, unquote, urlencode

from jobpass.client.exchange import MAX_ANSWER_BYTES, Request, Response

Headers = list[tuple[bytes, bytes]]
App = Callable[[str, str, bytes, Headers, bytes], Awaitable[tuple[int, Headers, bytes]]]
"""(method, path, query, headers, body) → (status, headers, body); names of headers are in lower case."""

_log = logging.getLogger("jobpass.inprocess")


class Call:
    """A request on its way through the application; ``done`` is released when the answer is whole."""

    __slots__ = ("_answer", "_request", "done")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._answer: tuple[int, Headers, bytes] = (500, [], b"")
        self.done = threading.Lock()
        self.done.acquire()

    async def run(self, app: App) -> None:
        """Let ``app`` answer; what it raises is logged, and answered as a server would, with 500."""
        request = self._request
        path, params = request.path, request.params
        try:
            self._answer = await app(
                request.method,
                unquote(path) if "%" in path else path,
                urlencode(params, doseq=True, quote_via=quote).encode("ascii") if params else b"",
                [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in request.headers.items()],
                request.body or b"",
            )
        except Exception:
            _log.exception("The application failed.")
        finally:
            self.done.release()

    def response(self, elapsed_seconds: float) -> Response:
        """What the application answered."""
        status, fields, body = self._answer
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in fields}
        cut = len(body) > MAX_ANSWER_BYTES
        return Response(status, headers, b"" if cut else body, elapsed_seconds, cut)
