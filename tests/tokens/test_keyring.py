"""Keys: derived as documented, rotated, retired, kept as text, and never shown."""

from __future__ import annotations

import copy
import hmac
import json
import pickle
import traceback
from typing import Any

import pytest

from jobpass.errors import KeyringError, UnknownKey
from jobpass.tokens.keyring import Keyring, KeyState, derive_key

KINDS = ["document", "admin", "login", "job", "apikey"]


def test_the_keys_are_those_of_the_format(keyring: Keyring, given: Any) -> None:
    generator = b"macaroons-key-generator" + bytes(9)
    for kind in KINDS:
        of_kind = hmac.digest(given.root, b"jobpass/v1/" + kind.encode(), "sha256")
        expected = hmac.digest(hmac.digest(generator, of_kind, "sha256"), b"message", "sha256")
        assert keyring.token_key(given.kid_text, kind).mac(b"message") == expected
    chain = hmac.digest(given.root, b"jobpass/v1/chain", "sha256")
    assert keyring.chain_key(given.kid_text) == chain
    assert keyring.record_key(given.kid_text, "audit") == hmac.digest(chain, b"jobpass/v1/audit", "sha256")
    assert keyring.derive(given.kid_text, "cursor") == hmac.digest(given.root, b"jobpass/v1/cursor", "sha256")


def test_rotate_signs_with_the_new_key_and_keeps_the_old(keyring: Keyring, given: Any) -> None:
    rotated = keyring.rotate(given.other_kid, given.other_root)
    assert rotated.signing_kid == "ffeeddcc"
    assert rotated.keys == (KeyState("ffeeddcc", "active"), KeyState("0a1b2c3d", "verifying"))
    assert rotated.token_key("0a1b2c3d", "login").mac(b"m") == keyring.token_key("0a1b2c3d", "login").mac(b"m")
    assert keyring.signing_kid == "0a1b2c3d", "the first keyring is as it was"


def test_retire_forgets_the_root_and_keeps_the_chain(keyring: Keyring, given: Any) -> None:
    rotated = keyring.rotate(given.other_kid, given.other_root)
    retired = rotated.retire("0a1b2c3d")
    assert retired.keys == (KeyState("ffeeddcc", "active"), KeyState("0a1b2c3d", "retired"))
    for kind in KINDS:
        with pytest.raises(UnknownKey):
            retired.token_key("0a1b2c3d", kind)
    with pytest.raises(KeyringError):
        retired.derive("0a1b2c3d", "cursor")
    assert retired.chain_key("0a1b2c3d") == keyring.chain_key("0a1b2c3d")
    assert retired.record_key("0a1b2c3d", "audit") == keyring.record_key("0a1b2c3d", "audit")
    assert given.root.hex() not in retired.dump()
    assert retired.retire("0a1b2c3d").dump() == retired.dump()


def test_retire_refuses_the_key_that_signs_and_one_that_is_not_there(keyring: Keyring) -> None:
    with pytest.raises(KeyringError, match="rotate first"):
        keyring.retire("0a1b2c3d")
    with pytest.raises(KeyringError, match="no key of this id"):
        keyring.retire("00000000")


@pytest.mark.parametrize("kid", ["00000000", "", "0A1B2C3D", "0a1b2c3", "0a1b2c3d0", "0a 1b 2c3d", "zzzzzzzz", "é"])
def test_a_kid_that_is_not_there(keyring: Keyring, kid: str) -> None:
    with pytest.raises(UnknownKey):
        keyring.token_key(kid, "login")
    with pytest.raises(KeyringError):
        keyring.chain_key(kid)
    with pytest.raises(KeyringError):
        keyring.derive(kid, "cursor")


@pytest.mark.parametrize("purpose", [*KINDS, "chain"])
def test_no_purpose_gets_the_key_of_tokens_or_histories(keyring: Keyring, given: Any, purpose: str) -> None:
    with pytest.raises(ValueError, match="method of its own"):
        keyring.derive(given.kid_text, purpose)


def test_dump_and_parse(keyring: Keyring, given: Any) -> None:
    full = keyring.rotate(given.other_kid, given.other_root).rotate(bytes(4), bytes(range(64, 96))).retire("0a1b2c3d")
    text = full.dump()
    for again in (Keyring.parse(text), Keyring.parse(text.encode())):
        assert again.dump() == text
        assert again.keys == full.keys
        assert again.chain_key("0a1b2c3d") == keyring.chain_key("0a1b2c3d")
    assert json.loads(text) == {
        "version": 1,
        "keys": [
            {"state": "active", "kid": "00000000", "root": bytes(range(64, 96)).hex()},
            {"state": "verifying", "kid": "ffeeddcc", "root": given.other_root.hex()},
            {"state": "retired", "kid": "0a1b2c3d", "chain": keyring.chain_key("0a1b2c3d").hex()},
        ],
    }


ROOT = bytes(range(32)).hex()
CANARY = "c0ffee" * 10


def keys(*entries: dict[str, Any], **more: Any) -> str:
    return json.dumps({"version": 1, "keys": list(entries)} | more)


ACTIVE = {"state": "active", "kid": "0a1b2c3d", "root": ROOT}


@pytest.mark.parametrize(
    "text",
    [
        "",
        CANARY,
        f'"{CANARY}',
        "null",
        "[]",
        "[" * 100_000,
        "\ud800" + CANARY,
        keys(ACTIVE, version=2),
        keys(ACTIVE, version="1"),
        keys(ACTIVE, note=CANARY),
        keys(),
        keys(ACTIVE | {"note": CANARY}),
        keys(ACTIVE | {"state": "Active"}),
        keys(ACTIVE | {"state": "verifying"}),
        keys({"state": "retired", "kid": "0a1b2c3d", "chain": ROOT}),
        keys({"state": "retired", "kid": "0a1b2c3d", "root": CANARY}),
        keys({"state": "active", "kid": "0a1b2c3d"}),
        keys(ACTIVE, ACTIVE | {"kid": "00000000", "root": "11" * 31 + "12"}),
        keys(ACTIVE, {"state": "verifying", "kid": "0a1b2c3d", "root": "11" * 31 + "12"}),
        keys(ACTIVE, {"state": "verifying", "kid": "00000000", "root": ROOT}),
        keys(ACTIVE | {"kid": "0A1B2C3D"}),
        keys(ACTIVE | {"kid": "0a1b2c"}),
        keys(ACTIVE | {"kid": CANARY}),
        keys(ACTIVE | {"kid": 1}),
        keys(ACTIVE | {"root": ""}),
        keys(ACTIVE | {"root": CANARY}),
        keys(ACTIVE | {"root": ROOT[2:]}),
        keys(ACTIVE | {"root": ROOT + "00"}),
        keys(ACTIVE | {"root": ROOT.upper()}),
        keys(ACTIVE | {"root": " ".join(ROOT)}),
        keys(ACTIVE | {"root": "not hex" + CANARY}),
        keys(ACTIVE | {"root": "00" * 32}),
        keys(ACTIVE | {"root": "ab" * 32}),
        keys(ACTIVE) + keys(ACTIVE),
    ],
)
def test_an_unsound_keyring_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(KeyringError) as caught:
        Keyring.parse(text)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
    assert CANARY[:12] not in shown.replace(__file__, "")
    assert ROOT[:12] not in shown
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("root", [b"", b"short", bytes(31), bytes(32), b"x" * 32, bytes(range(33))])
def test_a_weak_root_key_is_refused(given: Any, keyring: Keyring, root: bytes) -> None:
    with pytest.raises(KeyringError):
        Keyring.generate(given.kid, root)
    with pytest.raises(KeyringError):
        keyring.rotate(given.other_kid, root)


def test_rotating_to_a_kid_or_key_that_is_there_is_refused(given: Any, keyring: Keyring) -> None:
    with pytest.raises(KeyringError, match="same id"):
        keyring.rotate(given.kid, given.other_root)
    with pytest.raises(KeyringError, match="same key"):
        keyring.rotate(given.other_kid, given.root)
    with pytest.raises(KeyringError, match="8 lower-case hex"):
        keyring.rotate(b"abc", given.other_root)


def test_a_keyring_does_not_show_itself(keyring: Keyring, given: Any) -> None:
    shown = repr(keyring) + str(keyring) + f"{keyring}"
    assert given.root.hex()[:8] not in shown
    assert repr(given.root)[2:10] not in shown
    assert "signing=0a1b2c3d" in shown
    with pytest.raises(TypeError):
        pickle.dumps(keyring)
    with pytest.raises(TypeError):
        copy.deepcopy(keyring)


def rfc_5869(secret: bytes, info: bytes, size: int) -> bytes:
    extracted = hmac.digest(b"jobpass/v1/secret", secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")[:size]


def test_a_keyring_from_a_secret_is_the_documented_one_and_always_the_same() -> None:
    secret = "a séed of sixteen"
    made = Keyring.from_secret(secret)
    kid, root = rfc_5869(secret.encode(), b"kid", 4), rfc_5869(secret.encode(), b"root key", 32)
    assert made.dump() == Keyring.generate(kid, root).dump() == Keyring.from_secret(secret).dump()
    assert made.dump() != Keyring.from_secret(secret + " ").dump()
    assert derive_key(secret, "root key") == rfc_5869(secret.encode(), b"purpose/root key", 32)
    assert len({root, derive_key(secret, "root key"), derive_key(secret, "kid"), derive_key(secret, "")}) == 4


@pytest.mark.parametrize("secret", ["", "fifteen chars..", "x" * 64, "canary-" + "\ud800" * 20])
def test_a_weak_secret_is_refused_and_not_shown(secret: str) -> None:
    for derive in (Keyring.from_secret, lambda text: derive_key(text, "purpose")):
        with pytest.raises(KeyringError) as caught:
            derive(secret)
        shown = "".join(traceback.format_exception(caught.value))
        assert "canary" not in shown
        assert caught.value.__context__ is None


def test_a_keyring_holds_a_key_that_it_uses_and_no_other(keyring: Keyring, given: Any) -> None:
    other = Keyring.generate(given.other_kid, given.other_root)
    rotated = keyring.rotate(given.other_kid, given.other_root)
    assert keyring.holds(keyring)
    assert rotated.holds(keyring)
    assert rotated.holds(other)
    assert not keyring.holds(other)
    assert not rotated.retire("0a1b2c3d").holds(keyring)
    assert not keyring.holds(Keyring.generate(bytes.fromhex("0a1b2c3d"), given.other_root)), "the id alone is nothing"
