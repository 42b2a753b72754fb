"""The runner ``perceval``: a noise of each iteration, as clients send it."""

from __future__ import annotations

import importlib.util
import json
import os
import warnings
from typing import Any

import pytest

from jobpass.worker.work import Completed, Setup
from support.jobs import outcome, work

pytestmark = [
    pytest.mark.perceval,
    pytest.mark.timeout(120),
    pytest.mark.skipif(importlib.util.find_spec("perceval") is None, reason="perceval-quandela is not installed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def pcvl(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The library, as a client has it."""
    os.environ["PCVL_PERSISTENT_PATH"] = str(tmp_path_factory.mktemp("perceval"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import perceval
    return perceval


async def probabilities(pcvl: Any, circuit: Any, state: list[int], noises: list[Any]) -> list[Any]:
    """What leaves the circuit, for each noise."""
    from perceval.serialization import deserialize, serialize

    made = pcvl.Experiment(circuit)
    made.with_input(pcvl.BasicState(state))
    made.min_detected_photons_filter(1)
    iterator = [{"noise": serialize(noise)} if noise else {"max_shots": 1} for noise in noises]
    payload = {"command": "probs", "max_shots": 1, "experiment": serialize(made), "iterator": iterator}
    ended = await outcome(Setup(runner="perceval"), work(payload, command="probs"))
    assert isinstance(ended, Completed), ended
    found = deserialize(json.loads(ended.results), strict=False)["results_list"]
    assert [one["iteration"].get("noise") for one in found] == noises
    return [one["results"] for one in found]


async def test_each_iteration_has_its_noise_and_the_next_has_none_of_it(pcvl: Any) -> None:
    different = pcvl.NoiseModel(indistinguishability=0)
    both, alike, again = await probabilities(pcvl, pcvl.BS(), [1, 1], [different, None, different])
    assert both[pcvl.BasicState([1, 1])] == pytest.approx(0.5)
    assert alike[pcvl.BasicState([1, 1])] == pytest.approx(0)
    assert again == both


async def test_the_noise_of_phases_counts_too(pcvl: Any) -> None:
    interferometer = pcvl.BS() // pcvl.PS(0.3) // pcvl.BS()
    coarse, fine = await probabilities(pcvl, interferometer, [1, 0], [pcvl.NoiseModel(phase_imprecision=1.0), None])
    state = pcvl.BasicState([1, 0])
    assert coarse[state] == pytest.approx(0)  # a third of a radian is none in steps of one
    assert fine[state] > 0.02
