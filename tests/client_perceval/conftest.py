"""One cloud for these tests, with a worker of one slot that simulates, and a client of each version."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from jobpass.errors import Error
from support.job_cloud import Cloud
from support.real_client import MEMORY, NEWEST, OLDER, RealClient, connected, python_of, serving_process


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A server, and no worker yet."""
    python_of(NEWEST)
    with serving_process(tmp_path_factory.mktemp("cloud")) as made:
        yield made


@pytest.fixture(scope="module")
def worker(cloud: Cloud) -> Iterator[None]:
    """A worker of one slot."""
    with cloud.worker(*MEMORY, runner="perceval") as started:
        assert started.said, started.log
        yield


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], RealClient]]:
    """A version to the one client of it."""
    made: dict[str, RealClient] = {}
    folder = tmp_path_factory.mktemp("clients")

    def client(version: str) -> RealClient:
        if version not in made:
            made[version] = RealClient(version, folder)
        return made[version]

    yield client
    for one in made.values():
        one.close()


@pytest.fixture(params=[NEWEST, *OLDER])
def client(
    request: pytest.FixtureRequest, clients: Callable[[str], RealClient], cloud: Cloud, worker: None
) -> RealClient:
    """The client of a version, looking at the platform."""
    found = clients(request.param)
    connected(found, cloud)
    return found


@pytest.fixture
def newest(clients: Callable[[str], RealClient], cloud: Cloud, worker: None) -> RealClient:
    """The client of the newest version, looking at the platform."""
    found = clients(NEWEST)
    connected(found, cloud)
    return found


@pytest.fixture(autouse=True)
def nothing_goes_on(cloud: Cloud) -> Iterator[None]:
    """Cancel what a test that failed has left: the slot is for the next one."""
    yield
    for status in ("waiting", "running"):
        for job in cloud.ann.iter_compute_jobs(status=status):
            try:
                cloud.ann.cancel_compute(job.job_id)
            except Error:  # it has ended by itself
                continue
