"""The route table and the message types as an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

import msgspec
from msgspec import NODEFAULT, Raw

from jobpass import errors
from jobpass.errors import Error
from jobpass.server.call import Call
from jobpass.server.query import LIMIT_DEFAULT, LIMIT_MAX, MAX_LENGTH, MAX_SEQUENCE, OFFSET_MAX
from jobpass.server.route import Route
from jobpass.server.tokens import LIMIT as TOKENS_DEFAULT
from jobpass.server.tokens import LIMIT_MAX as TOKENS_MAX
from jobpass.wire import paths
from jobpass.wire.compute import WAIT_SECONDS as WORKER_WAIT_SECONDS
from jobpass.wire.files import WAIT_SECONDS
from jobpass.wire.messages import Problem
from jobpass.wire.problems import CONTRACT_STATUS, INTERNAL, TABLE

DOES: Final = "describes all of this (OpenAPI 3.1)"
_TEXT: Final = {"type": "string", "maxLength": MAX_LENGTH}
_TIME: Final = {"type": "string", "format": "date-time"}
_SEQUENCE: Final = {"type": "integer", "minimum": 0, "maximum": MAX_SEQUENCE}
_BOOLEAN: Final = {"type": "boolean", "default": False}
_QUERY: Final[dict[str, dict[str, Any]]] = {
    "acted_on": _TEXT,
    "acted_using": _TEXT,
    "after": _TEXT,
    "child_of": _TEXT,
    "compromised": _BOOLEAN,
    "end_time": _TIME,
    "event": _TEXT,
    "generated_by": _TEXT,
    "include_expired": _BOOLEAN,
    "include_revoked": _BOOLEAN,
    "kind": {"type": "string", "enum": ["archive", "product"]},
    "job_group_name": _TEXT,
    "level": _TEXT,
    "limit": {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
    "name": _TEXT,
    "offset": {"type": "integer", "minimum": 0, "maximum": OFFSET_MAX, "default": 0},
    "platform_name": _TEXT,
    "pipeline_uuid": {"type": "string", "format": "uuid"},
    "principal": _SEQUENCE,
    "results_type": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"},
    "shots": {"type": "integer", "minimum": 0, "maximum": OFFSET_MAX},
    "since": _TIME,
    "start_time": _TIME,
    "state": _TEXT,
    "status": _TEXT,
    "token_ids": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}},
    "until": _TIME,
    "user_id": {"type": "integer", "minimum": 0, "maximum": OFFSET_MAX},
    "wait": {"type": "integer", "minimum": 0, "maximum": WAIT_SECONDS, "default": 0},
}
_TOKENS_LIMIT: Final = {"type": "integer", "minimum": 1, "maximum": TOKENS_MAX, "default": TOKENS_DEFAULT}
_QUERY_OF: Final = {
    (paths.JOB_HISTORY, "after"): _SEQUENCE,
    (paths.COMPUTE_EVENTS, "wait"): {"type": "integer", "minimum": 0, "maximum": WORKER_WAIT_SECONDS},
    (paths.TOKENS, "limit"): _TOKENS_LIMIT,
    (paths.AUTH_TOKENS, "limit"): _TOKENS_LIMIT,
}
"""Parameters that are something else on one route."""

_HEADERS: Final[dict[int, dict[str, Any]]] = {
    401: {"WWW-Authenticate": "RFC 6750 §3; absent from a failed log-in"},
    405: {"Allow": "the methods that there are"},
    429: {"Retry-After": "seconds"},
    503: {"Retry-After": "seconds"},
}
_ALL: Final[tuple[type[Error], ...]] = (errors.InvalidInput, errors.StoreUnavailable)
_BEARER: Final[tuple[type[Error], ...]] = (errors.InvalidToken, errors.Denied)
_BODY: Final[tuple[type[Error], ...]] = (errors.TooLarge, errors.WrongContentType)


def showing(routes: tuple[Route, ...], path: str) -> Callable[[Call], Awaitable[Raw]]:
    """The handler of ``GET path``, which shows ``routes`` and itself; made once, when it is first asked for."""
    made: list[Raw] = []

    async def show(_call: Call) -> Raw:
        if not made:
            itself = Route("GET", path, show, DOES, dict[str, Any], bearer=False)
            made.append(Raw(msgspec.json.encode(document((*routes, itself)))))
        return made[0]

    return show


def document(routes: tuple[Route, ...]) -> dict[str, Any]:
    """The OpenAPI document of these routes."""
    types = [Problem, *(one for route in routes for one in (route.body, route.answer) if one is not None)]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schema_of = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    operations: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    for route in routes:
        operation = _operation(route, schema_of)
        if operation["operationId"] in names:  # the same by another path
            operation["operationId"] += re.sub(r"[^a-z]+", "_", route.template.removeprefix("/api"))
        names.add(operation["operationId"])
        operations.setdefault(route.template, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Jobpass", "version": version("jobpass"), "license": {"name": "Apache-2.0"}},
        "paths": operations,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "A Jobpass token."}},
        },
    }


def _operation(route: Route, schema_of: dict[int, dict[str, Any]]) -> dict[str, Any]:
    answer = {"description": "Done.", "content": {route.media_type: {"schema": schema_of[id(route.answer)]}}}
    operation: dict[str, Any] = {
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}_{route.handler.__name__}",
        "summary": route.does,
        "parameters": _parameters(route),
        "responses": {"200": answer, **_refusals(route, schema_of[id(Problem)])},
    }
    if route.body is not None:
        media_type = "application/x-www-form-urlencoded" if route.form else "application/json"
        operation["requestBody"] = {
            "required": _is_needed(route.body),
            "content": {media_type: {"schema": schema_of[id(route.body)]}},
        }
    if route.deprecated:
        operation["deprecated"] = True
    if route.bearer:
        operation["security"] = [{"bearer": []}]
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    _, blank, rest = route.template.partition("{")
    if blank:
        name = rest.partition("}")[0]
        found.append({"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}})
    for name in route.query:
        schema = _QUERY_OF.get((route.template, name), _QUERY[name])
        found.append({"name": name, "in": "query", "required": False, "schema": schema})
    keyed = (paths.COMPUTE_JOBS, paths.OLD_COMPUTE_JOB)
    if route.template in (paths.JOB_EVENTS, paths.JOB_RESET) or (route.method == "POST" and route.template in keyed):
        key = {"type": "string", "pattern": "^[!-~]{1,255}$"}
        found.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": key})
    if route.template == paths.COMPUTE_EVENTS:
        last = {"type": "string", "pattern": "^[0-9]{1,19}$"}
        found.append({"name": "Last-Event-ID", "in": "header", "required": False, "schema": last})
    return found


def _refusals(route: Route, problem: dict[str, Any]) -> dict[str, Any]:
    """The refusals of a route by status, each with its codes."""
    kinds = [*route.refuses, *(_BEARER if route.bearer else ()), *(_BODY if route.body is not None else ()), *_ALL]
    codes = {500: [INTERNAL]}
    for kind in kinds:
        status, code = TABLE[kind]
        if route.contract:
            status = route.statuses.get(status) or CONTRACT_STATUS.get(status, status)
        codes.setdefault(status, []).append(code)
    refusals = {}
    for status, of in sorted(codes.items()):
        refusal: dict[str, Any] = {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(sorted(set(of)))}.",
            "content": {"application/json": {"schema": problem}},
        }
        if status in _HEADERS:
            headers = _HEADERS[status].items()
            refusal["headers"] = {name: {"description": d, "schema": {"type": "string"}} for name, d in headers}
        refusals[str(status)] = refusal
    return refusals


def _is_needed(body: Any) -> bool:
    """Whether there must be a body: not if each of its members may be absent."""
    if not (isinstance(body, type) and issubclass(body, msgspec.Struct)):
        return True
    fields = msgspec.structs.fields(body)
    return any(field.default is NODEFAULT and field.default_factory is NODEFAULT for field in fields)
