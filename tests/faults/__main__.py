"""All faults in their long form: ``python -m faults [--times N] [--write PAGE] [NAMES]``; fails if a record does."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from faults import NotHereError
from faults.faults import FAULTS, Fault
from faults.table import replace, table
from faults.trial import Verdict

SHOWN = 20
"""Violations that are printed; all of them follow from the log that is kept."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked for, or all that there is, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m faults", description="Hurt Jobpass under load; print what held.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(FAULTS)}; all unless told")
    parser.add_argument("--times", type=int, help="how often each is done; each has its number")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page, too")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - FAULTS.keys())
    if unknown:
        parser.error(f"there is no fault {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    verdicts, skipped = [], 0
    for name in options.names or FAULTS:
        verdict = _judge(name, FAULTS[name], options.times)
        skipped += verdict is None
        verdicts += [] if verdict is None else [verdict]
    print(f"\n{table(verdicts)}")
    if options.write is not None and not skipped:
        replace(options.write, table(verdicts))
    wrong = sum(bool(verdict.violations) for verdict in verdicts)
    print("Every record holds." if not wrong else f"{wrong} of {len(verdicts)} records do not hold.")
    return 1 if wrong or skipped else 0


def _judge(name: str, fault: Fault, times: int | None) -> Verdict | None:
    """One fault's verdict; None if it cannot be done here. What it leaves is kept if something is wrong."""
    folder = Path(tempfile.mkdtemp(prefix=f"jobpass-faults-{name}-"))
    print(f"{name}: ", end="", flush=True)
    try:
        verdict = asyncio.run(fault.run(folder, times or fault.times))
    except NotHereError as missing:
        print(f"not done: {missing}", flush=True)
        return None
    print(f"{verdict.events:,} events, {len(verdict.violations)} violations", flush=True)
    for violation in verdict.violations[:SHOWN]:
        print(f"  {violation.wrong}: {violation.job} {violation.what}", flush=True)
    if verdict.violations:
        print(f"  the log is in {folder}", flush=True)
    else:
        shutil.rmtree(folder)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
