"""Each test of managers and stores runs in process and over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.catalog import Place, in_process, served

WAYS = {"in_process": in_process, "served": served}


@pytest.fixture(scope="module", params=WAYS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place with one pipeline, in whose environment the tests of a module run."""
    with WAYS[request.param](tmp_path_factory.mktemp(request.param)) as place:
        yield place
