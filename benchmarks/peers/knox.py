"""Django REST Knox: who a token belongs to."""

from __future__ import annotations

import secrets
from pathlib import Path

from benchmarks.peers.figures import Offer
from benchmarks.peers.load import Request
from benchmarks.peers.peer import Operation, Peer
from benchmarks.peers.process import run

_SITES = Path(__file__).parent / "sites"


class Knox(Peer):
    """A site of one view on SQLite under gunicorn, with connections to the database that stay."""

    key, name, distribution = "knox", "Django REST Knox", "django-rest-knox"
    offers = (Offer("token check", "check"),)

    def start(self, folder: Path) -> None:
        """The tables, a user and his token, and the site."""
        environ = self._environ(folder, BENCH_SECRET=secrets.token_hex(32))
        made = run([self._program("python"), str(_SITES / "knox_site.py")], folder, environ, "it made no token")
        self._authorization = f"Token {made.strip()}"
        command = [self._program("gunicorn"), "--bind", f"127.0.0.1:{self._choose_port()}", "--workers", "1"]
        command += ["--worker-class", "gthread", "--threads", "1", "--pythonpath", str(_SITES)]
        command += ["--log-level", "error", "--no-control-socket", "knox_site:application"]
        self._serve(command, folder, environ, "/api/me")

    def operations(self) -> list[Operation]:
        """A check."""
        return [Operation(self.offers[0], [Request("GET", "/api/me", self._authorization)])]
