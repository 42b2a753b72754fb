"""Identifiers under the seed system's names, by its own vectors."""

from __future__ import annotations

import json
import random
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacatalog import identifiers
from datacatalog.identifiers import abaco, interestinganimal, random_string, typeduuid

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "datacatalog.json").read_text())
EXPERIMENT = "1027aa77-d524-5359-a802-a8008adaecb5"
FIXITY = "1166d16b-4c87-5ead-a25a-60ae90b527fb"
NO_TYPE = "5027aa77-d524-5359-a802-a8008adaecb5"
VERSION_1 = "4d1f70a0-b924-11e9-ae8d-acbc32822af9"
HASHIDS = {
    "1001a831-ce4e-56c7-954b-43d740ea56f4": "BAkwe8wKZY2NgXyBpX8K5R1D",
    "100acb4d-1f93-553a-9e1c-b7b58125bc89": "DbpKqGXe6vXVKbbWXrOLlJPk",
    "101acb4d-1f93-553a-9e1c-b7b58125bc89": "Xl3p3gVjOwN0VNJr6VnL06rA",
    "114acb4d-1f93-553a-9e1c-b7b58125bc89": "GW0OlP2RbOxPgGOZE69nkbYO",
    "102acb4d-1f93-553a-9e1c-b7b58125bc89": "xpnxQE6Wozq9lOkYQ8g9BEZ0",
    "103acb4d-1f93-553a-9e1c-b7b58125bc89": "r5yLXL8rKOogJVdl8dLvVX1D",
    "104acb4d-1f93-553a-9e1c-b7b58125bc89": "y5OZAXWyXX8GRnllNq1QABgo",
    "105acb4d-1f93-553a-9e1c-b7b58125bc89": "XPz3b2qEqoKRlXnKOnoA6yJY",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the identifiers but the defaults."""
    for name in ("DNS_DOMAIN", "TYPEDUUID_HASHIDS_SALT", "ADJ_ANIMAL_WORDS", "ADJ_ANIMAL_LENGTH", "ADJ_ANIMAL_DELIM"):
        monkeypatch.delenv(f"CATALOG_{name}", raising=False)
    monkeypatch.delenv("TACC_TENANT", raising=False)


@pytest.mark.parametrize("row", VECTORS["typed_uuids"], ids=lambda row: f"{row['type']} {row['text'][:12]}")
def test_typed_uuids_are_the_seed_systems(row: dict[str, str]) -> None:
    assert typeduuid.catalog_uuid(row["text"], row["type"]) == row["uuid"]
    assert typeduuid.generate(row["text"], row["type"]) == row["uuid"]
    assert typeduuid.get_uuidtype(row["uuid"]) == row["type"]
    assert typeduuid.get_uuidtype(uuid.UUID(row["uuid"])) == row["type"]
    assert typeduuid.get_uuidtype(row["uuid"].upper()) == row["type"]
    assert typeduuid.validate(row["uuid"]) is True


def test_the_types_are_the_seed_systems() -> None:
    assert {(kind.key, kind.prefix) for kind in typeduuid.uuidtypes.values()} == {
        (row["type"], row["prefix"]) for row in VECTORS["uuid_types"]
    }
    assert typeduuid.validate_type("pipelinejob") is True
    assert typeduuid.validate_type("task", permissive=True) is False
    with pytest.raises(ValueError, match="task not a known type"):
        typeduuid.validate_type("task")


@pytest.mark.parametrize(("text", "hashid"), HASHIDS.items())
def test_hashids_are_the_seed_systems(text: str, hashid: str) -> None:
    assert typeduuid.uuid_to_hashid(text) == hashid


def test_namespace_and_salt_are_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    assert typeduuid.catalog_uuid("x") == typeduuid.catalog_uuid(
        "x", namespace=uuid.UUID("54765aeb-44ca-374a-9a9f-eb4658383ee4")
    )
    monkeypatch.setenv("CATALOG_DNS_DOMAIN", "example.org")
    elsewhere = typeduuid.catalog_uuid("x", "file")
    whole = uuid.uuid5(uuid.uuid3(uuid.NAMESPACE_DNS, "example.org"), "x")
    assert elsewhere == "105" + str(whole)[3:]
    monkeypatch.setenv("CATALOG_TYPEDUUID_HASHIDS_SALT", "another")
    assert typeduuid.uuid_to_hashid(next(iter(HASHIDS))) != next(iter(HASHIDS.values()))
    assert typeduuid.uuid_to_hashid(next(iter(HASHIDS)), "xCPJ7PKTdp8BYYb4twh9xNYD") == next(iter(HASHIDS.values()))


@given(st.text(), st.sampled_from(sorted(typeduuid.uuidtypes)))
def test_every_text_has_a_typed_uuid(text: str, kind: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        with pytest.raises(ValueError, match="surrogate"):
            typeduuid.catalog_uuid(text, kind)
        return
    made = typeduuid.catalog_uuid(text, kind)
    assert typeduuid.validate(made)
    assert typeduuid.get_uuidtype(made) == kind


@pytest.mark.parametrize("odd", [None, "meep", [], "", 7, VERSION_1, NO_TYPE])
def test_what_is_no_typed_uuid(odd: Any) -> None:
    assert typeduuid.validate(odd, permissive=True) is False
    with pytest.raises(ValueError, match="Invalid TypedUUID"):
        typeduuid.validate(odd)
    with pytest.raises((ValueError, TypeError)):
        typeduuid.get_uuidtype(odd)


def test_an_unknown_type_or_no_text_is_refused() -> None:
    with pytest.raises(KeyError, match="task"):
        typeduuid.catalog_uuid("x", "task")
    with pytest.raises(ValueError, match="must be a text"):
        typeduuid.catalog_uuid(7)  # type: ignore[arg-type]


def test_one_uuid_or_several_are_a_list() -> None:
    assert typeduuid.listify_uuid(None) == []
    assert typeduuid.listify_uuid(EXPERIMENT) == [EXPERIMENT]
    given = [FIXITY, EXPERIMENT, NO_TYPE]
    assert typeduuid.listify_uuid(given) == [EXPERIMENT, FIXITY]
    assert typeduuid.listify_uuid(given, validate_members=False) == [EXPERIMENT, FIXITY, NO_TYPE]
    assert given == [FIXITY, EXPERIMENT, NO_TYPE]
    assert typeduuid.listify_uuid([None]) == []  # type: ignore[list-item]


def test_a_uuid_of_the_first_version_gets_its_type() -> None:
    made = typeduuid.catalog_uuid_from_v1_uuid("0967aa77-d524-5359-a802-a8008adaecb5", "experiment")
    assert made == EXPERIMENT
    with pytest.raises(ValueError, match="not a known type"):
        typeduuid.catalog_uuid_from_v1_uuid(EXPERIMENT, "task")


def test_mocks_are_of_no_record() -> None:
    assert typeduuid.mock("x", "file") != typeduuid.generate("x", "file")
    assert typeduuid.get_uuidtype(typeduuid.mock(uuid_type="file")) == "file"


def test_b09_version_5_is_checked() -> None:
    assert typeduuid.validate_uuid5(EXPERIMENT) is True
    assert typeduuid.validate_uuid5(NO_TYPE) is True
    assert typeduuid.validate_uuid5(VERSION_1, permissive=True) is False
    with pytest.raises(ValueError, match="is not a UUID5"):
        typeduuid.validate_uuid5(VERSION_1)
    typed_version_4 = "1027aa77-d524-4359-a802-a8008adaecb5"
    assert typeduuid.validate(typed_version_4, permissive=True) is False


def test_b09_a_random_uuid_is_made() -> None:
    made = {typeduuid.generate(), typeduuid.generate(None), typeduuid.random_uuid5()}
    assert len(made) == 3
    assert {typeduuid.get_uuidtype(one) for one in made} == {"generic"}


def test_w25_random_texts_cannot_be_foretold() -> None:
    random.seed(7)
    first = random_string()
    random.seed(7)
    assert random_string() != first
    assert re.fullmatch(r"[A-Z0-9]{64}", first)
    assert re.fullmatch(r"[ab]{9}", identifiers.random_string(9, "ab"))
    assert random_string(0) == ""


def test_names_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.fullmatch(r"[a-z]+-[a-z]+", interestinganimal.generate(timestamp=False))
    assert re.fullmatch(r"[a-z]+-[a-z]+[0-9]{8}T[0-9]{6}Z", interestinganimal.generate())
    monkeypatch.setenv("CATALOG_ADJ_ANIMAL_WORDS", "4")
    monkeypatch.setenv("CATALOG_ADJ_ANIMAL_DELIM", "_")
    assert re.fullmatch(r"([a-z]+_){3}[a-z]+", interestinganimal.generate(False))


@pytest.mark.parametrize("module", [abaco.hashid, abaco.actorid, abaco.execid])
def test_identifiers_of_abaco(module: Any) -> None:
    for text in ("e5QKEW8L0BeZ4", "6rgbzrjRKoBDk", "kgoWA81vmMAm7", module.generate()):
        assert module.validate(text) is True
    for odd in (module.mock(), "", "nonsense!", None, 7):
        assert module.validate(odd, permissive=True) is False
        with pytest.raises(ValueError, match="is not a valid abaco hashid"):
            module.validate(odd)
    assert module.generate() != module.generate()


def test_nonces_of_abaco(monkeypatch: pytest.MonkeyPatch) -> None:
    assert abaco.nonceid.validate("SD2E_EkBWRvV1gKG1a") is True
    assert abaco.nonceid.validate(abaco.nonceid.generate()) is True
    for odd in (abaco.nonceid.mock(), "TACC_6e87V7aqrX646", "SD2E", "SD2E_", "", None):
        assert abaco.nonceid.validate(odd, permissive=True) is False
        with pytest.raises(ValueError, match="is not a valid Abaco nonce of SD2E"):
            abaco.nonceid.validate(odd)
    monkeypatch.setenv("TACC_TENANT", "tacc.prod")
    assert abaco.nonceid.validate("TACC_6e87V7aqrX646") is True
