"""A noise for each iteration, which Perceval's clients may send, which the library of 1.3 does not read by itself."""

from __future__ import annotations

from typing import Any


def simulator(backend: str) -> Any:
    """The library's local simulator, which heeds the noise of an iteration; its import must have been made."""
    from perceval.runtime.computation_iterator import ComputationIterator
    from perceval.runtime.simulated_computer import SimulatedComputer
    from perceval.utils import NoiseModel

    known = ComputationIterator._ITERATOR_TYPE_CHECK
    ComputationIterator._ITERATOR_TYPE_CHECK = known | {"noise": NoiseModel}
    ComputationIterator._set_noise = staticmethod(_set_noise)

    class Simulator(SimulatedComputer):  # type: ignore[misc]
        """Of an experiment's own noise the library takes what is about photons; here it takes that of phases, too."""

        noise: Any

        def _execute_single(self, computation: Any, progress_callback: Any = None) -> Any:
            usual = self.noise
            self.noise = computation.experiment.noise or usual
            try:
                return super()._execute_single(computation, progress_callback)
            finally:
                self.noise = usual

    return Simulator(backend)


def _set_noise(noise: Any, computation: Any) -> None:
    computation.experiment.noise = noise
