"""The routes as one table, and the way from a path to its row."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from msgspec import Struct

from jobpass.errors import UnknownRoute, WrongMethod
from jobpass.server import accounts, health, jobs, pipelines
from jobpass.server.call import Call
from jobpass.wire import paths

Handler = Callable[[Call], Awaitable[Struct | msgspec.Raw]]


class Route(Struct, frozen=True):
    """One row: who may come (``bearer`` says that a token is needed), and which query parameters are read."""

    method: str
    template: str
    handler: Handler
    bearer: bool = True
    query: tuple[str, ...] = ()


ROUTES: Final = (
    Route("POST", paths.JOB_EVENTS, jobs.submit_event),
    Route("GET", paths.JOB_HISTORY, jobs.history, query=("after", "limit")),
    Route("GET", paths.JOB_VERIFY, jobs.verify),
    Route("GET", paths.JOB, jobs.show),
    Route("POST", paths.JOBS, jobs.create),
    Route("GET", paths.JOBS, jobs.list_jobs, query=("state", "pipeline_uuid", "after", "limit")),
    Route("POST", paths.PIPELINES, pipelines.put),
    Route("GET", paths.PIPELINES, pipelines.list_pipelines, query=("after", "limit")),
    Route("GET", paths.PIPELINE, pipelines.show),
    Route("POST", paths.LOGIN, accounts.login, bearer=False),
    Route("POST", paths.LOGOUT, accounts.logout),
    Route("GET", paths.ME, accounts.me),
    Route("GET", paths.HEALTH, health.health, bearer=False),
    Route("GET", paths.READY, health.ready, bearer=False),
)
"""Every route, the one whose speed counts first."""

_slashes = re.compile("//+")


class Router:
    """Finds the row for a method and a path. ``//`` counts as ``/``, and one ``/`` at the end does not count."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._methods: dict[str, dict[str, Route]] = {}
        for route in routes:
            methods = self._methods.setdefault(route.template, {})
            methods[route.method] = route
            if route.method == "GET":
                methods["HEAD"] = route
        # Templates have at most one blank, {uuid}: what stands before and after it tells them apart.
        self._blanks: list[tuple[str, str, dict[str, Route]]] = []
        for template, methods in self._methods.items():
            before, blank, after = template.partition("{uuid}")
            if blank:
                self._blanks.append((before, after, methods))

    def find(self, method: str, path: str) -> tuple[Route, str]:
        """The row and the uuid in the path (or ""); ``UnknownRoute`` or ``WrongMethod``."""
        if "//" in path:
            path = _slashes.sub("/", path)
        if path[-1:] == "/" and path != "/":
            path = path[:-1]
        methods, uuid = self._match(path)
        route = methods.get(method)
        if route is None:
            raise WrongMethod("This path does not answer to that method.", allowed=sorted(methods))
        return route, uuid

    def _match(self, path: str) -> tuple[dict[str, Route], str]:
        for before, after, methods in self._blanks:
            if path.startswith(before) and path.endswith(after):
                uuid = path[len(before) : len(path) - len(after)]
                if uuid and "/" not in uuid:
                    return methods, uuid
        exact = self._methods.get(path)
        if exact is None or "{" in path:
            raise UnknownRoute("Nothing answers at this path.")
        return exact, ""
