"""Connections: to a Jobpass server, or to a folder in this process."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import jobpass
from datacatalog import settings
from datacatalog.mongo.authn import decode_authn_string
from datacatalog.mongo.exceptions import ConnectionFailure
from datacatalog.settings import crypt, environment
from datacatalog.tokens import get_admin_token

_ADMIN_KEY: Final = crypt.ADMIN_KEY_PREFIX
_DOCUMENT: Final = "jp_doc_"
_STORES: Final = "sqlite:///path/to/folder, or {'url': 'https://…', 'token': '…'} for a Jobpass server"
_KEPT: Final = 64
"""Clients of tokens that a connection keeps ready."""

_Key = tuple[str | None, ...]
_clients: dict[tuple[int, _Key], jobpass.Client] = {}
_opening = threading.Lock()


class Connection:
    """A place where jobs are kept, and who asks there; made by ``db_connection``.

    May be shared by threads. After a fork the child opens it again for itself.
    """

    def __init__(self, key: _Key, open_client: Callable[[], jobpass.Client], token: str | None) -> None:
        self._key = key
        self._open = open_client
        self._token = token
        self._bearing: dict[str, jobpass.Client] = {}
        self._pid = -1
        self._client = self._present()

    def own(self) -> jobpass.Client:
        """A client that asks for whoever the connection speaks for; with an admin key, its token of this moment."""
        client = self._present()
        if self._token is None:
            return client
        if self._token.startswith(_ADMIN_KEY):
            return client.with_token(str(get_admin_token(self._token)))
        return self.bearing(self._token)

    def bearing(self, token: str) -> jobpass.Client:
        """A client that presents ``token`` and nothing else. Raises ``InvalidToken`` for what can be none."""
        base = self._present()
        client = self._bearing.get(token)
        if client is None:
            client = base.with_token(str(token))
            if len(self._bearing) >= _KEPT:
                self._bearing.clear()
            self._bearing[token] = client
        return client

    def callback_url(self, token: str, events: Iterable[str], seconds: float, base: str | None = None) -> str | None:
        """A URL that causes ``events`` of the job whose document token this is; None where no URL leads to a server.

        ``base`` is where the server is reached, if not where the connection does. Raises ``ValueError`` for one that
        can be none.
        """
        client = self._present()
        if not token.startswith(_DOCUMENT) or (base is None and client.public_url is None):
            return None
        try:
            return client.callback_url(events, expires_in_seconds=seconds, token=str(token), base=base)
        except jobpass.errors.InvalidInput as error:
            raise ValueError(error.message) from error

    def __repr__(self) -> str:
        return f"Connection({self._key[0]!r})"

    def _present(self) -> jobpass.Client:
        pid = os.getpid()
        if pid != self._pid:
            with _opening:
                client = _clients.get((pid, self._key))
                if client is None:
                    client = self._open()
                    _clients[pid, self._key] = client
                self._client, self._pid, self._bearing = client, pid, {}
        return self._client


def db_connection(mongodb: Any) -> Connection:
    """The connection that ``mongodb`` describes, the same one for the same description.

    ``{'url': 'https://…', 'token': …}`` is a Jobpass server, which needs no secret here; the token is a log-in token,
    or an admin key ``jp_adk_…``, or absent, if every call has its own. ``{'authn': …}`` is base64 of
    ``sqlite:///folder``: in process, with ``CATALOG_ADMIN_TOKEN_SECRET``, for ``<user>@localhost``. Raises
    ``ConnectionFailure`` with the reason, and ``ValueError`` where no variable tells the user.
    """
    if isinstance(mongodb, Connection):
        return mongodb
    if isinstance(mongodb, Mapping) and mongodb.get("url") is None and mongodb.get("authn") is not None:
        account = f"{settings.username()}@localhost"
    else:
        account = ""
    try:
        if not isinstance(mongodb, Mapping):
            raise ValueError("Connection details are a mapping")
        if mongodb.get("url") is not None:
            return _server(mongodb)
        if mongodb.get("authn") is not None:
            return _folder(decode_authn_string(mongodb["authn"]), account)
        raise ValueError(f"Unable to parse connection details: there must be 'authn', base64 of {_STORES}")
    except (ValueError, jobpass.errors.Error) as error:
        raise ConnectionFailure("Unable to connect to database", error) from error


def _server(mongodb: Mapping[str, Any]) -> Connection:
    url, token = mongodb["url"], mongodb.get("token")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise ValueError("url must begin with https:// (or with http:// on this machine)")
    if token is not None and not isinstance(token, str):
        raise ValueError("token must be a text")
    return Connection((url,), lambda: jobpass.Client(url), None if token is None else str(token))


def _folder(url: str, account: str) -> Connection:
    scheme = url.partition("://")[0].partition("+")[0]
    if scheme == "mongodb":
        raise ValueError(
            f"MongoDB is not used any more. The stores that exist: {_STORES}."
            " A dump is brought over with: jobpass import datacatalog FILE"
        )
    if scheme in ("postgresql", "postgres"):
        raise ValueError(f"This store is not there yet. The stores that exist: {_STORES}")
    if scheme != "sqlite":
        raise ValueError(f"Unknown store. The stores that exist: {_STORES}")
    secret = crypt.admin_secret()
    admin_key = crypt.admin_key() if environment.first(crypt.ADMIN_KEY_VARIABLE) else None
    environ = environment.beginning("JOBPASS_") | {"JOBPASS_UUID_DOMAIN": settings.UUID_DNS_DOMAIN}

    def open_client() -> jobpass.Client:
        return jobpass.open(url, environ=environ, secret=secret, account=account, admin_key=admin_key)

    said = sorted(f"{name}={value}" for name, value in environ.items())
    return Connection((url, secret, account, admin_key, *said), open_client, None)


def _renew_lock() -> None:
    """Let a child go on whose parent was opening something at the moment of the fork."""
    global _opening  # noqa: PLW0603 - a lock that a thread of the parent holds is never released here
    _opening = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


@atexit.register
def close_all() -> None:
    """Close what this process has opened; a connection that is used again opens again."""
    with _opening:
        own = [key for key in _clients if key[0] == os.getpid()]
        closing = [_clients.pop(key) for key in own]
    for client in closing:
        client.close()
