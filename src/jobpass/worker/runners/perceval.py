"""The runner ``perceval``: payloads of Perceval's clients (versions 0, 1 and 2 of them) on its local simulator.

Needs ``jobpass[perceval]``. Its options are ``max_modes``, ``max_photons`` and ``backend``.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import warnings
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from jobpass.errors import SetupError
from jobpass.worker.runners.perceval_noise import simulator
from jobpass.worker.runners.runner import CancelRequested, Report, Result, RunnerFailed
from jobpass.worker.work import Description, Setup, Work

if TYPE_CHECKING:
    from collections.abc import Iterator

ALLOWED: Final = frozenset(
    {
        *("None", "bool", "int", "float", "complex", "str", "bytes", "list", "dict", "tuple", "set", "type"),
        *("BS", "Barrier", "Circuit", "CompiledCircuit", "CompiledCircuitVersion", "FFCircuitProvider"),
        *("FFConfigurator", "GenericInterferometer", "HWP", "LC", "PBS", "PERM", "PR", "PS", "QWP", "TD", "Unitary"),
        *("WP", "MatrixN", "MatrixS", "Herald", "Port", "Detector", "BSLayeredDetector", "Experiment", "PostSelect"),
        *("AnnotatedFockState", "FockState", "NoisyFockState", "StateVector", "SVDistribution", "NoiseModel"),
        *("BSCount", "BSDistribution", "BSSamples", "Command", "Computation", "ComputationIterator"),
        *("CompilationAveraging", "DetectorBalancing", "DistinguishablePhotonMitigation", "PhotonRecycling"),
    }
)
"""The classes that a payload may be made of: numbers, circuits, states and computations.

Others of the library open connections as soon as they are made, with whatever token is at hand.
"""
PARTIAL_SECONDS: Final = 1.0
"""What an iterator has so far is told no more often."""
PARTIAL_SHARE: Final = 0.1
"""Of the time, no more is spent on that."""
_SEED_BYTES: Final = 4


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """What the platform takes. Clients are told, and it is checked again here."""

    max_modes: Annotated[int, Meta(ge=1)] = 24
    max_photons: Annotated[int, Meta(ge=1)] = 10
    backend: str = "SLOS"


class PercevalRunner:
    """Simulates on this machine."""

    def __init__(self, computer: Any, options: Options) -> None:
        self._computer = computer
        self._options = options

    @classmethod
    def make(cls, setup: Setup) -> PercevalRunner:
        """Import the library, and take away from it what no payload needs."""
        try:
            options = msgspec.convert(setup.options, Options)
        except msgspec.ValidationError as error:
            raise SetupError(f"The options of the runner perceval cannot be used: {error}.") from None
        _import_alone()
        computer = simulator(options.backend)
        _allow_only(ALLOWED)
        return cls(computer, options)

    def describe(self) -> Description:
        """The specs that the clients read."""
        from perceval.runtime.platform_specs import serialize_specs_backward_compatibility

        specs = json.loads(json.dumps(serialize_specs_backward_compatibility(self._computer.specs)))
        specs["available_commands"] = list(self._computer.available_commands)
        specs["architecture"] = None
        specs["constraints"] |= {
            "max_mode_count": self._options.max_modes,
            "max_photon_count": self._options.max_photons,
            "min_mode_count": 1,
            "min_photon_count": 1,
        }
        specs["description"] = f"Perceval's {self._options.backend} simulator"
        return Description(specs, {name: float(value) for name, value in self._computer.performance.items()})

    def run(self, work: Work, report: Report) -> Result:
        """Simulate. What the library raises about a payload it cannot read is about the payload."""
        from perceval.runtime.payload_generator import PayloadGenerator

        _seed()
        try:
            payload = self._read(work)
            computation = PayloadGenerator.get_computation(payload)
            self._prepare(computation, work)
        except (RunnerFailed, MemoryError):
            raise
        except Exception as error:
            raise RunnerFailed("payload", f"The payload cannot be read: {type(error).__name__}: {error}") from None
        out: dict[str, Any] = {}
        progress = _Progress(report, out)
        with PayloadGenerator.payload_applier(self._computer, payload):
            try:
                self._computer.execute(computation, out, progress)
            except Exception as error:
                if not progress.canceled:
                    _raise_as_payload(error)
                    raise
        if progress.canceled:
            raise CancelRequested(_text(out) if out.get("results_list") else None)
        return Result(_text(out), _shots(out))

    def _read(self, work: Work) -> dict[str, Any]:
        """The payload as the newest version of it."""
        from perceval.runtime.payload_updater import PayloadUpdater
        from perceval.serialization import deserialize

        raw = msgspec.json.decode(work.payload)
        if not isinstance(raw, dict):
            raise RunnerFailed("payload", "The payload is not an object.")
        if "computation" not in raw and raw.get("max_samples") is None and "sample" in str(raw.get("command")):
            raw["max_samples"] = raw.get("max_shots") or work.max_shots
        payload = PayloadUpdater.update_payload(deserialize(raw, strict=True), self._computer)
        assert isinstance(payload, dict)
        return payload

    def _prepare(self, computation: Any, work: Work) -> None:
        """The command as it is known here, its samples, and the limits, for each of its iterations."""
        from perceval.runtime.computation import Computation
        from perceval.runtime.computation_iterator import ComputationIterator

        if not isinstance(computation, Computation | ComputationIterator):
            raise RunnerFailed("payload", "The payload has no computation.")
        base = computation.base_computation if isinstance(computation, ComputationIterator) else computation
        if base.command.name not in self._computer.available_commands:
            raise RunnerFailed("payload", f"There is no command {str(base.command.name)[:64]!r} on this platform.")
        base.command = self._computer.get_command(base.command.name)
        if "sample" in base.command.name and not base.parameters.get("max_samples"):
            base.add_params(max_samples=base.parameters.get("max_shots") or work.max_samples or work.max_shots)
        self._check_size(base.experiment, computation)

    def _check_size(self, experiment: Any, computation: Any) -> None:
        modes = experiment.circuit_size or 0
        if modes > self._options.max_modes:
            raise RunnerFailed("payload", f"It has {modes} modes; {self._options.max_modes} are allowed.")
        iterations = getattr(computation, "iterations", [])
        states = [experiment.input_state, *(one.get("input_state") for one in iterations)]
        photons = max((number for state in states for number in _photons(state)), default=0)
        if photons > self._options.max_photons:
            raise RunnerFailed("payload", f"It has {photons} photons; {self._options.max_photons} are allowed.")


def _raise_as_payload(error: Exception) -> None:
    """The library looks at much of a payload only when it is about to run it; it says ``ValueError`` then."""
    if isinstance(error, ValueError):
        raise RunnerFailed("payload", f"The payload cannot be run: {error}") from None


class _Progress:
    """What the library calls between two parts of a computation; the answer tells it whether to stop."""

    def __init__(self, report: Report, out: dict[str, Any]) -> None:
        self._report = report
        self._out = out
        self._told = 0
        self._tells_at = time.monotonic() + PARTIAL_SECONDS
        self.canceled = False

    def __call__(self, fraction: float, message: str = "") -> dict[str, bool]:
        try:
            self._report(min(max(float(fraction), 0.0), 1.0), str(message), self._partial())
        except CancelRequested:
            self.canceled = True
        return {"cancel_requested": self.canceled}

    def _partial(self) -> str | None:
        """What there is, if there is more than was told, and that was a while ago."""
        count, now = len(self._out.get("results_list", ())), time.monotonic()
        if count == self._told or now < self._tells_at:
            return None
        text = _text(self._out)
        took = time.monotonic() - now
        self._told, self._tells_at = count, now + max(PARTIAL_SECONDS, took / PARTIAL_SHARE)
        return text


def _import_alone() -> None:
    """Import the library with an empty folder for its settings, and without a token."""
    folder = tempfile.mkdtemp(prefix="jobpass-perceval-")
    os.environ["PCVL_PERSISTENT_PATH"] = folder  # noqa: TID251 - the library takes it from nowhere else
    os.environ.pop("PCVL_CLOUD_TOKEN", None)  # noqa: TID251
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import perceval  # noqa: F401
    except ImportError as error:
        raise SetupError(f"The runner perceval needs jobpass[perceval]: {error}.") from None


def _allow_only(tags: frozenset[str]) -> None:
    """Nothing else is made from a payload, at whatever depth. A library that has no such table is refused."""
    from perceval.serialization.library.class_registry import ClassRegistry

    table = getattr(ClassRegistry, "_serializers_by_tag", None)
    if not isinstance(table, dict) or not table.keys() >= {"Experiment", "Computation"}:
        raise SetupError("This version of perceval-quandela is not known: what payloads are made of cannot be limited.")
    for tag in table.keys() - tags:
        del table[tag]
    ClassRegistry.register = staticmethod(_refuse)  # what is imported later adds nothing


def _refuse(_: object) -> None:
    """Instead of adding a class to those that payloads may be made of."""


def _seed() -> None:
    """Every job draws other numbers, though all have the same parent."""
    import perceval

    perceval.random_seed(int.from_bytes(os.urandom(_SEED_BYTES), "big"))


def _photons(state: Any) -> Iterator[int]:
    """How many a state has, or may have."""
    if state is None:
        return
    count = getattr(state, "n_max", None)
    count = getattr(state, "n", 0) if count is None else count
    yield from (int(one) for one in (count if isinstance(count, set | list | tuple | frozenset) else (count,)))


def _text(out: dict[str, Any]) -> str:
    """The results as the clients read them, with no ``job_context``: what it says was done here."""
    from perceval.serialization import serialize

    kept = {name: value for name, value in out.items() if name != "job_context"}
    return json.dumps(serialize(kept))


def _shots(out: dict[str, Any]) -> int | None:
    used = out.get("nb_shots_used")
    return used if isinstance(used, int) and used >= 0 else None
