"""The vectors are what the script makes, and what a few lines of other code find from the root key alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pymacaroons import Macaroon
from pymacaroons import Verifier as TheirVerifier

FOLDER = Path(__file__).parent / "vectors"


def load(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_vectors", FOLDER.parent / "make_vectors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["keys.json", "tokens.json", "attenuation.json", "caveats.json", "refused.json"])
def test_the_files_are_what_the_script_makes(script: ModuleType, name: str) -> None:
    assert sorted(script.FILES) == sorted(path.name for path in FOLDER.glob("*.json"))
    assert (FOLDER / name).read_text(encoding="utf-8") == script.render(name)


def test_the_keys_are_found_from_the_root_key() -> None:
    keys = load("keys.json")
    root = bytes.fromhex(keys["root_key"])
    for kind, of_kind in keys["kinds"].items():
        key = hmac.digest(root, f"jobpass/v1/{kind}".encode(), hashlib.sha256)
        assert key.hex() == of_kind["kind_key"]
        assert hmac.digest(b"macaroons-key-generator", key, hashlib.sha256).hex() == of_kind["macaroon_key"]
    chain = hmac.digest(root, b"jobpass/v1/chain", hashlib.sha256)
    assert chain.hex() == keys["chain_key"]
    assert hmac.digest(chain, b"jobpass/v1/audit", hashlib.sha256).hex() == keys["record_keys"]["audit"]


def test_the_tokens_are_found_from_the_macaroon_keys() -> None:
    keys = load("keys.json")["kinds"]
    for case in load("tokens.json")["tokens"]:
        signature = hmac.digest(
            bytes.fromhex(keys[case["kind"]]["macaroon_key"]), bytes.fromhex(case["identifier"]), hashlib.sha256
        )
        for caveat in case["caveats"]:
            signature = hmac.digest(signature, caveat.encode(), hashlib.sha256)
        assert signature.hex() == case["signature"], case["name"]
        raw = bytes.fromhex(case["macaroon"])
        assert raw.endswith(signature)
        assert case["text"][7:] == base64.urlsafe_b64encode(raw).decode().rstrip("="), case["name"]


def test_another_library_verifies_the_tokens() -> None:
    keys = load("keys.json")["kinds"]
    verifier = TheirVerifier()
    verifier.satisfy_general(lambda _predicate: True)
    cases = load("tokens.json")
    for text, kind in [(case["text"], case["kind"]) for case in cases["tokens"]] + [
        (cases["with_an_empty_location"]["text"], "document")
    ]:
        assert verifier.verify(Macaroon.deserialize(text[7:]), bytes.fromhex(keys[kind]["kind_key"]))


def test_another_library_makes_the_attenuations() -> None:
    cases = load("attenuation.json")
    admin = cases["admin_tokens"]
    steps = [(step["text"], step["add"], step["gives"]) for step in cases["steps"]]
    steps += [(admin["key"], f'["expires_at",{made["expires_at"]}]', made["text"]) for made in admin["made_at"]]
    for text, added, gives in steps:
        read = Macaroon.deserialize(text[7:])
        read.add_first_party_caveat(added)
        assert read.signature == Macaroon.deserialize(gives[7:]).signature


def test_every_rule_has_cases() -> None:
    rules = load("caveats.json")["rules"]
    assert {json.loads(rule["caveat"])[0] for rule in rules} == {
        "expires_at",
        "jobs",
        "events",
        "states",
        "actions",
        "platforms",
        "cidr",
    }
    assert all(rule["forbids"] for rule in rules)
    assert {case["code"] for case in load("refused.json")["refused"]} == {
        "malformed_token",
        "unknown_key",
        "forged_token",
        "wrong_kind",
    }


def test_the_admin_window(script: ModuleType) -> None:
    cases = load("attenuation.json")
    verified = script.Verifier(script.KEYRING).verify(cases["admin_tokens"]["made_at"][1]["text"])

    def accepted(at: int) -> bool:
        access = script.Access("jobs.read", datetime.fromtimestamp(at, UTC))
        return not script.check_caveats(verified, access)

    assert all(accepted(at) for at in cases["admin_window"]["accepted_at"])
    assert not any(accepted(at) for at in cases["admin_window"]["refused_at"])
