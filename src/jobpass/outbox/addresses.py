"""Which addresses webhooks may be sent to: public ones, and what a setting allows beside them."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address

PUBLIC_V6: Final = IPv6Network("2000::/3")
"""The only part of IPv6 that is given out as global unicast (RFC 4291 §2.4)."""
NAT64: Final = IPv6Network("64:ff9b::/96")
"""IPv4 as a translator shows it to machines that have IPv6 only (RFC 6052 §2.1): as good as the address in it."""

_NOT_PUBLIC: Final = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
    192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24
    203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
    2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20
    168.63.129.16/32
"""
NOT_PUBLIC: Final = tuple(map(ip_network, _NOT_PUBLIC.split()))
"""The special-purpose registries of IANA (RFC 6890), multicast, what is reserved; last, a cloud's metadata service at
an address that looks public."""


class Allowed:
    """What may be sent to: everything public with TLS; the ``networks`` of the setting also without."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(ip_network(text) for text in networks)

    def permits(self, text: str, *, secure: bool) -> bool:
        """Whether the address may be connected to. What is no address, or names an interface, may not."""
        try:
            address = ip_address(text)
        except ValueError:
            return False
        if isinstance(address, IPv6Address):
            if address.scope_id is not None:
                return False
            address = _inner(address)
        if any(address in network for network in self._networks):
            return True
        return secure and _is_public(address)


def _inner(address: IPv6Address) -> Address:
    """The IPv4 address which this one stands for, if it does."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(address: Address) -> bool:
    if any(address in network for network in NOT_PUBLIC):
        return False
    # Python's own list beside ours: an address is public if nobody knows better.
    return address.is_global and (isinstance(address, IPv4Address) or address in PUBLIC_V6)
