"""A row of the route table, and the way from a path to its row."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from jobpass.errors import Error, UnknownRoute, WrongMethod
from jobpass.server.call import Call, Streamed
from jobpass.tokens.token import Kind
from jobpass.wire.problems import NO_STATUSES

Handler = Callable[[Call], Awaitable[Struct | msgspec.Raw | Streamed]]
Methods = dict[str, "Route"]

USERS_KINDS: Final[tuple[Kind, ...]] = ("document", "admin", "login", "job")
"""The kinds of token that may be good on a user's route."""
OF_PEOPLE: Final[tuple[Kind, ...]] = ("login", "job")
"""The kinds that the routes of the cloud's contract take."""
PAGE: Final = ("after", "limit")
"""The parameters of a list that is read page by page."""

_slashes = re.compile("//+")


class Route(Struct, frozen=True):
    """One row, which is also what the route's documentation is made from.

    ``bearer`` says that a token is needed, ``query`` which parameters are read, ``answer`` and ``body`` which types go
    out and come in (``form``: as a form), ``refuses`` which errors are its own, beside those of every route like it.
    ``kinds`` are those of the tokens that the route takes: any other is no token there (401), also where it is a good
    one; an API key is none but on a worker's route.
    On a route of the cloud's ``contract`` unknown members and parameters are passed over, and errors have the
    contract's words and statuses; ``statuses`` maps those of the route's own. Parameters in ``repeated`` may come
    several times.
    ``ticket`` says that the blank of the path is one, which opens the route: then a ``GET`` acts, so that there is no
    ``HEAD``, and any parameter may come along.
    """

    method: str
    template: str
    handler: Handler
    does: str
    answer: Any
    body: Any = None
    bearer: bool = True
    query: tuple[str, ...] = ()
    form: bool = False
    media_type: str = "application/json"
    refuses: tuple[type[Error], ...] = ()
    ticket: bool = False
    kinds: tuple[Kind, ...] = USERS_KINDS
    contract: bool = False
    statuses: Mapping[int, int] = NO_STATUSES
    repeated: tuple[str, ...] = ()
    deprecated: bool = False


class Alias(Struct, frozen=True):
    """Another path of the contract for what ``methods`` do at ``path``; ``old`` says that it is an older one."""

    path: str
    other: str
    methods: tuple[str, ...]
    old: bool = True


def of_cloud(method: str, path: str, handler: Handler, does: str, answer: Any, **more: Any) -> Route:
    """A row of the cloud's contract, for tokens of people unless ``kinds`` are among ``more``."""
    members: dict[str, Any] = {"kinds": OF_PEOPLE, "contract": True} | more
    return Route(method, path, handler, does, answer, **members)


def with_aliases(rows: tuple[Route, ...], aliases: tuple[Alias, ...]) -> tuple[Route, ...]:
    """The rows, and after them the same at their other paths."""
    of = {(row.method, row.template): row for row in rows}
    others = (
        replace(of[method, alias.path], template=alias.other, deprecated=alias.old)
        for alias in aliases
        for method in alias.methods
    )
    return (*rows, *others)


class Router:
    """Finds the row for a method and a path. ``//`` counts as ``/``, and one ``/`` at the end does not count."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._whole: dict[str, Methods] = {}
        # Templates have at most one blank, {uuid} or {id}: what stands before and after it tells them apart.
        self._blanks: list[tuple[str, str, Methods]] = []
        for route in routes:
            methods = self._methods_of(route.template)
            methods[route.method] = route
            if route.method == "GET" and not route.ticket:
                methods["HEAD"] = route

    def _methods_of(self, template: str) -> Methods:
        before, blank, rest = template.partition("{")
        if not blank:
            return self._whole.setdefault(template, {})
        after = rest.partition("}")[2]
        for known_before, known_after, methods in self._blanks:
            if (known_before, known_after) == (before, after):
                return methods
        self._blanks.append((before, after, {}))
        return self._blanks[-1][2]

    def find(self, method: str, path: str) -> tuple[Route, str]:
        """The row and the uuid or id in the path (or ""); ``UnknownRoute`` or ``WrongMethod``."""
        if "//" in path:
            path = _slashes.sub("/", path)
        if path[-1:] == "/" and path != "/":
            path = path[:-1]
        methods, segment = self._match(path)
        route = methods.get(method)
        if route is None:
            raise WrongMethod("This path does not answer to that method.", allowed=sorted(methods))
        return route, segment

    def _match(self, path: str) -> tuple[Methods, str]:
        whole = self._whole.get(path)
        if whole is not None:
            return whole, ""
        for before, after, methods in self._blanks:
            if path.startswith(before) and path.endswith(after):
                segment = path[len(before) : len(path) - len(after)]
                if segment and "/" not in segment:
                    return methods, segment
        raise UnknownRoute("Nothing answers at this path.")
