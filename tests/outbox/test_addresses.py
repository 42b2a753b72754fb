"""Which addresses may be connected to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobpass.outbox.addresses import Allowed

NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "::",
    "::1",
    "::127.0.0.1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "64:ff9b:1::1",
    "64:ff9b:1::8.8.8.8",
    "4000::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b::10.0.0.1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
]
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.167.0.1",
    "2606:4700::1111",
    "2a00:1450::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]


@pytest.mark.parametrize("address", NEVER)
def test_no_private_reserved_or_metadata_address_in_any_form(address: str) -> None:
    assert not Allowed([]).permits(address, secure=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_with_tls_only(address: str) -> None:
    assert Allowed([]).permits(address, secure=True)
    assert not Allowed([]).permits(address, secure=False)


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "0x7f000001", "2130706433", "8.8.8.8/32", "8.8.8.8 ", "１.1.1.1"]
)
def test_what_is_no_address_is_not_permitted(text: str) -> None:
    assert not Allowed(["0.0.0.0/0", "::/0"]).permits(text, secure=True)


def test_a_setting_allows_networks_also_without_tls_and_nothing_beside_them() -> None:
    allowed = Allowed(["127.0.0.0/8", "10.1.0.0/16", "fd00::/8"])
    for address in ("127.0.0.1", "::ffff:127.0.0.1", "10.1.2.3", "fd00::1", "64:ff9b::10.1.2.3"):
        assert allowed.permits(address, secure=False)
        assert allowed.permits(address, secure=True)
    for address in ("10.2.0.1", "169.254.169.254", "::1", "fe80::1", "fd00::1%eth0"):
        assert not allowed.permits(address, secure=True)


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_is_public_to_us_that_is_not_to_python(address: IPv4Address) -> None:
    allowed = Allowed([])
    assert not allowed.permits(str(address), secure=True) or (address.is_global and not address.is_multicast)
    for form in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert allowed.permits(form, secure=True) == allowed.permits(str(address), secure=True)


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_is_public_to_us_that_is_not_to_python(address: IPv6Address) -> None:
    if Allowed([]).permits(str(address), secure=True):
        assert address.is_global or str(address).startswith("64:ff9b::")
        assert not address.is_multicast
        assert not address.is_private
