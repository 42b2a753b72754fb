"""Functions that jobs of the tests call, and that mean no harm."""

from __future__ import annotations

import ctypes
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobpass.worker.runners import CancelRequested

Report = Callable[..., None]


def echo(payload: Any, report: Report) -> Any:
    return {"payload": payload}


def steps(payload: Any, report: Report) -> Any:
    for step in range(payload["steps"]):
        report(step / payload["steps"], f"step {step}", {"done": step})
        time.sleep(payload["seconds"])
    return "all"


def gives_what_it_has(payload: Any, report: Report) -> Any:
    done = 0
    try:
        while True:
            done += 1
            report(0.5, "at it")
            time.sleep(0.01)
    except CancelRequested:
        return {"done": done > 1}


def raises(payload: Any, report: Report) -> Any:
    raise ValueError(payload)


def returns_an_object(payload: Any, report: Report) -> Any:
    return object()


def draws(payload: Any, report: Report) -> Any:
    return random.random()


def looks_around(payload: Any, report: Report) -> Any:
    """What a job is and sees."""
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # so that it can read about itself
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return {
        "uid": os.getuid(),
        "pid": os.getpid(),
        "processes": [name for name in os.listdir("/proc") if name.isdigit()],
        "environment": dict(os.environ),
        "root": sorted(os.listdir("/")),
        "etc": sorted(os.listdir("/etc")),
        "tmp": sorted(os.listdir("/tmp")),
        "descriptors": len(os.listdir("/proc/self/fd")) - 1,  # but for the one that lists them
        "interfaces": [line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]],
        "status": status,
    }
