"""The cloud's public contract, where it is at hand: answers held against its schemas."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from support.asgi import Answer

PLACE: Final = Path(__file__).parents[2].parent / "shared" / "contract" / "cloud-openapi.json"
NAME: Final = "urn:cloud"
needs_contract = pytest.mark.skipif(not PLACE.exists(), reason="the cloud's contract is not beside this repository")


class Contract:
    """The document, and which of its answers were seen."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = json.loads(PLACE.read_text())
        self._registry = Registry().with_resource(NAME, Resource(self.document, DRAFT4))
        self.seen: set[tuple[str, str, int]] = set()

    def operations(self, beginning: str) -> set[tuple[str, str]]:
        """Method and path of all that begins so."""
        paths = self.document["paths"].items()
        return {(method.upper(), path) for path, of in paths if path.startswith(beginning) for method in of}

    def check(self, method: str, target: str, answer: Answer) -> None:
        """The answer is one that the contract has for this request: its status, its schema, all that it documents."""
        path = self._path(method, target.partition("?")[0])
        responses = self.document["paths"][path][method.lower()]["responses"]
        assert str(answer.status) in responses, (method, target, answer.status, answer.body)
        schema = responses[str(answer.status)]["content"]["application/json"]["schema"]
        body = answer.json()
        problems = [*OAS30Validator(_absolute(schema), registry=self._registry).iter_errors(body)]
        assert not problems, (method, target, problems[0].message)
        if answer.status == 200:
            self._whole(schema, body)
        self.seen.add((method, path, answer.status))

    def _path(self, method: str, target: str) -> str:
        fitting = [
            path
            for path, of in self.document["paths"].items()
            if method.lower() in of and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), target)
        ]
        assert fitting, (method, target)
        return min(fitting, key=lambda path: path.count("{"))

    def _whole(self, schema: dict[str, Any], body: Any) -> None:
        """Every documented property is there."""
        if "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if isinstance(body, list):
            for item in body:
                self._whole(schema["items"], item)
        elif isinstance(body, dict):
            missing = set(schema.get("properties", {})) - body.keys()
            assert not missing, (missing, body)
            for name, value in schema.get("properties", {}).items():
                self._whole(value, body[name])


def _absolute(schema: Any) -> Any:
    """The schema with references that lead into the document."""
    if isinstance(schema, dict):
        return {name: f"{NAME}{value}" if name == "$ref" else _absolute(value) for name, value in schema.items()}
    return [_absolute(item) for item in schema] if isinstance(schema, list) else schema
