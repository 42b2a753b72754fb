"""Run benchmarks and print their tables: ``python -m benchmarks [--runs N] [NAMES]``, such as ``tokens http``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import Row, save, table

NAMES = (
    "tokens",
    "store",
    "inprocess",
    "http",
    "check",
    "credentials",
    "listing",
    "scale",
    "volume",
    "nodes",
    "postgres",
    "startup",
    "compat_tokens",
    "compat_store",
    "import",
    "index",
    "compute",
    "worker",
    "cloud",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for, or all that there is; 1 if a target was missed."""
    present = [name for name in NAMES if Path(__file__).with_name(f"bench_{name}.py").exists()]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, and print a table.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(present)}; all unless told")
    parser.add_argument("--runs", type=int, help="alternating runs, whose medians are shown; each has a default")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(present))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(present)}")
    if options.runs is not None and options.runs < 1:
        parser.error("--runs is at least 1")
    missed: list[str] = []
    for name in options.names or present:
        run = importlib.import_module(f"benchmarks.bench_{name}").run
        rows: list[Row] = run() if options.runs is None else run(options.runs)
        save(name, rows)
        print(table(name, rows), end="\n\n", flush=True)
        missed += [f"{name}: {row.name}" for row in rows if row.ok is False]
    print("All targets hold." if not missed else "Missed: " + "; ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
