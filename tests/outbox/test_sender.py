"""One POST: what is sent, and what counts as an answer."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jobpass.outbox.addresses import Allowed
from jobpass.outbox.places import Places
from jobpass.outbox.sender import Outcome, Sender
from support.receiver import Got, receiving

LOOPBACK = Allowed(["127.0.0.0/8"])
ANYTHING = {"webhook-id": "m", "content-type": "application/json"}


def sender(limit_seconds: float = 5, allowed: Allowed = LOOPBACK, **more: object) -> Sender:
    return Sender(Places(allowed), limit_seconds=limit_seconds, **more)


async def post(url: str, body: bytes = b"{}", **more: object) -> Outcome:
    one = sender(**more)
    try:
        return await one.post(url, ANYTHING, body)
    finally:
        await one.close()


async def test_what_is_sent() -> None:
    async with receiving() as receiver:
        assert await post(receiver.url, b'{"a":1}') == Outcome(204, None)
        assert receiver.got == [
            Got(
                "POST /in?box=1 HTTP/1.1",
                {
                    "host": f"127.0.0.1:{receiver.port}",
                    "user-agent": "jobpass",
                    "content-length": "7",
                    "webhook-id": "m",
                    "content-type": "application/json",
                },
                b'{"a":1}',
            )
        ]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_2xx_is_delivered(status: int) -> None:
    async with receiving(lambda _: status) as receiver:
        assert (await post(receiver.url)).delivered


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 408, 410, 429, 500, 503, 599])
async def test_everything_else_is_not(status: int) -> None:
    async with receiving(lambda _: status) as receiver:
        outcome = await post(receiver.url)
        assert (outcome.status, outcome.delivered, outcome.gone) == (status, False, status == 410)
        assert outcome.sentence.startswith(f"HTTP {status}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with receiving() as other:
        said = f"HTTP/1.1 {status} Moved\r\nlocation: {other.url}\r\ncontent-length: 0\r\n\r\n".encode()
        async with receiving(lambda _: said) as receiver:
            outcome = await post(receiver.url)
            assert (outcome.delivered, outcome.sentence) == (False, f"HTTP {status}, and redirects are not followed")
            assert other.got == []


async def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert await post(f"http://127.0.0.1:{port}/") == Outcome(None, "no connection")


async def test_an_address_that_is_not_allowed_is_not_connected_to() -> None:
    async with receiving() as receiver:
        outcome = await post(receiver.url, allowed=Allowed([]))
        assert (outcome.status, outcome.error) == (None, "its address is not allowed, or there is none")
        assert receiver.connections == 0


async def test_the_environment_s_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await post(receiver.url)).delivered
        assert proxy.connections == 0


async def test_a_name_that_changes_after_it_was_looked_up_changes_nothing() -> None:
    """DNS rebinding: the address that is connected to is the one that was checked."""
    async with receiving() as receiver, receiving() as inside:
        asked = []

        async def resolve(host: str, _port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"] if len(asked) == 1 else ["127.9.9.9"]

        one = Sender(Places(LOOPBACK, resolve))
        assert (await one.post(f"http://rebind.example:{receiver.port}/", ANYTHING, b"{}")).delivered
        assert asked == ["rebind.example"]
        assert receiver.got[0].headers["host"] == f"rebind.example:{receiver.port}"
        await one.close()
        assert inside.connections == 0


async def test_a_name_that_leads_inside_later_is_refused_then() -> None:
    async with receiving() as receiver:
        answers = [["127.0.0.1"], ["127.0.0.1", "10.0.0.1"]]

        async def resolve(_host: str, _port: int) -> list[str]:
            return answers.pop(0)

        places = Places(LOOPBACK, resolve)
        for delivered in (True, False):
            one = Sender(places)
            assert (await one.post(f"http://later.example:{receiver.port}/", ANYTHING, b"{}")).delivered == delivered
            await one.close()
        assert len(receiver.got) == 1


async def test_the_next_address_is_tried() -> None:
    async with receiving() as receiver:

        async def resolve(_host: str, _port: int) -> list[str]:
            return ["127.3.3.3", "127.0.0.1"]

        one = Sender(Places(LOOPBACK, resolve))
        assert (await one.post(f"http://two.example:{receiver.port}/", ANYTHING, b"{}")).delivered
        await one.close()


async def test_who_is_silent_has_so_long() -> None:
    async def never(_: Got) -> int:
        await asyncio.sleep(60)
        return 200

    async with receiving(never) as receiver:
        assert await post(receiver.url, limit_seconds=0.2) == Outcome(None, "no answer in time")


async def test_who_drips_has_so_long_for_all_of_it() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1000:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    assert await post(url, limit_seconds=0.3) == Outcome(None, "no answer in time")
    server.close()


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n" + b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000,
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nxyz",
    ],
)
async def test_what_follows_a_good_status_does_not_matter(said: bytes) -> None:
    async with receiving(lambda _: said) as receiver:
        assert await post(receiver.url) == Outcome(200, None)


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 2", b"x" * 200_000, b"HTTP/1.1 9999 No\r\n\r\n"])
async def test_what_is_no_answer(said: bytes) -> None:
    async with receiving(lambda _: said) as receiver:
        assert await post(receiver.url) == Outcome(None, "the connection broke, or what answers is no web server")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("999999999", 86_400), ("-1", 0), ("1.5", 0), ("Fri, 31 Dec 2027 23:59:59 GMT", 0)],
)
async def test_retry_after_is_read_in_seconds_and_bounded(header: str, seconds: int) -> None:
    said = f"HTTP/1.1 503 No\r\nretry-after: {header}\r\ncontent-length: 0\r\n\r\n".encode()
    async with receiving(lambda _: said) as receiver:
        assert await post(receiver.url) == Outcome(503, None, seconds)


async def test_a_connection_is_used_again() -> None:
    async with receiving(lambda _: 200) as receiver:
        one = sender()
        for _ in range(3):
            assert (await one.post(receiver.url, ANYTHING, b"{}")).delivered
        assert receiver.connections == 1
        await one.close()


def authority(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of a server with a certificate for ``name``, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    (folder / "pem").write_bytes(
        certificate.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "pem")
    return server, ssl.create_default_context(cafile=folder / "pem")


async def test_tls_is_for_the_name_though_the_address_is_connected_to(tmp_path: Path) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    server, client = authority(tmp_path, "hooks.example")
    names = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    async with receiving(tls=server) as receiver:
        places = Places(LOOPBACK, resolve)
        for tls, host, expected in (
            (client, "hooks.example", Outcome(204, None)),
            (client, "other.example", Outcome(None, "its certificate is not trusted")),
            (None, "hooks.example", Outcome(None, "its certificate is not trusted")),
        ):
            one = Sender(places, tls)
            assert await one.post(f"https://{host}:{receiver.port}/", ANYTHING, b"{}") == expected
            await one.close()
        assert names == ["hooks.example", "other.example", "hooks.example"]
        assert receiver.got[0].headers["host"] == f"hooks.example:{receiver.port}"


async def test_https_to_who_speaks_no_tls() -> None:
    async with receiving() as receiver:
        outcome = await post(receiver.url.replace("http", "https"), limit_seconds=2)
        assert outcome.delivered is False
        assert receiver.got == []
