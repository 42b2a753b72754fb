"""Fixed keys and the tokens that they sign."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mint import mint_admin_key, mint_credential, mint_document
from jobpass.tokens.verify import Verifier


@dataclass(frozen=True)
class Given:
    """Constants that the tests share."""

    root: bytes = bytes(range(32))
    kid: bytes = bytes.fromhex("0a1b2c3d")
    kid_text: str = "0a1b2c3d"
    other_root: bytes = bytes(range(32, 64))
    other_kid: bytes = bytes.fromhex("ffeeddcc")
    job: str = "1079f67e-0ef6-51f0-9d5b-0242ac110002"
    other_job: str = "107a0000-0000-5000-8000-000000000001"
    serial: int = 0x0123456789ABCDEF
    credential: str = "00112233445566778899aabbccddeeff"
    lifetime: int = 3600
    now: datetime = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def given() -> Given:
    return Given()


@pytest.fixture(scope="session")
def keyring(given: Given) -> Keyring:
    return Keyring.generate(given.kid, given.root)


@pytest.fixture
def verifier(keyring: Keyring) -> Verifier:
    return Verifier(keyring)


@pytest.fixture(scope="session")
def cold(keyring: Keyring) -> Verifier:
    """A verifier that remembers nothing, so that each test sees the MAC checked."""
    return Verifier(keyring, cache_size=0)


@pytest.fixture(scope="session")
def texts(keyring: Keyring, given: Given) -> dict[str, str]:
    """One text of each kind without caveats; ``admin`` is the key, which is no bearer."""
    credentials = {kind: mint_credential(keyring, kind, given.credential) for kind in ("login", "job", "apikey")}
    return credentials | {
        "document": mint_document(keyring, given.kid_text, given.job, given.serial),
        "admin": mint_admin_key(keyring, given.credential, given.lifetime),
    }
