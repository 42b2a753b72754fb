"""What of isolation is in force on this machine, found out by doing it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from jobpass.worker.sandbox import enter, kernel, root, seccomp


class Item(Struct, frozen=True):
    """One means of isolation, whether it is in force, and if it is not why."""

    name: str
    in_force: bool
    reason: str = ""


class Isolation(Struct, frozen=True):
    """All means, in the order of ``NAMES``."""

    items: tuple[Item, ...]

    @property
    def namespaces(self) -> bool:
        """Whether jobs have namespaces and a root of their own; there are all of them or none."""
        return all(item.in_force for item in self.items if item.name in NAMESPACES)

    @property
    def complete(self) -> bool:
        """Whether everything is in force."""
        return all(item.in_force for item in self.items)

    @property
    def missing(self) -> str:
        """What is not in force, each with its reason, as one sentence without a full stop; empty if nothing is."""
        return "; ".join(f"{item.name}: {item.reason}" for item in self.items if not item.in_force)


NAMESPACES: Final = ("users", "files", "network", "processes")
NAMES: Final = (*NAMESPACES, "system calls")

_NOT_TRIED: Final = "not tried, since what it needs was refused"


def probe() -> Isolation:
    """Try each means in a child that ends with it. Must be called while there is one thread."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.close(reading)
            _try_all(lambda item: os.write(writing, msgspec.json.encode(item) + b"\n"))
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as lines:
        told = {item.name: item for item in (msgspec.json.decode(line, type=Item) for line in lines)}
    os.waitpid(pid, 0)
    return Isolation(tuple(told.get(name, Item(name, in_force=False, reason=_NOT_TRIED)) for name in NAMES))


def _try_all(tell: Callable[[Item], object]) -> None:
    def tried(name: str, step: Callable[[], None]) -> bool:
        try:
            step()
        except (OSError, AttributeError) as error:
            tell(Item(name, in_force=False, reason=_told(error)))
            return False
        tell(Item(name, in_force=True))
        return True

    # Each step needs those before it; the last one does not.
    _ = (
        tried("users", _users)
        and tried("files", _files)
        and tried("network", lambda: kernel.unshare(kernel.NEW_NET | kernel.NEW_IPC | kernel.NEW_UTS))
        and tried("processes", _processes)
    )
    tried("system calls", _system_calls)


def _told(error: Exception) -> str:
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"


def _users() -> None:
    if kernel.MACHINE not in kernel.KNOWN_MACHINES:
        raise OSError(f"not known for {kernel.MACHINE}")
    enter.leave_root()
    ids = enter.Ids()
    kernel.unshare(kernel.NEW_USER)
    ids.map()
    nested = ids.inner()
    kernel.unshare(kernel.NEW_USER)
    nested.map()


def _files() -> None:
    kernel.unshare(kernel.NEW_NS)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    root.mount_tmp(root.TMP, 1024 * 1024)
    kernel.restrict_mount(root.TMP, kernel.ATTR_RDONLY)


def _processes() -> None:
    kernel.unshare(kernel.NEW_PID)
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(reading)
            try:
                enter.mount_proc()
            except OSError as error:
                os.write(writing, _told(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "r") as problem:
        text = problem.read()
    os.waitpid(pid, 0)
    if text:
        raise OSError(text)


def _system_calls() -> None:
    if not seccomp.supported():
        raise OSError(f"there is no filter for {kernel.MACHINE}")
    kernel.no_new_privileges()
    kernel.filter_system_calls(seccomp.outer_program())
    kernel.filter_system_calls(seccomp.job_program())


def warning(isolation: Isolation) -> str:
    """What to tell at the start when something is missing."""
    consequence = (
        "jobs can use the network, and read whatever this worker's user can, its key file too"
        if not isolation.namespaces
        else "jobs can make every system call"
    )
    return f"Isolation is not complete on this machine ({sys.platform}): {isolation.missing}. So {consequence}."
