"""Two photons meet in a beam splitter: the Hong-Ou-Mandel effect, sampled by a job cloud of one's own.

``python perceval_hom.py URL TOKEN-FILE PICTURE`` sends one job to the platform ``sim:local`` of the server at URL, and
draws how often one photon leaves at each side, by how much later one of them comes: hardly ever if they come together.
Needs perceval-quandela; ``docs/job-cloud.md`` says how to get a server and a worker.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import matplotlib as mpl
import perceval as pcvl
from perceval.algorithm import Sampler

PLATFORM = "sim:local"
DELAYS = [step / 10 for step in range(-25, 26)]
"""In widths of a photon."""
SAMPLES = 1000
"""For each delay."""
BOTH_SIDES = pcvl.BasicState([1, 1])


def overlap(delay: float) -> float:
    """How far two photons of the form of a Gauss curve are the same one: 1 if they come together."""
    return math.exp(-(delay**2))


def measure(url: str, token: str) -> list[float]:
    """The share of samples with one photon at each side, for each delay: all of it is one job."""
    processor = pcvl.RemoteProcessor(PLATFORM, token=token, url=url)
    processor.set_circuit(pcvl.BS())
    processor.with_input(BOTH_SIDES)
    processor.min_detected_photons_filter(2)
    sampler = Sampler(processor, max_shots_per_call=SAMPLES * len(DELAYS))
    sampler.add_iteration_list(
        [{"noise": pcvl.NoiseModel(indistinguishability=overlap(delay)), "max_samples": SAMPLES} for delay in DELAYS]
    )
    job = sampler.sample_count.execute_async(SAMPLES)
    print(f"job {job.id}")
    while not job.is_complete:
        time.sleep(0.1)  # the client itself asks at most once a second
    print(job.status())
    return [one["results"][BOTH_SIDES] / SAMPLES for one in job.get_results()["results_list"]]


def draw(shares: list[float], picture: Path) -> None:
    """The samples beside what the theory says."""
    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    axes.plot(DELAYS, [(1 - overlap(delay)) / 2 for delay in DELAYS], color="tab:gray", label="theory")
    axes.plot(DELAYS, shares, ".", color="tab:blue", label=f"{SAMPLES:,} samples each")
    axes.set(xlabel="delay, in widths of a photon", ylabel="one photon at each side", ylim=(-0.02, 0.6))
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(picture, dpi=100)


def main() -> None:
    url, token_file, picture = sys.argv[1:]
    shares = measure(url, Path(token_file).read_text().strip())
    draw(shares, Path(picture))
    print(f"together {shares[len(DELAYS) // 2]:.2f}, apart {shares[0]:.2f}: see {picture}")


if __name__ == "__main__":
    main()
