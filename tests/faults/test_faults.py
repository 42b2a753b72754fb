"""Each fault a few times: the short form of ``make faults``."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from faults import NotHereError
from faults.calls import Entry, read_histories, read_log
from faults.checker import check
from faults.faults import FAULTS
from jobpass.lifecycle.model import Lifecycle


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.few])
async def test_the_record_holds(name: str, tmp_path: Path, in_memory: None) -> None:
    fault = FAULTS[name]
    try:
        verdict = await fault.run(tmp_path, fault.few)
    except NotHereError as missing:
        pytest.skip(str(missing))
    assert verdict.violations == []
    assert verdict.acknowledged > 20 * verdict.times
    _judge_again(tmp_path, fault.lifecycle)


def _judge_again(folder: Path, lifecycle: Lifecycle) -> None:
    """What the run has left gives the same verdict, and another one when an acknowledged event is taken away."""
    calls = read_log(folder / "calls.jsonl")
    histories: dict[str, list[Entry]] = defaultdict(list)
    for job, entry in read_histories(folder / "histories.jsonl"):
        histories[job].append(entry)
    assert check(calls, histories, lifecycle) == []
    sent = [call for call in calls if call.kind == "send" and call.outcome == "ok"]
    acknowledged = {(call.job, call.sequence) for call in sent}
    for job, history in histories.items():
        last = max(entry.sequence for entry in history if (job, entry.sequence) in acknowledged)
        found = check(calls, histories | {job: history[: last - 1]}, lifecycle)
        assert "lost" in {violation.wrong for violation in found}
