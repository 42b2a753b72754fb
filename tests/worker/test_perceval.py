"""The runner ``perceval``: payloads of every version, what clients are told, and payloads that mean harm."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import os
import socket
import time
import warnings
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from jobpass.errors import SetupError
from jobpass.worker.local import LocalExecutor
from jobpass.worker.runners.perceval import ALLOWED
from jobpass.worker.work import GIBIBYTE, Canceled, Completed, Failed, Limits, Progress, Setup
from support.jobs import executing, outcome, work

pytestmark = [
    pytest.mark.perceval,
    pytest.mark.timeout(240),
    pytest.mark.skipif(importlib.util.find_spec("perceval") is None, reason="perceval-quandela is not installed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
SETUP = Setup(runner="perceval")
OLD_LAYER = "pcvlar 0 1 0 QuandelaCommunicationLayer 0 0"


@pytest.fixture(scope="module")
def pcvl(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The library, as a client has it."""
    os.environ["PCVL_PERSISTENT_PATH"] = str(tmp_path_factory.mktemp("perceval"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import perceval
    return perceval


def experiment(pcvl: Any, circuit: Any = None, state: str = "|1,1>") -> Any:
    made = pcvl.Experiment(circuit or pcvl.BS())
    made.with_input(pcvl.BasicState(state))
    made.min_detected_photons_filter(1)
    return made


def payload(pcvl: Any, command: str = "probs", made: Any = None, **others: Any) -> dict[str, Any]:
    from perceval.serialization import serialize

    basis = {"command": command, "max_shots": 1000, "job_context": None}
    return basis | {"experiment": serialize(made or experiment(pcvl))} | others


def archive(obj: Any) -> str:
    from perceval.serialization import OutputArchive, Serialization

    made = OutputArchive()
    Serialization.serialize(obj, made)
    text: str = made.to_text()
    return text


def read(ended: Any) -> Any:
    """The results as a client reads them."""
    from perceval.serialization import deserialize

    assert isinstance(ended, Completed | Canceled), ended
    assert ended.results is not None
    plain = json.loads(ended.results)
    assert "job_context" not in plain
    return deserialize(plain, strict=False)


async def test_clients_are_told_what_they_read(pcvl: Any) -> None:
    from perceval.serialization import deserialize

    setup = Setup(runner="perceval", options={"max_modes": 12, "max_photons": 6})
    async with executing(setup) as executor:
        told = executor.description
    assert json.loads(json.dumps(told.specs)) == told.specs
    specs = told.specs
    assert sorted(specs["available_commands"]) == ["probs", "sample_count", "samples"]
    assert specs["architecture"] is None
    assert specs["pcvl_version"]
    assert specs["constraints"]["accepted_state_kinds"] == ["FS", "NFS", "SVD", "AFS", "SV"]
    assert specs["constraints"]["max_mode_count"] == 12
    assert specs["constraints"]["max_photon_count"] == 6
    commands = deserialize(specs, strict=False)["commands"]
    assert sorted(command.name for command in commands) == ["probs", "sample_count", "samples"]
    assert all(isinstance(value, float) for value in told.perfs.values())


async def test_payloads_of_every_version(pcvl: Any) -> None:
    from perceval.runtime.computation import Computation
    from perceval.runtime.simulated_computer import SimulatedComputer
    from perceval.serialization import serialize

    computer = SimulatedComputer("SLOS")
    computation = Computation(computer.get_command("probs"), experiment(pcvl))
    computation.add_params(max_shots=1000)
    v0 = {
        "command": "probs",
        "circuit": serialize(pcvl.BS()),
        "input_state": serialize(pcvl.BasicState("|1,1>")),
        "parameters": {"min_detected_photons": 1},
        "max_shots": 1000,
    }
    v2 = {
        "computation": archive(computation),
        "noise": archive(pcvl.NoiseModel(brightness=0.9)),
        "parameters": archive({"compute_physical_logical_perf": True}),
        "command": "probs",
        "max_shots": 1000,
        "max_samples": 0,
    }
    async with executing(SETUP) as executor:
        for version, one in enumerate((v0, payload(pcvl), v2)):
            running = await executor.start(work(one, command="probs"), lambda _: None)
            ended = await running.wait()
            results = read(ended)["results"]
            if version < 2:
                assert results[pcvl.BasicState("|2,0>")] == pytest.approx(0.5)
                assert results[pcvl.BasicState("|1,1>")] == pytest.approx(0)
            else:
                assert results[pcvl.BasicState("|1,0>")] > 0  # some photons were lost
                assert {"physical_perf", "logical_perf"} <= json.loads(ended.results).keys()  # type: ignore[union-attr]


async def test_samples_are_as_many_as_were_asked_for_and_others_each_time(pcvl: Any) -> None:
    async with executing(SETUP) as executor:

        async def run(one: dict[str, Any], **others: Any) -> Any:
            job = work(one, command=one["command"], **others)
            return read(await (await executor.start(job, lambda _: None)).wait())["results"]

        assert sum((await run(payload(pcvl, "sample_count", max_samples=500))).values()) == 500
        assert sum((await run(payload(pcvl, "sample_count"))).values()) == 1000  # as many as shots
        assert len(await run(payload(pcvl, "samples", max_shots=None), max_shots=30)) == 30
        drawn = [str(await run(payload(pcvl, "samples", max_samples=60))) for _ in range(3)]
        assert len(set(drawn)) == 3


async def test_an_iterator_tells_how_far_it_is(pcvl: Any) -> None:
    states = [{"input_state": ":PCVL:BasicState:|1,1>"}, {"input_state": ":PCVL:BasicState:|2,0>"}] * 20
    told: list[Progress] = []
    results = read(await outcome(SETUP, work(payload(pcvl, iterator=states)), told.append))["results_list"]
    assert len(results) == 40
    assert results[1]["iteration"]["input_state"] == pcvl.BasicState("|2,0>")
    assert [one.fraction for one in told] == sorted(one.fraction for one in told)
    assert told


async def test_a_conversion_that_is_asked_for_is_made_here(pcvl: Any) -> None:
    context = {"result_mapping": ["perceval.utils", "sample_count_to_probs"]}
    results = read(await outcome(SETUP, work(payload(pcvl, "sample_count", max_samples=10_000, job_context=context))))
    assert sum(results["results"].values()) == pytest.approx(1)


def heavy(pcvl: Any, modes: int, photons: int) -> Any:
    state = "|" + ",".join(["1"] * photons + ["0"] * (modes - photons)) + ">"
    return experiment(pcvl, pcvl.Circuit(modes).add(0, pcvl.Unitary(pcvl.Matrix.random_unitary(modes))), state)


async def test_a_canceled_iterator_gives_what_it_has(pcvl: Any) -> None:
    made = heavy(pcvl, 12, 2)
    state = {"input_state": f":PCVL:BasicState:{made.input_state}"}
    told: list[Progress] = []
    async with executing(SETUP) as executor:
        job = work(payload(pcvl, made=made, iterator=[state] * 5000), seconds=60)
        running = await executor.start(job, told.append)
        ends_at = time.monotonic() + 30
        while not any(one.partial for one in told):
            assert time.monotonic() < ends_at, told
            await _pause()
        started = time.monotonic()
        running.cancel()
        ended = await running.wait()
        assert time.monotonic() - started < 2
    results = read(ended)["results_list"]
    assert 0 < len(results) < 5000
    assert all("results" in one for one in results)


async def _pause() -> None:
    import asyncio

    await asyncio.sleep(0.05)


async def test_one_computation_that_tells_nothing_is_canceled_and_timed_out_all_the_same(pcvl: Any) -> None:
    big = work(payload(pcvl, made=heavy(pcvl, 18, 9)), seconds=1.5)
    async with executing(SETUP) as executor:
        running = await executor.start(big, lambda _: None)
        started = time.monotonic()
        await _pause()
        running.cancel()
        assert await running.wait() == Canceled()
        assert time.monotonic() - started < 2.5
        running = await executor.start(big, lambda _: None)
        ended = await running.wait()
    assert isinstance(ended, Failed)
    assert ended.failure_code == "time_limit"


def wrong(pcvl: Any) -> Iterator[tuple[Any, str]]:
    """Payloads that cannot be run, and what is said of them."""
    yield b"{", "not JSON|malformed|truncated"
    yield [1], "not an object"
    yield {}, ""
    yield {"command": "probs"}, ""
    yield payload(pcvl, "rm -rf"), "rm -rf"
    yield payload(pcvl, experiment=":PCVL:Experiment:not base64!"), ""
    yield payload(pcvl, experiment=":PCVL:NoSuchThing:x"), "NoSuchThing"
    yield payload(pcvl, experiment="text"), ""
    yield {"computation": 5}, "no computation"
    yield payload(pcvl, iterator=[{"exec": "x"}]), "exec"
    yield payload(pcvl, made=heavy(pcvl, 25, 1)), "25 modes; 24 are allowed"
    yield payload(pcvl, made=heavy(pcvl, 12, 11)), "11 photons; 10 are allowed"
    yield payload(pcvl, iterator=[{"input_state": ":PCVL:BasicState:|9,9>"}]), "18 photons; 10 are allowed"


async def test_what_cannot_be_run_is_said_to_be_the_payload(pcvl: Any) -> None:
    async with executing(SETUP) as executor:
        for one, says in wrong(pcvl):
            ended = await (await executor.start(work(one), lambda _: None)).wait()
            assert isinstance(ended, Failed), one
            assert ended.failure_code == "payload", ended
            assert any(word in ended.message for word in says.split("|")), ended


def hostile(pcvl: Any, url: str) -> Iterator[dict[str, Any]]:
    """A class that opens a connection when it is made: as a value, deep in one, and in the middle of an experiment."""
    from exqalibur.serialization import circuit_pb2
    from perceval.providers.quandela.quandela_communication_layer import QuandelaCommunicationLayer
    from perceval.providers.quandela.rpc_handler import RPCHandler

    layer = QuandelaCommunicationLayer.__new__(QuandelaCommunicationLayer)
    layer._rpc_handler = RPCHandler("sim:x", url, "a-token")
    evil = archive(layer)
    assert url.removeprefix("http://") in evil
    yield payload(pcvl, experiment=evil)
    yield payload(pcvl, noise=evil)
    yield payload(pcvl, parameters={"a": [{"b": evil}]})
    yield payload(pcvl, iterator=[{"input_state": evil}])
    yield payload(pcvl) | {evil: 1}
    yield {"computation": evil}
    text = payload(pcvl)["experiment"]
    raw = zlib.decompress(base64.b64decode(text.removeprefix(":PCVL:zip:"))).decode()
    for field in ("noise_model", "input_state"):
        buffer = circuit_pb2.Experiment()
        buffer.ParseFromString(base64.b64decode(raw.removeprefix(":PCVL:Experiment:")))
        setattr(buffer, field, evil)
        nested = ":PCVL:Experiment:" + base64.b64encode(buffer.SerializeToString()).decode()
        yield payload(pcvl, experiment=nested)
        packed = base64.b64encode(zlib.compress(nested.encode())).decode()
        yield payload(pcvl, experiment=f":PCVL:zip:{packed}")


async def test_no_payload_makes_it_open_a_connection(pcvl: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        payloads = list(hostile(pcvl, url))
        async with executing(SETUP) as executor:
            for one in payloads:
                ended = await (await executor.start(work(one), lambda _: None)).wait()
                assert isinstance(ended, Failed), one
                assert "unhandled tag" in ended.message, ended  # refused before anything was made
        assert len(payloads) == 10
        with pytest.raises(TimeoutError):
            listener.accept()


def test_these_payloads_would_open_one_without_the_list(pcvl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above relies on: the library by itself does what the payload says."""
    import threading

    from perceval.serialization import deserialize

    monkeypatch.setenv("PCVL_CLOUD_TOKEN", "the-token-of-this-process")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        first = next(hostile(pcvl, url))
        got: list[bytes] = []

        def answer() -> None:
            caller, _ = listener.accept()
            with caller:
                got.append(caller.recv(65536))

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with contextlib.suppress(Exception):  # whatever it makes of no answer
            deserialize(first, strict=True)
        thread.join(15)
    assert b"Authorization: Bearer the-token-of-this-process" in got[0]


def test_what_is_allowed_is_known_to_the_library(pcvl: Any) -> None:
    from perceval.serialization.library.class_registry import ClassRegistry

    known = set(ClassRegistry._serializers_by_tag)
    assert known >= ALLOWED
    refused = known - ALLOWED
    for word in (
        "CommunicationLayer",
        "RPCHandler",
        "RemoteComputer",
        "RemoteGetter",
        "Execution",
        "SimulatedComputer",
    ):
        assert any(word in tag for tag in refused)
        assert not any(word in tag for tag in ALLOWED)


async def test_a_bomb_ends_at_the_limit_of_memory(pcvl: Any) -> None:
    packer = zlib.compressobj(1)
    chunk = b"0" * (8 * 2**20)
    bomb = b"".join(
        [packer.compress(b":PCVL:Experiment:"), *(packer.compress(chunk) for _ in range(128)), packer.flush()]
    )
    text = ":PCVL:zip:" + base64.b64encode(bomb).decode()
    setup = Setup(runner="perceval", limits=Limits(memory_bytes=GIBIBYTE))
    async with executing(setup) as executor:
        for one in (payload(pcvl, experiment=text), {"computation": f"pcvlar:zip:{base64.b64encode(bomb).decode()}"}):
            ended = await (await executor.start(work(one, seconds=60), lambda _: None)).wait()
            assert isinstance(ended, Failed)
            assert ended.failure_code == "memory_limit", ended


@pytest.mark.parametrize("options", [{"max_modes": 0}, {"max_modes": "x"}, {"other": 1}, {"backend": "Nonsense"}])
async def test_options_that_cannot_be_used_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SetupError):
        await LocalExecutor.open(Setup(runner="perceval", options=options))


async def test_jobs_do_not_pay_for_the_imports(pcvl: Any) -> None:
    before = time.monotonic()
    async with executing(SETUP) as executor:
        started = time.monotonic()
        for _ in range(3):
            read(await (await executor.start(work(payload(pcvl)), lambda _: None)).wait())
        assert time.monotonic() - started < started - before  # three of them take less than the imports once
