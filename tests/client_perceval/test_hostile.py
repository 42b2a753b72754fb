"""Payloads that mean harm, sent as anybody may send them: the job is an error, and nothing else has noticed."""

from __future__ import annotations

import base64
import socket
import time
import zlib
from typing import Any

import pytest

from support.job_cloud import PLATFORM, Cloud
from support.real_client import RealClient

pytestmark = [pytest.mark.perceval, pytest.mark.timeout(120)]


def end(cloud: Cloud, payload: dict[str, Any], seconds: int = 30, patience: float = 60) -> Any:
    """How such a job ends."""
    job = cloud.ann.submit(PLATFORM, payload, name="a job", max_duration_seconds=seconds)
    ends_at = time.monotonic() + patience
    while (status := cloud.ann.compute_status(job)).status not in ("completed", "canceled", "error"):
        assert time.monotonic() < ends_at, status
    assert cloud.ann.verify(job).intact
    assert cloud.ann.compute_result(job).results is None
    return status


def fine(newest: RealClient) -> None:
    """The worker simulates as before."""
    assert newest.run()["results"]["|2,0>"] == pytest.approx(0.5)


def bomb(mebibytes: int) -> str:
    """A little text that is so much when it is unpacked."""
    packer = zlib.compressobj(9)
    chunk = b"0" * 2**20
    parts = [packer.compress(b":PCVL:Experiment:"), *(packer.compress(chunk) for _ in range(mebibytes)), packer.flush()]
    return base64.b64encode(b"".join(parts)).decode()


def test_no_payload_makes_the_worker_open_a_connection(newest: RealClient, cloud: Cloud) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        evil = newest.connecting(url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        plain = newest.payload()
        payloads = [
            newest.payload(evil=evil),
            newest.payload(evil=evil, nested=True),
            plain | {"experiment": evil},
            plain | {"parameters": {"a": [{"b": evil}]}},
            plain | {"iterator": [{"input_state": evil}]},
            {"command": "probs", "max_shots": 1, "computation": evil},
        ]
        for payload in payloads:
            status = end(cloud, payload)
            assert (status.status, status.failure_code) == ("error", "payload"), payload
            assert "unhandled tag" in status.status_message, status  # refused before anything was made of it
        with pytest.raises(TimeoutError):
            listener.accept()
    fine(newest)


def test_a_bomb_ends_at_the_limit_of_memory(newest: RealClient, cloud: Cloud) -> None:
    packed = bomb(1600)  # more than the worker's jobs may have
    assert len(packed) < 4 * 2**20
    for payload in (
        newest.payload() | {"experiment": f":PCVL:zip:{packed}"},
        {"command": "probs", "max_shots": 1, "computation": f"pcvlar:zip:{packed}"},
    ):
        status = end(cloud, payload)
        assert (status.status, status.failure_code) == ("error", "memory_limit"), status
    fine(newest)


def test_a_computation_without_end_ends_when_its_time_is_over(newest: RealClient, cloud: Cloud) -> None:
    started = time.monotonic()
    status = end(cloud, newest.big_payload(modes=20, photons=10), seconds=1)
    assert (status.status, status.failure_code) == ("error", "time_limit")
    assert time.monotonic() - started < 8
    fine(newest)


def test_a_result_without_end_is_no_result(newest: RealClient, cloud: Cloud) -> None:
    payload = newest.big_payload(modes=2, photons=2)
    states = [{"input_state": ":PCVL:BasicState:|1,1>"}] * 20_000
    status = end(cloud, payload | {"iterator": states}, seconds=3)
    assert (status.status, status.failure_code) == ("error", "time_limit"), status
    fine(newest)
