"""A job process: index every source file below a folder, and report on the one job that its token is for.

    python -m jobpass.cli.demo_job FOLDER RESULT [--pattern '*.py'] [--whole-life] [--seconds 30]

It holds nothing but ``JOBPASS_URL``, ``JOBPASS_JOB`` and ``JOBPASS_TOKEN``. RESULT gets one JSON line a file; its
digest goes into the job's record, so that whoever reads the result later can tell whether it is the one reported.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import jobpass

SKIPPED_FOLDERS = frozenset({"__pycache__", "site-packages", "dist-packages", "node_modules", ".git", ".venv"})
REPORT_SECONDS = 0.1  # between two reports of progress, at least
CHUNK_BYTES = 1024 * 1024


def find_files(folder: Path, pattern: str) -> list[Path]:
    """Regular files whose name fits the pattern, in order; links are not followed."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS)
        found += [Path(place, name) for name in names if fnmatch(name, pattern)]
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def index_file(path: Path, folder: Path) -> dict[str, Any]:
    """What there is to know of one file."""
    digest, size, lines = hashlib.sha256(), 0, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            lines += chunk.count(b"\n")
    name = path.relative_to(folder).as_posix().encode("utf-8", "backslashreplace").decode()
    return {"path": name, "bytes": size, "lines": lines, "sha256": digest.hexdigest()}


def index_all(files: list[Path], folder: Path, until: float) -> Iterator[dict[str, Any]]:
    """The entries of all files that can be read, as long as there is time."""
    for path in files:
        if time.monotonic() > until:
            return
        try:
            yield index_file(path, folder)
        except OSError as error:
            yield {"path": str(path), "error": error.strerror}


def summarise(entries: list[dict[str, Any]], files: int) -> dict[str, Any]:
    """The figures that go into the job's record."""
    read = [entry for entry in entries if "error" not in entry]
    copies = Counter(entry["sha256"] for entry in read if entry["bytes"])
    largest = max(read, key=lambda entry: entry["bytes"], default=None)
    return {
        "files": len(read),
        "lines": sum(entry["lines"] for entry in read),
        "bytes": sum(entry["bytes"] for entry in read),
        "duplicates": sum(copies.values()) - len(copies),
        "largest": largest["path"] if largest else None,
        "unreadable": len(entries) - len(read),
        "left_out": files - len(entries),
    }


def main() -> None:
    """Index, report, and leave the digest of the result in the record."""
    parser = argparse.ArgumentParser(description="Index the source files below a folder, as a job.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--pattern", default="*")
    parser.add_argument("--seconds", type=float, default=30.0, help="stop reading after so long")
    parser.add_argument("--whole-life", action="store_true", help="record the job's beginning and end here as well")
    args = parser.parse_args()
    with jobpass.current_job() as job:
        if args.whole_life:
            job.send("run", {"pid": os.getpid()})
        until = time.monotonic() + args.seconds
        files = find_files(args.folder, args.pattern)
        job.progress(0.0, f"{len(files)} files to read")
        digest, entries, told_at = hashlib.sha256(), [], time.monotonic()
        with args.result.open("wb") as result:
            for entry in index_all(files, args.folder, until):
                entries.append(entry)
                line = json.dumps(entry, sort_keys=True).encode() + b"\n"
                digest.update(line)
                result.write(line)
                if time.monotonic() - told_at >= REPORT_SECONDS:
                    told_at = time.monotonic()
                    job.progress(round(len(entries) / len(files), 3), entry["path"])
        job.progress(1.0, "everything is read")
        outcome = summarise(entries, len(files)) | {"result": args.result.name, "sha256": digest.hexdigest()}
        job.send("finish" if args.whole_life else "update", outcome)


if __name__ == "__main__":
    main()
