"""JupyterHub: who a token belongs to, and a new token of a user."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from benchmarks.peers.errors import CannotMeasureError
from benchmarks.peers.figures import Offer
from benchmarks.peers.load import NUMBER, Request
from benchmarks.peers.peer import Operation, Peer, query
from benchmarks.peers.process import ask

_CONFIG = Path(__file__).parent / "sites" / "jupyterhub_config.py"
_USER = "/hub/api/users/bench"


class JupyterHub(Peer):
    """The hub's API on its own port, on SQLite as it ships, with a user of the dummy authenticator."""

    key, name, distribution = "jupyterhub", "JupyterHub", "jupyterhub"
    offers = (Offer("token check", "check"), Offer("token mint", "mint"))

    def start(self, folder: Path) -> None:
        """The hub, a user, and a token of his."""
        service = secrets.token_hex(32)
        environ = self._environ(folder, BENCH_PORT=self._choose_port(), BENCH_TOKEN=service)
        self._database = folder / "jupyterhub.sqlite"
        self._serve([self._program("jupyterhub"), "--config", str(_CONFIG)], folder, environ, "/hub/api")
        user = ask(self.url + _USER, "POST", f"token {service}")
        made = ask(f"{self.url}{_USER}/tokens", "POST", f"token {service}", '{"note":"bench"}')
        if (user.status, made.status) != (201, 201):
            raise CannotMeasureError("it made no token for a user", f"{user} {made}")
        self._authorization = f"token {made.json()['token']}"

    def operations(self) -> list[Operation]:
        """A check and a mint, both with the user's own token."""
        body = json.dumps({"note": f"bench {NUMBER}", "expires_in": 86_400})
        check = Request("GET", "/hub/api/user", self._authorization)
        mint = Request("POST", f"{_USER}/tokens", self._authorization, body)
        checks, mints = self.offers
        return [Operation(checks, [check]), Operation(mints, [mint], lambda: query(self._database, _TOKENS))]


_TOKENS = "SELECT count(*) FROM api_tokens"
