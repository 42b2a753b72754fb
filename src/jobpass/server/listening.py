"""Listening sockets: one of a process by itself, or one a process at a port that several of them share."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Final

from jobpass.errors import SetupError

BACKLOG: Final = 2048
"""Connections that the system holds until they are accepted."""
MAX_PORT: Final = 65_535


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there, and alone; ``SetupError`` if that cannot be."""
    if not 0 <= port <= MAX_PORT:  # the resolver would take it modulo 2**16
        raise SetupError(f"There is no port {port}.", host=host, port=port)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number) if number is not None and number > 0 else error.args[-1]
        raise SetupError(f"Cannot listen on {host}:{port}: {reason}.", host=host, port=port) from None
    # Accepted connections inherit it: an answer is not held back for more.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class SharedPort:
    """A port at which several processes of this one's listen, each with a socket of its own. Linux.

    The system gives each new connection to one of those that listen, by a hash of its addresses: evenly, to none that
    has not begun, and to none that has ended. (A socket that all have would feed whoever is awake first.)
    """

    def __init__(self, host: str, port: int) -> None:
        """Take the port, 0 for a free one; ``SetupError`` if somebody listens there."""
        # Until a process listens this one does: another server that is started meanwhile finds the port taken.
        self._holder = listen(host, port)
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.host, self.port = self._holder.getsockname()[:2]
        self._held = True

    def socket(self) -> socket.socket:
        """One more socket at the port, which does not listen yet."""
        made = socket.socket(self._holder.family, socket.SOCK_STREAM)
        try:
            if made.family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.bind(self._holder.getsockname())
        except OSError as error:
            made.close()
            raise SetupError(f"Cannot listen on {self.host}:{self.port}: {error}.") from None
        return made

    def leave(self) -> None:
        """Listen no more, since a process does; the port is still this one's."""
        if self._held:
            self._held = False
            with contextlib.suppress(OSError):
                self._holder.shutdown(socket.SHUT_RD)

    def close(self) -> None:
        """Give the port up."""
        self._holder.close()


@contextlib.contextmanager
def shared_port(host: str, port: int) -> Iterator[SharedPort]:
    """The port while the context lasts."""
    made = SharedPort(host, port)
    try:
        yield made
    finally:
        made.close()
