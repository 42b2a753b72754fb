"""One POST to a webhook: to an address that was checked, without proxies, redirects or patience."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

import httpcore2
import httpx2

from jobpass.outbox.places import NowhereAllowedError, Places
from jobpass.outbox.target import parse

LIMIT_SECONDS: Final = 15.0
"""For all of it: the name, the connection, the request, the answer."""
ANSWER_BYTES: Final = 4096
"""Of an answer's body so much is read, so that the connection can be used again; nothing of it is kept."""
IDLE_SECONDS: Final = 5.0
ADDRESSES_TRIED: Final = 3
CONNECT_SECONDS: Final = 4.0
"""For each address but the last, which has what is left."""
MAX_RETRY_AFTER_SECONDS: Final = 86_400


class Outcome(NamedTuple):
    """What became of an attempt: the status of the answer, or why there was none."""

    status: int | None
    error: str | None
    retry_after_seconds: int = 0

    @property
    def delivered(self) -> bool:
        """Whether the receiver took it."""
        return self.status is not None and 200 <= self.status <= 299

    @property
    def gone(self) -> bool:
        """Whether the receiver wants nothing more."""
        return self.status == 410

    @property
    def sentence(self) -> str:
        """Why it failed."""
        if self.error is not None:
            return self.error
        return f"HTTP {self.status}" + (", and redirects are not followed" if 300 <= (self.status or 0) <= 399 else "")


class Sender:
    """Keeps idle connections for a few seconds. ``tls`` replaces the system's certificates."""

    def __init__(self, places: Places, tls: ssl.SSLContext | None = None, limit_seconds: float = LIMIT_SECONDS) -> None:
        # Made before it serves: the system's certificates take 50 ms to read.
        context = httpx2.create_ssl_context(trust_env=False) if tls is None else tls
        self._limit_seconds = limit_seconds
        self._pools = {
            secure: httpcore2.AsyncConnectionPool(
                ssl_context=context,
                max_connections=None,
                keepalive_expiry=IDLE_SECONDS,
                network_backend=_Checked(places, secure=secure),
            )
            for secure in (False, True)
        }

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Send ``body`` to ``url``, once."""
        target = parse(url)
        sent = {"host": target.header, "user-agent": "jobpass", "content-length": str(len(body)), **headers}
        request = httpcore2.Request(
            "POST",
            httpcore2.URL(
                scheme=target.scheme.encode(),
                host=target.host.encode(),
                port=target.port,
                target=target.path.encode(),
            ),
            headers=[(name.encode(), value.encode()) for name, value in sent.items()],
            content=body,
        )
        try:
            async with asyncio.timeout(self._limit_seconds):
                return await self._exchange(self._pools[target.secure], request)
        except TimeoutError:
            return Outcome(None, "no answer in time")
        except NowhereAllowedError:
            return Outcome(None, "its address is not allowed, or there is none")
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            return Outcome(None, "its certificate is not trusted" if _is_about_tls(error) else "no connection")
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError):
            return Outcome(None, "the connection broke, or what answers is no web server")

    async def close(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            await pool.aclose()

    async def _exchange(self, pool: httpcore2.AsyncConnectionPool, request: httpcore2.Request) -> Outcome:
        response = await pool.handle_async_request(request)
        try:
            outcome = Outcome(response.status, None, _retry_after(response))
            with suppress(httpcore2.NetworkError, httpcore2.ProtocolError, TimeoutError):
                async with asyncio.timeout(1):  # what was said by then counts, whatever follows
                    await _drop(response)
        finally:
            await response.aclose()
        return outcome


class _Checked(httpcore2.AsyncNetworkBackend):
    """Connects to the very address that was checked; the name is for TLS and the Host header only."""

    def __init__(self, places: Places, *, secure: bool) -> None:
        self._places = places
        self._secure = secure
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's word
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to an address of ``host``, all of which are allowed."""
        addresses = (await self._places.find(host, port, secure=self._secure))[:ADDRESSES_TRIED]
        for address in addresses[:-1]:
            with suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                return _Plain(
                    await self._inner.connect_tcp(address, port, CONNECT_SECONDS, local_address, socket_options)
                )
        return _Plain(await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options))


class _Plain(httpcore2.AsyncNetworkStream):
    """A connection without TLS; unlike the library's, it is closed when whoever waits for a handshake gives up."""

    def __init__(self, inner: httpcore2.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """What came."""
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send it."""
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close it."""
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        """The same connection with TLS."""
        try:
            return await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._inner.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        """What is known of the socket."""
        return self._inner.get_extra_info(info)


async def _drop(response: httpcore2.Response) -> None:
    size = 0
    async for chunk in response.aiter_stream():
        size += len(chunk)
        if size > ANSWER_BYTES:
            return


def _retry_after(response: httpcore2.Response) -> int:
    """The seconds of a ``Retry-After`` header (RFC 9110 §10.2.3), bounded; 0 for a date or nothing."""
    values = [value for name, value in response.headers if name.lower() == b"retry-after"]
    if len(values) == 1 and values[0].isdigit() and len(values[0]) <= 9:
        return min(int(values[0]), MAX_RETRY_AFTER_SECONDS)
    return 0


def _is_about_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
