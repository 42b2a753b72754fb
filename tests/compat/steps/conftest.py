"""A cloud for all tests of a module: a server process over a folder of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from support.cloud import Cloud, make_cloud, running


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(asyncio.run(make_cloud(tmp_path_factory.mktemp("cloud")))) as cloud:
        yield cloud
