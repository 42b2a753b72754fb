"""Errors as HTTP problems and back: one table, read by server and client.

A problem is ``{"error": "a sentence", "detail": {"code": "…", …}, "request_id": "…"}``; one of bad input adds
``"message": "Validation error"`` and ``detail.<json|query|form|path|header>.<field>: ["…"]``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from jobpass import errors
from jobpass.errors import Error
from jobpass.wire.messages import Problem

Headers = list[tuple[bytes, bytes]]

NO_STATUSES: Final[Mapping[int, int]] = MappingProxyType({})

INTERNAL: Final = "internal_error"
"""The code of a failure that nobody foresaw."""
INTERNAL_MESSAGE: Final = "The server failed; its log tells why under this request id."
STORE_RETRY_SECONDS: Final = 1
"""``Retry-After`` while the record cannot be written."""
TOO_MANY_RETRY_SECONDS: Final = 1
"""``Retry-After`` where the error does not say when."""

TABLE: Final[Mapping[type[Error], tuple[int, str]]] = {
    errors.InvalidToken: (401, "invalid_token"),
    errors.MissingToken: (401, "invalid_token"),
    errors.MalformedToken: (401, "invalid_token"),
    errors.WrongKind: (401, "invalid_token"),
    errors.UnknownKey: (401, "invalid_token"),
    errors.ForgedToken: (401, "invalid_token"),
    errors.ExpiredToken: (401, "invalid_token"),
    errors.RevokedToken: (401, "invalid_token"),
    errors.OwnerDisabled: (401, "invalid_token"),
    errors.LoginFailed: (401, "invalid_login"),
    errors.Denied: (403, "denied"),
    errors.NotFound: (404, "not_found"),
    errors.UnknownJob: (404, "unknown_job"),
    errors.UnknownPipeline: (404, "unknown_pipeline"),
    errors.UnknownPrincipal: (404, "unknown_principal"),
    errors.UnknownCredential: (404, "unknown_credential"),
    errors.UnknownPlatform: (404, "unknown_platform"),
    errors.UnknownWebhook: (404, "unknown_webhook"),
    errors.UnknownRoute: (404, "unknown_route"),
    errors.WrongMethod: (405, "wrong_method"),
    errors.Conflict: (409, "conflict"),
    errors.IllegalTransition: (409, "illegal_transition"),
    errors.IdempotencyConflict: (409, "idempotency_conflict"),
    errors.JobExists: (409, "job_exists"),
    errors.AlreadyExists: (409, "already_exists"),
    errors.LimitExceeded: (409, "limit_exceeded"),
    errors.ArchiveFailed: (409, "archive_failed"),
    errors.TooLarge: (413, "too_large"),
    errors.WrongContentType: (415, "wrong_content_type"),
    errors.InvalidInput: (422, "invalid_input"),
    errors.UnknownEvent: (422, "unknown_event"),
    errors.TooMany: (429, "too_many"),
    errors.StoreUnavailable: (503, "store_unavailable"),
    # What follows is the installation's trouble, or a client's: a caller is told that there is some, and no more.
    errors.ServerUnavailable: (500, INTERNAL),
    errors.UnexpectedAnswer: (500, INTERNAL),
    errors.KeyringError: (500, INTERNAL),
    errors.SchemaTooNew: (500, INTERNAL),
    errors.InvalidLifecycle: (500, INTERNAL),
    errors.BrokenRecord: (500, INTERNAL),
}
"""Error class → HTTP status and wire code. A class that is not here counts as its nearest ancestor that is."""

CONTRACT_STATUS: Final[Mapping[int, int]] = {409: 400}
"""The status on routes of the cloud's contract, where it is another one."""

_NO_SUCH_TOKEN: Final = "Authentication and authorization failed: token not found"  # noqa: S105 - the contract's words
_CONTRACT_MESSAGES: Final[Mapping[type[Error], str]] = {
    errors.InvalidToken: _NO_SUCH_TOKEN,
    errors.ExpiredToken: "Invalid or expired job token",
    errors.RevokedToken: "Invalid or expired job token",
    errors.OwnerDisabled: "Invalid user",
}
"""What a caller of the contract's routes is told instead of the sentence for ``invalid_token``."""

_MESSAGES: Final[Mapping[str, str]] = {
    "invalid_token": "The token is not valid.",
    "store_unavailable": "The record cannot be read or written now; nothing was half-written.",
    INTERNAL: INTERNAL_MESSAGE,
}
"""Code → the only sentence that a caller is told; the true one goes to the log."""

# The first class with a code is its own: InvalidToken, not one of its leaves.
_CLASSES: Final[dict[str, type[Error]]] = {}
for _class, (_status, _code) in TABLE.items():
    if _code != INTERNAL:
        _CLASSES.setdefault(_code, _class)
_FAMILIES: Final[dict[int, type[Error]]] = {
    401: errors.InvalidToken,
    403: errors.Denied,
    404: errors.NotFound,
    405: errors.WrongMethod,
    409: errors.Conflict,
    413: errors.TooLarge,
    415: errors.WrongContentType,
    422: errors.InvalidInput,
    429: errors.TooMany,
    503: errors.StoreUnavailable,
}
"""HTTP status → the class of a problem whose code this release does not know."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Problem)
_TOKEN = re.compile(rb"jp_[a-z]{3}_[A-Za-z0-9_=-]+")


def status_of(error: BaseException) -> tuple[int, str]:
    """The HTTP status and wire code of an error; 500 ``internal_error`` for whatever is not in the table."""
    for ancestor in type(error).__mro__:
        row = TABLE.get(ancestor)
        if row is not None:
            return row
    return 500, INTERNAL


def to_problem(
    error: BaseException, request_id: str, *, contract: bool = False, statuses: Mapping[int, int] = NO_STATUSES
) -> tuple[int, Headers, bytes]:
    """Status, headers and body that answer ``error``; the body shows nothing of the inside, and never a token.

    On a route of the cloud's ``contract`` it has the contract's statuses and words, and first the route's own
    ``statuses``.
    """
    status, code = status_of(error)
    detail: dict[str, Any] = {"code": code}
    message = _MESSAGES.get(code)
    if contract:
        status = statuses.get(status) or CONTRACT_STATUS.get(status, status)
        message = _contract_message(error) or message
    if message is None and isinstance(error, Error):
        message = error.message
        detail |= _wire_detail(error) | detail
    problem = Problem(
        message or INTERNAL_MESSAGE,
        detail,
        request_id,
        "Validation error" if status == 422 else msgspec.UNSET,
    )
    return status, _headers(status, error), scrub(_encode(problem))


def _contract_message(error: BaseException) -> str | None:
    found = (_CONTRACT_MESSAGES.get(ancestor) for ancestor in type(error).__mro__ if issubclass(ancestor, Error))
    return next((message for message in found if message is not None), None)


def from_problem(status: int, body: bytes) -> Error:
    """The error that an HTTP answer tells of, of the class that was raised on the other side.

    Every ``invalid_token`` is an ``InvalidToken`` itself: the leaf is not told. What does not look like a problem, and
    ``internal_error``, is ``UnexpectedAnswer``. ``detail["request_id"]`` names the request in the server's log.
    """
    try:
        problem = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return errors.UnexpectedAnswer(f"The answer is not one of Jobpass (HTTP status {status}).", status=status)
    detail = dict(problem.detail)
    code = detail.pop("code", None)
    cls = _CLASSES.get(code) if isinstance(code, str) else None
    if cls is None:
        cls = _FAMILIES.get(status)
    if cls is None:
        return errors.UnexpectedAnswer(problem.error, status=status, request_id=problem.request_id)
    if issubclass(cls, errors.InvalidInput):
        detail = _fields_back(detail)
    # The constructors make sentences of their own; here the sentence and the detail are given.
    error = cls.__new__(cls)
    Error.__init__(error, problem.error, **_texts(detail | {"request_id": problem.request_id}))
    return error


def scrub(data: bytes) -> bytes:
    """``data`` with whatever looks like a token cut after its prefix."""
    if b"jp_" not in data:
        return data
    return _TOKEN.sub(lambda found: found.group()[:7] + "…".encode(), data)


def _encode(problem: Problem) -> bytes:
    try:
        return _encoder.encode(problem)
    except UnicodeEncodeError:  # a lone surrogate in what the caller sent
        plain = msgspec.to_builtins(problem)
        return _encoder.encode(_without_surrogates(plain))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value


def _wire_detail(error: Error) -> dict[str, Any]:
    """The error's detail as the wire has it: ``fields`` unfolded into place and field."""
    detail = dict(error.detail)
    fields = detail.pop("fields", None)
    for field, sentences in (fields or {}).items():
        place, dot, name = field.partition(".")
        if not dot:
            place, name = "json", field
        detail.setdefault(place, {})[name] = list(sentences)
    return detail


_PLACES = ("json", "query", "form", "path", "header")


def _fields_back(detail: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    rest = {}
    for name, value in detail.items():
        if name in _PLACES and isinstance(value, dict):
            fields |= {f"{name}.{field}": sentences for field, sentences in value.items()}
        else:
            rest[name] = value
    return rest | {"fields": fields}


def _texts(detail: dict[str, Any]) -> dict[str, Any]:
    """``detail`` as keyword arguments: without the names that the constructor has for itself."""
    return {name: value for name, value in detail.items() if name not in ("self", "message")}


def _headers(status: int, error: BaseException) -> Headers:
    """The headers that belong to a status: RFC 6750 §3, RFC 9110 §10.2.1 (Allow) and §10.2.3 (Retry-After)."""
    if isinstance(error, errors.MissingToken):
        return [(b"www-authenticate", b"Bearer")]
    if isinstance(error, errors.InvalidToken):
        return [(b"www-authenticate", b'Bearer error="invalid_token"')]
    if isinstance(error, errors.WrongMethod):
        return [(b"allow", ", ".join(error.detail.get("allowed", ())).encode())]
    if isinstance(error, errors.TooMany):
        seconds = error.detail.get("retry_after_seconds", TOO_MANY_RETRY_SECONDS)
        return [(b"retry-after", b"%d" % max(1, math.ceil(seconds)))]
    if status == 503:
        return [(b"retry-after", b"%d" % STORE_RETRY_SECONDS)]
    return []
