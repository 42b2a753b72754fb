"""What a person is told whose database cannot be opened: what is wrong with which one, and what to do about it."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from jobpass.errors import Error, SetupError, StoreUnavailable
from jobpass.stores.postgres.failures import sqlstate, unavailable
from jobpass.stores.postgres.place import Place

# By the server's codes (PostgreSQL, appendix A).
_SAID: Final = {
    "3D000": "There is no such database on its server: {shown}. Make it (createdb), or correct the URL.",
    "28P01": (
        "The database does not take the role's password, or has no such role: {shown}. "
        "A password comes from a password file (PGPASSFILE, mode 0600) or stands in JOBPASS_STORE."
    ),
    "28000": (
        "The database does not let this role in from this machine: {shown}. "
        "Its pg_hba.conf has no line for them, or only one that asks for TLS (sslmode=require) or forbids it."
    ),
    "42501": "The role may not connect to this database: {shown}. Its owner gives the right with GRANT CONNECT.",
}
_NO_ROLE: Final = "There is no such role in the database, or it may not log in: {shown}. Make it (createuser)."
_ROLE_IS_SOUGHT: Final = "InitializeSessionUserId"
"""Where the server looks for a role that pg_hba.conf has let in; its words for that are in its own language."""
_NO_TLS: Final = "The server does not speak TLS, which sslmode in the URL asks for: {shown}."
_NO_TRUST: Final = "The server's certificate does not hold ({why}): {shown}. sslrootcert in the URL says who signs it."
_TLS_FAILED: Final = "The server and this machine agree on no TLS: {shown}."
_NO_FILE: Final = "The socket of the server, or a file that the URL names, cannot be opened: {shown}."
_UNKNOWN_HOST: Final = "The host of the database is not known: {shown}."
_NO_SERVER: Final = "No server answers at {shown}. Is it started, and are host and port right?"
_SLOW: Final = "The server did not answer in time: {shown}. Is a firewall between, or is it stopped?"


def unopened(error: Exception, place: Place) -> Error:
    """The error for whoever opens it, without any password.

    ``SetupError`` for what stays so until somebody changes it, ``StoreUnavailable`` for what may pass by itself;
    ``detail["reason"]`` as ``failures.unavailable``.
    """
    state = sqlstate(error)
    if state is not None:
        said = _SAID.get(state)
        if state == "28000" and getattr(error, "server_source_function", None) == _ROLE_IS_SOUGHT:
            said = _NO_ROLE
        if said is None:
            return unavailable(error, "be opened")
        return SetupError(said.format(shown=place.shown), reason=state)
    if isinstance(error, ssl.SSLCertVerificationError):
        return SetupError(_NO_TRUST.format(why=error.verify_message, shown=place.shown), reason="tls")
    if isinstance(error, ssl.SSLError):
        return SetupError(_TLS_FAILED.format(shown=place.shown), reason="tls")
    if type(error) is ConnectionError:  # the driver's own: the system's are of its subclasses
        return SetupError(_NO_TLS.format(shown=place.shown), reason="tls")
    if isinstance(error, TimeoutError):
        return StoreUnavailable(_SLOW.format(shown=place.shown), reason="timeout")
    for kinds, said in ((socket.gaierror, _UNKNOWN_HOST), ((FileNotFoundError, PermissionError), _NO_FILE)):
        if isinstance(error, kinds):
            return StoreUnavailable(said.format(shown=place.shown), reason="connection")
    if isinstance(error, OSError):
        return StoreUnavailable(_NO_SERVER.format(shown=place.shown), reason="connection")
    return unavailable(error, "be opened")
