"""Identifiers: the seed system's own uuids, and what holds for all of them."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobpass import ids
from jobpass.errors import InvalidInput

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "datacatalog.json").read_text())
PIPELINE = "10650844-1baa-55c5-a481-5e945b19c065"
PARENT = "102e95e6-67a8-5a06-9484-3131c6907890"
KINDS = st.sampled_from(sorted(ids.PREFIXES))
TEXTS = st.text()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def refused(call: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        call()
    assert list(caught.value.detail["fields"]) == [field]


def test_the_prefixes_are_the_seed_systems() -> None:
    assert {row["type"]: row["prefix"] for row in VECTORS["uuid_types"]} == ids.PREFIXES


def test_the_namespace_is_the_seed_systems() -> None:
    assert ids.NAMESPACE == ids.namespace("sd2e.org") == "54765aeb-44ca-374a-9a9f-eb4658383ee4"


@pytest.mark.parametrize("row", VECTORS["typed_uuids"], ids=lambda row: f"{row['type']}:{row['text']}")
def test_typed_uuids(row: dict[str, str]) -> None:
    assert ids.typed_uuid(row["type"], row["text"]) == row["uuid"]
    assert ids.uuid_type(row["uuid"]) == row["type"]


@pytest.mark.parametrize("row", VECTORS["job_uuids"], ids=lambda row: row["uuid"])
def test_job_uuids(row: dict[str, Any]) -> None:
    assert ids.job_uuid(row["pipeline_uuid"], row["child_of"], row["data"]) == row["uuid"]
    assert ids.typed_uuid("pipelinejob", row["linearized"]) == row["uuid"]


@pytest.mark.parametrize("row", VECTORS["pipeline_uuids"], ids=lambda row: row["id"])
def test_pipeline_uuids(row: dict[str, Any]) -> None:
    assert ids.pipeline_uuid(row["id"], row["components"]) == row["uuid"]
    assert ids.typed_uuid("pipeline", row["serialized"]) == row["uuid"]


@given(st.from_regex(r"[a-z0-9.-]{1,40}", fullmatch=True), KINDS, TEXTS.filter(lambda text: text.isprintable()))
def test_a_typed_uuid_is_the_standard_one_but_for_its_prefix(domain: str, kind: str, text: str) -> None:
    """Python's own uuid module is the reference."""
    space = uuid.uuid3(uuid.NAMESPACE_DNS, domain)
    assert ids.namespace(domain) == str(space)
    made = ids.typed_uuid(kind, text, ids.namespace(domain))
    assert made == ids.PREFIXES[kind] + str(uuid.uuid5(space, text))[3:]


@given(KINDS, st.binary(min_size=16, max_size=16))
def test_a_random_uuid_is_shaped_like_version_5(kind: str, randomness: bytes) -> None:
    made = ids.random_typed_uuid(kind, randomness)
    assert ids.parse_uuid(made) == made
    assert ids.uuid_type(made) == kind
    assert uuid.UUID(made).version == 5
    assert uuid.UUID(made).variant == uuid.RFC_4122
    assert made == ids.PREFIXES[kind] + str(uuid.UUID(bytes=randomness, version=5))[3:]


@pytest.mark.parametrize(
    "text",
    [
        "",
        PIPELINE.upper(),
        PIPELINE + "\n",
        " " + PIPELINE,
        PIPELINE.replace("-", ""),
        "{" + PIPELINE + "}",
        "urn:uuid:" + PIPELINE,
        PIPELINE[:-1],
        PIPELINE[:-1] + "g",
        PIPELINE[:-1] + "\uff11",
        PIPELINE[:-1] + "\ud800",
        PIPELINE[:-1] + "\0",
        PIPELINE * 3_000,
        None,
        7,
        PIPELINE.encode(),
        [PIPELINE],
        {"$ne": None},
        uuid.UUID(PIPELINE),
    ],
)
def test_a_uuid_has_one_spelling(text: object) -> None:
    refused(lambda: ids.parse_uuid(text), "path.uuid")
    refused(lambda: ids.uuid_type(text, "json.uuid"), "json.uuid")


def test_a_uuid_of_no_type_parses_and_has_no_type() -> None:
    plain = "ffffffff-ffff-4fff-8fff-ffffffffffff"
    assert ids.parse_uuid(plain) == plain
    refused(lambda: ids.uuid_type(plain), "path.uuid")


@given(st.data(), st.dictionaries(TEXTS, JSON, max_size=4))
def test_the_order_of_members_does_not_count(data: st.DataObject, members: dict[str, Any]) -> None:
    shuffled = dict(data.draw(st.permutations(list(members.items()))))
    assert ids.job_uuid(PIPELINE, [], shuffled) == ids.job_uuid(PIPELINE, [], members)


@given(st.dictionaries(TEXTS, JSON, max_size=4), st.dictionaries(TEXTS, JSON, max_size=4))
def test_other_data_gives_another_uuid(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = ids.canonical_json(one, "json.data") == ids.canonical_json(other, "json.data")
    assert (ids.job_uuid(PIPELINE, [], one) == ids.job_uuid(PIPELINE, [], other)) is same
    assert json.loads(ids.canonical_json(one, "json.data")) == one


def test_the_order_of_parents_counts() -> None:
    assert ids.job_uuid(PIPELINE, [PARENT, PIPELINE], {}) != ids.job_uuid(PIPELINE, [PIPELINE, PARENT], {})
    assert ids.job_uuid(PIPELINE, (PARENT,), {}) == ids.job_uuid(PIPELINE, [PARENT], {})


def test_another_namespace_gives_another_uuid() -> None:
    other = ids.namespace("example.org")
    assert ids.job_uuid(PIPELINE, [], {}, other) != ids.job_uuid(PIPELINE, [], {})
    assert ids.pipeline_uuid("p", [], other) != ids.pipeline_uuid("p", [])
    assert ids.job_uuid(PIPELINE, [], {}, ids.NAMESPACE) == ids.job_uuid(PIPELINE, [], {})


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = {"d": value} if level % 2 else [value]
    return value


def test_depth_is_bounded() -> None:
    assert ids.job_uuid(PIPELINE, [], {"d": nested(ids.MAX_DEPTH - 1)})
    refused(lambda: ids.job_uuid(PIPELINE, [], {"d": nested(ids.MAX_DEPTH)}), "json.data")
    refused(lambda: ids.job_uuid(PIPELINE, [], {"d": nested(100_000)}), "json.data")
    circle: dict[str, Any] = {}
    circle["again"] = circle
    refused(lambda: ids.job_uuid(PIPELINE, [], circle), "json.data")


@pytest.mark.parametrize(
    "bad",
    [
        math.nan,
        math.inf,
        -math.inf,
        "\ud800",
        {"\udfff": 1},
        {1: 2},
        {None: 2},
        10**5_000,
        (1, 2),
        {1, 2},
        b"bytes",
        object(),
        uuid.UUID(PIPELINE),
    ],
    ids=lambda bad: type(bad).__name__,
)
def test_what_is_not_json_is_refused(bad: Any) -> None:
    for data in ({"d": bad}, {"d": [{"e": bad}]}):
        refused(lambda data=data: ids.job_uuid(PIPELINE, [], data), "json.data")  # type: ignore[misc]
    refused(lambda: ids.pipeline_uuid("p", [{"uri": bad}]), "json.components")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_the_refusal_of_a_number_says_why(number: float) -> None:
    with pytest.raises(InvalidInput, match="NaN or an infinity"):
        ids.job_uuid(PIPELINE, [], {"d": number})


@pytest.mark.parametrize("good", [10**400, -0.0, 1e308, "\0", "é", "\U0001f600", "", {}, [], {"": None}])
def test_what_is_json_is_accepted(good: Any) -> None:
    assert ids.uuid_type(ids.job_uuid(PIPELINE, [], {"d": good})) == "pipelinejob"


def test_wrong_arguments_name_their_field() -> None:
    refused(lambda: ids.job_uuid("x", [], {}), "json.pipeline_uuid")
    refused(lambda: ids.job_uuid(PIPELINE, ["x"], {}), "json.child_of")
    refused(lambda: ids.job_uuid(PIPELINE, PARENT, {}), "json.child_of")
    refused(lambda: ids.job_uuid(PIPELINE, [], []), "json.data")  # type: ignore[arg-type]
    refused(lambda: ids.pipeline_uuid(7, []), "json.id")  # type: ignore[arg-type]
    refused(lambda: ids.pipeline_uuid("\ud800", []), "json.id")
    refused(lambda: ids.pipeline_uuid("p", {}), "json.components")  # type: ignore[arg-type]
    refused(lambda: ids.pipeline_uuid("p", ["x"]), "json.components")
    refused(lambda: ids.typed_uuid("job", "x"), "kind")
    refused(lambda: ids.typed_uuid([], "x"), "kind")  # type: ignore[arg-type]
    refused(lambda: ids.typed_uuid("file", "\ud800"), "text")
    refused(lambda: ids.typed_uuid("file", 7), "text")  # type: ignore[arg-type]
    refused(lambda: ids.typed_uuid("file", "x", "nowhere"), "namespace")
    refused(lambda: ids.random_typed_uuid("job", bytes(16)), "kind")
    refused(lambda: ids.namespace("\ud800"), "dns_domain")


def test_of_a_component_only_the_members_of_its_type_count() -> None:
    app = {"id": "a", "inputs": {}, "parameters": {}}
    plain = ids.pipeline_uuid("p", [app])
    assert ids.pipeline_uuid("p", [app | {"note": "x"}]) == plain
    assert ids.pipeline_uuid("p", [app | {"image": "x"}]) == plain, "the first type that fits is taken"
    assert ids.pipeline_uuid("p", [app | {"modules": []}]) != plain
    assert ids.pipeline_uuid("p", [app, {"unknown": 1}, {}]) == plain, "of no type: dropped"
    assert ids.pipeline_uuid("p", [{"uri": "u"}, app]) != ids.pipeline_uuid("p", [app, {"uri": "u"}])
    assert ids.pipeline_uuid("q", [app]) != plain


def test_plain_ids() -> None:
    assert ids.credential_id(bytes(range(16))) == "000102030405060708090a0b0c0d0e0f"
    assert ids.serial(b"\xff" * 8) == 2**64 - 1
    assert ids.serial(b"\0" * 7 + b"\1") == 1
    assert ids.kid(b"\xde\xad\xbe\xef") == "deadbeef"
    calls: list[tuple[Callable[[bytes], object], int]] = [(ids.credential_id, 16), (ids.serial, 8), (ids.kid, 4)]
    for call, size in [*calls, (lambda given: ids.random_typed_uuid("file", given), 16)]:
        for wrong in (b"", bytes(size - 1), bytes(size + 1)):
            refused(lambda call=call, wrong=wrong: call(wrong), "randomness")  # type: ignore[misc]
