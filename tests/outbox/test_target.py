"""Which URLs a webhook can have."""

from __future__ import annotations

import pytest

from jobpass.errors import InvalidInput
from jobpass.outbox.target import Target, parse


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.org", Target("https", "example.org", 443, "/")),
        ("HTTPS://Example.ORG:8443/a/b?c=d&e=@", Target("https", "example.org", 8443, "/a/b?c=d&e=@")),
        ("http://[::1]:80/", Target("http", "::1", 80, "/")),
        ("http://10.0.0.1:1/%20", Target("http", "10.0.0.1", 1, "/%20")),
        ("https://a.example/T0/x_Y-z~[1]", Target("https", "a.example", 443, "/T0/x_Y-z~[1]")),
    ],
)
def test_a_sound_url_is_taken_apart(url: str, target: Target) -> None:
    assert parse(url) == target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "https:///path",
        "https://user@example.org/",
        "https://user:password@example.org/",
        "https://example.org@evil.example/",
        "https://example.org:80@evil.example/",
        "https://example.org\\@evil.example/",
        "https://example.org#@evil.example/",
        "https://example.org/#fragment",
        "https://example.org/a b",
        "https://example.org/a\r\nx-evil: 1",
        "https://example.org/\0",
        "https://exa mple.org/",
        "https://.example.org/",
        "https://example.org./",
        "https://example..org/",
        "https://éxample.org/",
        "https://example.org:0/",
        "https://example.org:65536/",
        "https://example.org:/",
        "https://example.org:+80/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://%31%32%37.0.0.1/",
        "https://example.org?x=1",
        " https://example.org/",
        "https://example.org/\n",
        "https://example.org/" + "a" * 2048,
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(url)
    assert list(refused.value.detail["fields"]) == ["json.url"]


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("https://example.org/", "example.org"),
        ("http://example.org/", "example.org"),
        ("https://example.org:80/", "example.org:80"),
        ("http://[::1]/", "[::1]"),
        ("http://[::1]:8080/", "[::1]:8080"),
    ],
)
def test_the_host_header_has_the_port_where_it_is_not_the_scheme_s(url: str, header: str) -> None:
    target = parse(url)
    assert target.header == header
    assert target.secure == url.startswith("https")
