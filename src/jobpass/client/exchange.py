"""One request and its answer, with the retries, as a generator without I/O: it yields what is to be done.

The time that passes comes in with each answer, so that nothing here reads a clock.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Literal, TypeVar

from msgspec import Struct, structs

from jobpass.errors import Error, InvalidInput, ServerUnavailable, TooMany, UnexpectedAnswer
from jobpass.wire.problems import from_problem, scrub

MAX_ANSWER_BYTES = 80 * 1024 * 1024
"""The largest answer that is read: a page of 64 events, each with 1 MiB of data, and room for their frame."""
RETRIED_STATUSES = frozenset({429, 502, 503, 504})
"""Answers after which the same request may succeed; RFC 9110 §15.6, RFC 6585 §4."""
GATEWAY_STATUSES = frozenset({502, 503, 504})
_MOST_DOUBLINGS = 30

T = TypeVar("T")
Again = Literal["always", "refused", "unsent", "never"]
"""When a request may be sent again: always, only if it surely had no effect (in process, where no gateway stands
between, a refusal has none), only if it surely never reached the server, never."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how long a request is tried: at most ``attempts`` times within ``deadline_seconds`` in all.

    The pause before attempt n + 1 is drawn from the upper half of ``first_seconds * 2**(n - 1)``, which ends at
    ``longest_seconds``; an answer's ``Retry-After`` makes it longer. ``random`` gives a number in [0, 1).
    """

    attempts: int = 6
    deadline_seconds: float = 60.0
    first_seconds: float = 0.1
    longest_seconds: float = 5.0
    random: Callable[[], float] = field(default=random.random, repr=False)

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.deadline_seconds <= 0 or self.first_seconds < 0 or self.longest_seconds < 0:
            raise InvalidInput("Retries need at least one attempt, a deadline above 0 and pauses of 0 or more.")

    def pause_seconds(self, attempt: int) -> float:
        """How long to wait after attempt number ``attempt``, the first being 1."""
        longest = min(self.longest_seconds, self.first_seconds * 2.0 ** min(attempt - 1, _MOST_DOUBLINGS))
        return longest * (0.5 + 0.5 * self.random())


ONCE = Retries(attempts=1)
"""No retries."""


class Request(Struct, frozen=True):
    """What is to be sent; ``path`` follows the server's URL and has no query, which is in ``params``.

    A list there is a parameter that comes several times.
    """

    method: str
    path: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    params: Mapping[str, str | list[str]] = {}
    again: Again = "always"
    timeout_seconds: float = 10.0

    def __repr__(self) -> str:
        return f"Request({self.method!r}, {self.path!r}, params={self.params!r}, again={self.again!r})"


class Response(Struct, frozen=True):
    """What was answered; ``cut`` says that there was more than ``MAX_ANSWER_BYTES``. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_seconds: float = 0.0
    cut: bool = False

    def __repr__(self) -> str:
        return f"Response({self.status}, elapsed_seconds={self.elapsed_seconds}, cut={self.cut})"


@dataclass(frozen=True, slots=True)
class Lost:
    """No whole answer came; ``sent`` is False only if the server surely never saw the request."""

    reason: str
    sent: bool
    elapsed_seconds: float = 0.0
    hopeless: bool = False


@dataclass(frozen=True, slots=True)
class Sleep:
    """Nothing is to be done for so long."""

    seconds: float


Step = Request | Sleep
Reply = Response | Lost
Operation = Generator[Step, Reply | None, T]
"""Yields what to do, is sent the reply to a ``Request`` (None after a ``Sleep``), and returns the result."""


def exchange(request: Request, retries: Retries) -> Operation[bytes]:
    """The body of the 200 that answers ``request``; raises the error of any other outcome, once retries are spent."""
    if request.again == "never":
        retries = replace(retries, attempts=1)
    spent = 0.0
    attempt = 0
    while True:
        attempt += 1
        left = retries.deadline_seconds - spent
        reply = yield request if request.timeout_seconds <= left else structs.replace(request, timeout_seconds=left)
        assert reply is not None
        if isinstance(reply, Response) and reply.status == 200 and not reply.cut:
            return reply.body
        error = _error(reply)
        pause = max(retries.pause_seconds(attempt), _retry_after(reply))
        spent += reply.elapsed_seconds + pause
        if attempt >= retries.attempts or spent >= retries.deadline_seconds or not _may_succeed(request, reply):
            raise error
        yield Sleep(pause)


def _may_succeed(request: Request, reply: Reply) -> bool:
    """Whether ``request`` may be sent again after ``reply``, and may then fare better."""
    if isinstance(reply, Lost):
        return not reply.hopeless and (request.again == "always" or not reply.sent)
    return request.again in ("always", "refused") and reply.status in RETRIED_STATUSES and not reply.cut


def _error(reply: Reply) -> Error:
    """The error that an answer other than a whole 200 means."""
    if isinstance(reply, Lost):
        return ServerUnavailable(f"The server cannot be reached: {reply.reason}.")
    if reply.cut:
        return UnexpectedAnswer(
            f"The answer has more than {MAX_ANSWER_BYTES} bytes.", status=reply.status, limit_bytes=MAX_ANSWER_BYTES
        )
    if reply.status < 400:
        return UnexpectedAnswer(f"Jobpass never answers with status {reply.status}.", status=reply.status)
    # No honest server repeats a token; what answers instead of it might, and an error is shown and logged.
    error = from_problem(reply.status, scrub(reply.body))
    if isinstance(error, UnexpectedAnswer) and reply.status in GATEWAY_STATUSES:
        return ServerUnavailable(f"A gateway before the server answers {reply.status}.", status=reply.status)
    if isinstance(error, UnexpectedAnswer) and reply.status == 429:
        error = TooMany("Asked too often.")
    if isinstance(error, TooMany):
        error.detail.setdefault("retry_after_seconds", _retry_after(reply))
    return error


def _retry_after(reply: Reply) -> float:
    """The seconds that an answer asks to wait (RFC 9110 §10.2.3), 0 if it does not.

    A date counts from the answer's own, so that no clock is needed.
    """
    if isinstance(reply, Lost) or reply.status not in RETRIED_STATUSES:
        return 0.0
    text = reply.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until, since = parsedate_to_datetime(text), parsedate_to_datetime(reply.headers.get("date", ""))
        return max(0.0, (until - since).total_seconds())
    except (ValueError, TypeError):  # neither a number nor two dates
        return 0.0
