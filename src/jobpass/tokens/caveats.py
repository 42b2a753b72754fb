"""Conditions in a token, each a UTF-8 JSON array such as ``["expires_at",1795352384]``; they can only forbid.

A caveat that cannot be read refuses the token: a server that does not know a newer restriction must not drop it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated

import msgspec

from jobpass.errors import InvalidInput, MalformedToken
from jobpass.tokens.access import Access

MAX_ITEMS = 256  # entries of a list or of the states; how long each may be, the text's own bound says
MAX_EPOCH_SECONDS = 253_402_300_799  # the last second of the year 9999
_MAPPED_BITS = 96  # ::ffff:0:0/96 holds the IPv4 addresses (RFC 4291 §2.5.5.2)

_Items = Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_ITEMS)]
_States = Annotated[dict[str, _Items], msgspec.Meta(max_length=MAX_ITEMS)]
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=MAX_EPOCH_SECONDS)]


class Caveat(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """Base of all conditions."""

    def prohibits(self, access: Access) -> str | None:
        """Why this condition forbids ``access``, one sentence without anyone's data; None if it does not."""
        raise NotImplementedError

    @property
    def code(self) -> str:
        """The condition's name in the token: its first JSON item."""
        return str(self.__struct_config__.tag)


class ExpiresAt(Caveat, frozen=True, tag="expires_at"):
    """Forbids everything from second ``at`` (since the epoch) on."""

    at: _Seconds

    def prohibits(self, access: Access) -> str | None:
        """Forbids from that very second on."""
        return "The token has expired." if access.at >= moment(self.at) else None


class Jobs(Caveat, frozen=True, tag="jobs"):
    """Forbids what is not about one of these jobs (uuids), also what is about no job."""

    allowed: _Items

    def prohibits(self, access: Access) -> str | None:
        """Forbids an access without a job, or with another one."""
        return None if access.job in self.allowed else "The token is limited to other jobs."


class Events(Caveat, frozen=True, tag="events"):
    """Forbids other events; says nothing about what sends none."""

    allowed: _Items

    def prohibits(self, access: Access) -> str | None:
        """Forbids an event that is not listed."""
        if access.event is None or access.event in self.allowed:
            return None
        return "The token is limited to other events."


class States(Caveat, frozen=True, tag="states"):
    """Forbids events from other states than those listed with them; says nothing about what sends none."""

    allowed: _States

    def prohibits(self, access: Access) -> str | None:
        """Forbids an event that is not listed for the job's state, or whose state is not known."""
        if access.event is None or (access.state is not None and access.event in self.allowed.get(access.state, ())):
            return None
        return "The token does not allow this event from the job's state."


class Actions(Caveat, frozen=True, tag="actions"):
    """Forbids other verbs, reads included."""

    allowed: _Items

    def prohibits(self, access: Access) -> str | None:
        """Forbids an action that is not listed."""
        return None if access.action in self.allowed else "The token is limited to other actions."


class Platforms(Caveat, frozen=True, tag="platforms"):
    """Forbids other platforms; says nothing about what concerns none."""

    allowed: _Items

    def prohibits(self, access: Access) -> str | None:
        """Forbids a platform that is not listed."""
        if access.platform is None or access.platform in self.allowed:
            return None
        return "The token is limited to other platforms."


class Cidr(Caveat, frozen=True, tag="cidr"):
    """Forbids callers from outside these networks, IPv4 or IPv6, and callers whose address is not known."""

    allowed: _Items

    def prohibits(self, access: Access) -> str | None:
        """Forbids an address in none of the networks; an IPv4 address in IPv6 form counts as IPv4."""
        if access.address is not None and _within(access.address, self.allowed):
            return None
        return "The token is limited to other networks."


_decode = msgspec.json.Decoder(ExpiresAt | Jobs | Events | States | Actions | Platforms | Cidr).decode
_encode = msgspec.json.Encoder().encode
_LOOKED_INTO = frozenset((Cidr, States))


def read_all(texts: Iterable[bytes]) -> tuple[Caveat, ...]:
    """The conditions in ``texts``; MalformedToken if one cannot be read whole, with nothing left over."""
    caveats: list[Caveat] = []
    readable = True
    try:
        for text in texts:
            caveat: Caveat = _decode(text)
            if type(caveat) in _LOOKED_INTO:
                _look_into(caveat, text)
            caveats.append(caveat)
    except (ValueError, RecursionError):  # msgspec's own errors and UnicodeDecodeError are ValueErrors
        readable = False  # and raised below, so that no cause carries what was read along
    if not readable:
        raise MalformedToken("The token holds a condition that this server cannot read.")
    return tuple(caveats)


def _look_into(caveat: Caveat, text: bytes) -> None:
    """Refuse, by a ValueError, what the decoder lets through: a network that is none, a state named twice."""
    if isinstance(caveat, Cidr):
        for network in caveat.allowed:
            _network(network)
    else:
        json.loads(text, object_pairs_hook=_refuse_duplicates)


def write(caveat: Caveat) -> bytes:
    """The JSON text of ``caveat``; InvalidInput if ``read_all`` would refuse it."""
    try:
        text = _encode(caveat)
        read_all([text])
    except (TypeError, ValueError, MalformedToken):
        raise InvalidInput(f"This is not a condition that a token can hold: {type(caveat).__name__}.") from None
    return text


def write_all(caveats: Iterable[Caveat]) -> tuple[bytes, ...]:
    """The JSON texts of ``caveats``, in their order; InvalidInput if one is not sound."""
    return tuple(write(caveat) for caveat in caveats)


def without_expiry(caveats: Iterable[Caveat]) -> tuple[Caveat, ...]:
    """The same ``caveats``, for an admin key; InvalidInput if one says when it expires.

    The server trusts the first ``expires_at`` of an admin token only, so with one in the key its tokens were useless.
    """
    given = tuple(caveats)
    if first_expiry(given) is not None:
        raise InvalidInput("An admin key does not expire: the tokens made from it do, and its record can be revoked.")
    return given


def earliest_expiry(caveats: Iterable[Caveat]) -> int | None:
    """The first second (since the epoch) at which one of ``caveats`` says expired; None if none ever does."""
    return min((caveat.at for caveat in caveats if type(caveat) is ExpiresAt), default=None)


def first_expiry(caveats: Iterable[Caveat]) -> int | None:
    """The second of the ``expires_at`` that was added first, which nothing added later can change; None without one."""
    return next((caveat.at for caveat in caveats if type(caveat) is ExpiresAt), None)


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a state is named twice")
    return members


@lru_cache(maxsize=4096)
def moment(seconds: int) -> datetime:
    """The aware UTC moment of ``seconds`` since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


@lru_cache(maxsize=1024)
def _network(text: str) -> IPv4Network | IPv6Network:
    """The network of ``address`` or ``address/bits``; ValueError for host bits, masks, zones and anything else."""
    bits = text.partition("/")[2]
    if "%" in text or (bits and not bits.isdigit()):
        raise ValueError("not an address, nor an address with a number of bits")
    network = ip_network(text)
    if isinstance(network, IPv6Network) and network.prefixlen >= _MAPPED_BITS:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
    return network


@lru_cache(maxsize=4096)
def _within(address: str, networks: tuple[str, ...]) -> bool:
    """Whether ``address`` is in one of ``networks``; what is no address is in none."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in _network(network) for network in networks)
