"""The ASGI application: from a request to its answer, whatever happens on the way."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import MutableMapping
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from jobpass.errors import Denied, Error, InvalidToken, LoginFailed, StoreUnavailable, TooMany, UnknownJob
from jobpass.server.bearer import identify
from jobpass.server.body import ClientGone
from jobpass.server.call import JSON, Call, Headers, Receive, Scope, Send, Streamed, WorkLimits
from jobpass.server.counters import Counters
from jobpass.server.deadlines import READ_SECONDS, STOPPING_SECONDS, Deadlines
from jobpass.server.query import parse_query
from jobpass.server.route import Router
from jobpass.server.routes import routes
from jobpass.server.streaming import gathered, send_streamed
from jobpass.wire.problems import INTERNAL, scrub, to_problem

if TYPE_CHECKING:
    from jobpass.authority.authority import Authority
    from jobpass.ports import Randomness

BODY_LIMIT_BYTES: Final = 1024 * 1024
"""What a body may have unless a setting says otherwise."""

NOTED: Final = (InvalidToken, Denied, LoginFailed, TooMany, UnknownJob)
"""Refusals that the audit notes, with their true reason; a job that is hidden is one that is unknown."""

LOOPBACK: Final = "127.0.0.1"
"""The address of a request from this process."""

DEFAULT_LIMITS: Final = WorkLimits()

Answer = bytes | Streamed

access_log = logging.getLogger("jobpass.access")
log = logging.getLogger("jobpass.server")

_encode = msgspec.json.Encoder().encode
_request_id = re.compile(rb"[\x21-\x7e]{1,64}")
_subject = re.compile(r"[0-9a-f-]{1,36}")  # a uuid or an id, and nothing that could be a token
_ticket = re.compile(r"(?<=callbacks/).+", re.DOTALL | re.IGNORECASE)  # whatever stands there was meant to be one
_showable = re.compile(r"[A-Za-z0-9/_.…-]{1,128}")


def create_app(
    authority: Authority,
    *,
    randomness: Randomness,
    body_limit_bytes: int = BODY_LIMIT_BYTES,
    callbacks: bool = False,
    limits: WorkLimits = DEFAULT_LIMITS,
) -> App:
    """The application over an authority. It owns nothing: whoever opened the authority closes it.

    Without ``callbacks`` there is no route that takes tickets.
    """
    return App(authority, Router(routes(callbacks=callbacks)), randomness(6).hex(), body_limit_bytes, limits)


class App:
    """An ASGI 3 application. ``instance`` begins the request ids that it makes.

    ``authority`` may be replaced by another one on the same store while requests are under way.
    """

    def __init__(
        self,
        authority: Authority,
        router: Router,
        instance: str,
        body_limit_bytes: int,
        limits: WorkLimits = DEFAULT_LIMITS,
    ) -> None:
        self.authority = authority
        self.counters = Counters()
        self._router = router
        self._instance = instance
        self._numbers = count(1)
        self._body_limit_bytes = body_limit_bytes
        self._limits = limits
        self._deadlines = Deadlines()
        self._store_told_at = float("-inf")

    def tick(self, *, stopping: bool = False) -> None:
        """A chore for once a second: end what reads its body too slowly, and what waits once the server stops."""
        self.counters.clock_offset_seconds = self.authority.clock_offset()
        if stopping:
            self.authority.signals.end()
        self._deadlines.tick(STOPPING_SECONDS if stopping else READ_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI's ``http``); take part in ``lifespan``, refuse anything else."""
        if scope["type"] != "http":
            await _other(scope, receive, send)
            return
        started, method, path = perf_counter(), scope["method"], scope["path"]
        client = scope.get("client")
        call = self._call(scope["headers"], client[0] if client else None, receive)
        try:
            status, extra, body, reason = await self._respond(method, path, scope["query_string"], call)
        except ClientGone:
            return
        if isinstance(body, Streamed):
            reason = await send_streamed(receive, send, method, call, body)
        else:
            await _send(send, method, status, call, extra, body)
        self._note(method, path, call, status, reason, perf_counter() - started)

    async def answer(
        self, method: str, path: str, query: bytes, headers: Headers, body: bytes
    ) -> tuple[int, Headers, bytes]:
        """What a request from this process is answered: status, headers (none if it is 200) and body."""
        started = perf_counter()
        call = self._call(headers, LOOPBACK, _gone)
        call.body = body
        status, extra, answer, reason = await self._respond(method, path, query, call)
        if isinstance(answer, Streamed):
            answer = b"".join([piece async for piece in answer.pieces])
        self._note(method, path, call, status, reason, perf_counter() - started)
        return status, extra, answer

    def _call(self, headers: Headers, address: str | None, receive: Receive) -> Call:
        call = Call(
            headers,
            address,
            receive,
            self.authority,
            self.counters,
            self._deadlines,
            self._body_limit_bytes,
            self._limits,
        )
        call.request_id = self._request_id(call)
        return call

    async def _respond(self, method: str, path: str, query: bytes, call: Call) -> tuple[int, Headers, Answer, str]:
        """The answer, good or bad, with the reason of a bad one."""
        try:
            return 200, _NO_HEADERS, await self._answer(method, path, query, call), ""
        except Error as error:
            return *self._refuse(error, call), error.code
        except ClientGone:
            raise
        except Exception as error:  # the last line: whatever it is, it is told to the log, and the caller gets a 500
            return *self._refuse(error, call), type(error).__name__

    def _note(self, method: str, path: str, call: Call, status: int, reason: str, seconds: float) -> None:
        self.counters.answered(method, call.template, status, seconds)
        if access_log.isEnabledFor(logging.INFO):
            _log_access(method, path, call, status, reason, seconds)

    async def _answer(self, method: str, path: str, query: bytes, call: Call) -> Answer:
        """The body of a good answer: the route, the token, the query, then the handler with the body."""
        route, call.id = self._router.find(method, path)
        call.template, call.contract, call.statuses = route.template, route.contract, route.statuses
        if route.bearer:
            call.presented = await identify(call, route.kinds)
        if query:
            known = None if route.ticket or route.contract else route.query
            call.query = parse_query(query, known, route.repeated)
        answer = await route.handler(call)
        if not isinstance(answer, Streamed):
            return _encode(answer)
        return await gathered(answer) if answer.media_type == JSON else answer

    def _request_id(self, call: Call) -> str:
        """The caller's own if it is one that can be shown, else the next of this instance."""
        given = call.header_values(b"x-request-id")
        if len(given) == 1 and _request_id.fullmatch(given[0]) and b"jp_" not in given[0]:
            return given[0].decode("ascii")
        return f"{self._instance}-{next(self._numbers):x}"

    def _refuse(self, error: Exception, call: Call) -> tuple[int, Headers, bytes]:
        status, headers, body = to_problem(error, call.request_id, contract=call.contract, statuses=call.statuses)
        self.counters.refused(error.code if isinstance(error, Error) else INTERNAL)
        if isinstance(error, NOTED):
            subject = call.id if _subject.fullmatch(call.id) else None
            call.authority.audit.note_refusal(error, call.template, call.presented, call.address, subject)
        if isinstance(error, StoreUnavailable):
            self._tell_store(error, call)
        elif status >= 500:
            log.error("a request failed", exc_info=error, extra={"request_id": call.request_id})
        return status, headers, body

    def _tell_store(self, error: StoreUnavailable, call: Call) -> None:
        """One line a second at most: a full disk has many callers."""
        at = asyncio.get_running_loop().time()
        if at - self._store_told_at >= 1:
            self._store_told_at = at
            log.error("the store is unavailable: %s", error.message, extra={"request_id": call.request_id})


_NO_HEADERS: Final[Headers] = []


async def _gone() -> MutableMapping[str, Any]:
    """What is received after a body that was there from the start."""
    return {"type": "http.disconnect"}


async def _send(send: Send, method: str, status: int, call: Call, extra: Headers, body: bytes) -> None:
    headers = [
        (b"content-type", call.media_type),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-request-id", call.request_id.encode("ascii")),
        *extra,
    ]
    if call.close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})


def _log_access(method: str, asked: str, call: Call, status: int, reason: str, seconds: float) -> None:
    """One line for a request: who did what, and never with which token."""
    path = _ticket.sub("…", scrub(asked.encode("utf-8", "replace")).decode())
    fields: dict[str, object] = {
        "method": method[:16],
        "path": path if _showable.fullmatch(path) else call.template or "(unprintable)",
        "status": status,
        "milliseconds": round(seconds * 1000, 3),
        "request_id": call.request_id,
        "address": call.address,
    }
    if call.presented is not None:
        fields["credential"] = call.presented.credential
    if reason:
        fields["reason"] = reason
    # Where this was called is the same for every line, and dear to find out.
    access_log.handle(access_log.makeRecord(access_log.name, logging.INFO, "", 0, "request", (), None, extra=fields))


async def _other(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1000})
    else:
        raise ValueError(f"not a kind of ASGI scope: {scope['type']}")
