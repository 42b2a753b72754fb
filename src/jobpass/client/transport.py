"""What both shells share of HTTP: making a connection pool, a request, and the reply of a failure."""

from __future__ import annotations

import ssl

import httpx2

from jobpass.client.address import Address
from jobpass.client.exchange import MAX_ANSWER_BYTES, Lost, Request, Response

KEEPALIVE_SECONDS = 30.0
"""How long an idle connection is kept; less than the server's 75, so that the client is the one who closes."""
LIMITS = httpx2.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=KEEPALIVE_SECONDS)
USER_AGENT = "jobpass-python"


def tls_context(address: Address, given: ssl.SSLContext | None) -> ssl.SSLContext:
    """The TLS settings of a pool: those given, else the system's; over plain HTTP an empty one that trusts nobody.

    The system's certificates take 50 ms to read, and SSL_CERT_FILE in the environment is not asked.
    """
    if given is not None:
        return given
    if address.secure:
        return httpx2.create_ssl_context(trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def to_httpx(request: Request, address: Address) -> httpx2.Request:
    """``request`` as the HTTP library wants it."""
    limit = request.timeout_seconds
    return httpx2.Request(
        request.method,
        address.base + request.path,
        params=dict(request.params) or None,
        headers={"user-agent": USER_AGENT, **request.headers},
        content=request.body,
        extensions={"timeout": {"connect": limit, "read": limit, "write": limit, "pool": limit}},
    )


def response(answer: httpx2.Response, body: bytes, elapsed_seconds: float) -> Response:
    """The reply for an answer whose body was read, at most one byte too many."""
    cut = len(body) > MAX_ANSWER_BYTES
    return Response(answer.status_code, dict(answer.headers), b"" if cut else body, elapsed_seconds, cut)


def lost(error: httpx2.HTTPError | OSError, elapsed_seconds: float) -> Lost:
    """The reply for a failure. A request was surely not sent if there was no connection to send it on."""
    if _is_certificate_trouble(error):
        return Lost("its certificate is not trusted", False, elapsed_seconds, hopeless=True)
    unsent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
    if isinstance(error, httpx2.TimeoutException | TimeoutError):
        reason = "no connection in time" if unsent else "no answer in time"
    else:
        reason = "no connection" if unsent else "the connection broke"
    hopeless = isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError)
    return Lost(reason, not unsent, elapsed_seconds, hopeless)


def _is_certificate_trouble(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
