"""The real client, driven by a test: reads a call a line, ``[number, name, {parameters}]``, and answers each in a line.

``{"number": …, "said": value}``, or ``{"number": …, "raised": [class, text]}``. It is a program of its own,
which needs nothing but perceval-quandela, of any version, and uses only what its users use.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
import warnings
from typing import Any

warnings.simplefilter("ignore")

import perceval as pcvl  # noqa: E402
from perceval.algorithm import Sampler  # noqa: E402
from perceval.runtime import JobGroup  # noqa: E402

HOM = pcvl.BS()
LONG_MODES, LONG_PHOTONS = 12, 7
FEW = 20


def text_of(value: Any) -> Any:
    """Results as JSON: states as they are written, and the samples as a list."""
    if isinstance(value, pcvl.BSDistribution | pcvl.BSCount):
        return {str(state): number for state, number in value.items()}
    if isinstance(value, pcvl.BSSamples):
        return [str(state) for state in value]
    if isinstance(value, dict):
        return {name: text_of(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [text_of(one) for one in value]
    return value if isinstance(value, int | float | str | None) else str(value)


class Driven:
    """What can be called. Jobs are named by their ids, and groups by their names."""

    def __init__(self) -> None:
        self._jobs: dict[str, Any] = {}
        self._groups: dict[str, Any] = {}
        self._processor: Any = None
        self._layer: Any = None
        self._where: tuple[str, str, str] = ("", "", "")

    def version(self) -> str:
        return importlib.metadata.version("perceval-quandela")

    def connect(self, platform: str, token: str, url: str) -> Any:
        self._processor = pcvl.RemoteProcessor(platform, token=token, url=url)
        self._where = (platform, token, url)
        return {
            "commands": list(self._processor.available_commands),
            "type": self._processor.type.name,
            "status": self._processor.status,
            "constraints": text_of(dict(self._processor.constraints)),
        }

    def _sampler(self, iterations: int = 0, long: bool = False, shots: int = 1000) -> Any:
        processor = pcvl.RemoteProcessor(self._where[0], token=self._where[1], url=self._where[2])
        circuit, state = HOM, pcvl.BasicState([1, 1])
        if long:
            circuit = pcvl.Unitary(pcvl.Matrix.random_unitary(LONG_MODES))
            state = pcvl.BasicState([1] * LONG_PHOTONS + [0] * (LONG_MODES - LONG_PHOTONS))
        processor.set_circuit(circuit)
        processor.min_detected_photons_filter(1)
        processor.with_input(state)
        sampler = Sampler(processor, max_shots_per_call=shots)
        if iterations:
            sampler.add_iteration_list([{"input_state": state} for _ in range(iterations)])
        return sampler

    def run(self, command: str = "probs", samples: int | None = None, times: int = 1) -> Any:
        """Call it and wait, so many times: the last results, and the seconds that each call took."""
        took = []
        for _ in range(times):
            job = getattr(self._sampler(), command)
            started = time.perf_counter()
            results = job.execute_sync() if samples is None else job.execute_sync(samples)
            took.append(time.perf_counter() - started)
        return text_of(results) | {"took": took}

    def begin(self, iterations: int = 0, long: bool = False) -> str:
        """Send a job; its id. A long one takes a few samples of each of its iterations."""
        sampler = self._sampler(iterations, long)
        job = sampler.sample_count.execute_async(FEW) if long else sampler.probs.execute_async()
        self._jobs[job.id] = job
        return str(job.id)

    def resume(self, job: str) -> Any:
        """Forget the job, and find it again by its id."""
        self._jobs[job] = self._processor.resume_job(job)
        return self._status(self._jobs[job])

    def status(self, job: str) -> Any:
        return self._status(self._jobs[job])

    def _status(self, job: Any) -> Any:
        told = job.status
        return {
            "word": told().lower(),
            "progress": told.progress,
            "message": told.stop_message,
            "complete": job.is_complete,
            "failed": job.is_failed,
            "created": told.creation_timestamp,
        }

    def results(self, job: str) -> Any:
        return text_of(self._jobs[job].get_results())

    def cancel(self, job: str) -> None:
        self._jobs[job].cancel()

    def rerun(self, job: str) -> str:
        again = self._jobs[job].rerun()
        self._jobs[again.id] = again
        return str(again.id)

    def group(self, name: str, jobs: int, how: str = "launch_async_jobs") -> Any:
        """Jobs in a group, run as it can run them; their ids."""
        group = self._groups[name] = JobGroup(name)
        for _ in range(jobs):
            group.add(self._sampler().probs)
        if how == "run_sequential":
            group.run_sequential(0)
        else:
            getattr(group, how)()
        return [job.id for job in group.remote_jobs]

    def group_results(self, name: str) -> Any:
        """Of a group that is read again from where the client keeps it."""
        group = JobGroup(name)
        progress = group.progress()
        return {"progress": text_of(progress), "results": text_of(group.get_results())}

    def newer(self, command: str = "probs", iterations: int = 0, **parameters: Any) -> Any:
        """The newer layer, called and waited for."""
        return text_of(getattr(self._factory(iterations), command).execute_sync(**parameters))

    def newer_begin(self, name: str, iterations: int = 0, long: bool = False) -> None:
        """The newer layer, sent: it is called by a name, as it does not tell ids."""
        factory = self._factory(iterations, long)
        self._jobs[name] = (
            factory.sample_count.execute_async(max_samples=FEW) if long else factory.probs.execute_async()
        )

    def newer_group(self, name: str, jobs: int, folder: str) -> Any:
        from perceval.runtime import ExecutionGroup

        group = ExecutionGroup(name, folder)
        factory = self._factory()
        for _ in range(jobs):
            group.add(factory.probs)
        group.run_parallel()
        return text_of(group.get_results())

    def _factory(self, iterations: int = 0, long: bool = False) -> Any:
        from perceval.providers.quandela import QuandelaCommunicationLayer
        from perceval.runtime import ExecutionFactory, RemoteComputer

        platform, token, url = self._where
        computer = RemoteComputer(QuandelaCommunicationLayer(platform, token, url))
        processor = self._sampler(0, long)._processor
        factory = ExecutionFactory(computer, processor.experiment, max_shots_per_call=1000)
        factory.add_iteration_list([{"input_state": processor.experiment.input_state}] * iterations)
        return factory

    def payload(self, evil: str | None = None, nested: bool = False) -> Any:
        """The payload of a job; with ``evil``, a text that stands where its noise is, or within its experiment."""
        from perceval.serialization import serialize

        made = pcvl.Experiment(HOM)
        made.with_input(pcvl.BasicState([1, 1]))
        made.min_detected_photons_filter(1)
        plain = {"command": "probs", "max_shots": 1000, "experiment": serialize(made)}
        if evil is not None and not nested:
            plain["noise"] = evil
        elif evil is not None:
            plain["experiment"] = self._within(plain["experiment"], evil)
        return plain

    def _within(self, experiment: str, evil: str) -> str:
        import base64
        import zlib

        from exqalibur.serialization import circuit_pb2

        raw = zlib.decompress(base64.b64decode(experiment.removeprefix(":PCVL:zip:"))).decode()
        buffer = circuit_pb2.Experiment()
        buffer.ParseFromString(base64.b64decode(raw.removeprefix(":PCVL:Experiment:")))
        buffer.noise_model = evil
        inner = ":PCVL:Experiment:" + base64.b64encode(buffer.SerializeToString()).decode()
        return ":PCVL:zip:" + base64.b64encode(zlib.compress(inner.encode())).decode()

    def connecting(self, url: str) -> str:
        """A value which, read by the library, opens a connection to this URL."""
        from perceval.providers.quandela.quandela_communication_layer import QuandelaCommunicationLayer
        from perceval.providers.quandela.rpc_handler import RPCHandler
        from perceval.serialization import OutputArchive, Serialization

        layer = QuandelaCommunicationLayer.__new__(QuandelaCommunicationLayer)
        layer._rpc_handler = RPCHandler("sim:x", url, "a-token")
        archive = OutputArchive()
        Serialization.serialize(layer, archive)
        return str(archive.to_text())

    def big_payload(self, modes: int, photons: int) -> Any:
        """One computation that takes long and tells nothing meanwhile."""
        from perceval.serialization import serialize

        made = pcvl.Experiment(pcvl.Unitary(pcvl.Matrix.random_unitary(modes)))
        made.with_input(pcvl.BasicState([1] * photons + [0] * (modes - photons)))
        made.min_detected_photons_filter(1)
        return {"command": "probs", "max_shots": 1000, "experiment": serialize(made)}


def main() -> None:
    # What the library prints goes to the log: the answers have the output for themselves.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    driven = Driven()
    answers.write(json.dumps({"number": 0, "said": driven.version()}) + "\n")
    for line in sys.stdin:
        number, name, parameters = json.loads(line)
        try:
            answer = {"number": number, "said": getattr(driven, name)(**parameters)}
        except Exception as error:
            answer = {"number": number, "raised": [type(error).__name__, str(error)]}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
