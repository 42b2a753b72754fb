"""Into isolation, in two steps: the process that starts jobs goes in once, and each of its children further in."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Callable, Sequence
from typing import Final

from jobpass.worker.sandbox import kernel, root, seccomp
from jobpass.worker.work import Limits

_OUTER: Final = kernel.NEW_USER | kernel.NEW_NS | kernel.NEW_PID | kernel.NEW_NET | kernel.NEW_IPC | kernel.NEW_UTS
_INNER: Final = kernel.NEW_USER | kernel.NEW_IPC | kernel.NEW_UTS
"""Of a job. Its mounts, network and process ids come from who has power over them: it has none, whatever it becomes."""
_EVERYBODY_READS: Final = 0o022
_LEAVING: Final = seccomp.job_program() if seccomp.supported() else b""
_KEEPING: Final = seccomp.job_program(keep_group=True) if seccomp.supported() else b""


class Ids:
    """The user and group that jobs run as, seen from outside and from inside; never root inside."""

    def __init__(self) -> None:
        self.outside, self.outside_group = os.geteuid(), os.getegid()
        self.inside = self.outside or kernel.NOBODY
        self.inside_group = self.outside_group or kernel.NOBODY

    def map(self) -> None:
        """In a new namespace of users, be the one that there is."""
        kernel.map_user(self.inside, self.outside, self.inside_group, self.outside_group)

    def inner(self) -> Ids:
        """The same, for a namespace in this one."""
        ids = Ids.__new__(Ids)
        ids.outside = ids.inside = self.inside
        ids.outside_group = ids.inside_group = self.inside_group
        return ids


def leave_root() -> bool:
    """Stop being the machine's root for good; False if there is no other user here, as in a namespace of one."""
    if os.geteuid() != 0:
        return True
    try:
        os.setgroups([])
        os.setresgid(kernel.NOBODY, kernel.NOBODY, kernel.NOBODY)
        os.setresuid(kernel.NOBODY, kernel.NOBODY, kernel.NOBODY)
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.EPERM}:
            return False
        raise
    return True


def enter_outer(visible: Sequence[str], covered: Sequence[str], watch: Callable[[], None]) -> Ids:
    """Go in. This returns in a child, which is the first process of its namespace; ``watch`` waits for it outside.

    The old root, the network and other processes are gone. Must be called while there is one thread.
    """
    os.umask(_EVERYBODY_READS)
    if os.geteuid() == 0 and _many_users():
        kernel.unshare(kernel.NEW_NS)  # root can bring in what its jobs' user could not reach by its path
        root.enter_root(visible, covered)
        leave_root()
        ids = Ids()
        kernel.unshare(_OUTER)
        ids.map()
    else:
        ids = Ids()
        kernel.unshare(_OUTER)
        ids.map()
        root.enter_root(visible, covered)
    if os.fork():
        watch()
    kernel.die_with_parent(signal.SIGKILL)
    kernel.set_dumpable(on=False)
    mount_proc()
    return ids.inner()


def _many_users() -> bool:
    with open("/proc/self/uid_map", encoding="ascii") as lines:  # noqa: PTH123
        return any(int(first) <= kernel.NOBODY < int(first) + int(count) for first, _, count in map(str.split, lines))


def mount_proc() -> None:
    """The processes of this namespace, and no others."""
    kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)


def new_network() -> int:
    """A descriptor of a network with nothing in it, not even a loopback that is up."""
    kernel.unshare(kernel.NEW_NET)
    return os.open("/proc/self/ns/net", os.O_RDONLY)


def enter_inner(ids: Ids, limits: Limits, shown: Sequence[str], network: int) -> None:
    """The first process of a new namespace of process ids goes the rest of the way; ``confine`` is to follow.

    ``shown`` are the visible paths in ``/tmp``.
    """
    kernel.enter_namespace(network, kernel.NEW_NET)
    kernel.unshare(kernel.NEW_NS)
    mount_proc()
    root.renew_tmp(limits.tmp_bytes, shown)
    kernel.unshare(_INNER)
    ids.map()


def confine(limits: Limits, cpu_seconds: int, *, processes: int, keep_group: bool = False) -> None:
    """Limits, no capabilities, no new privileges, no dangerous system calls: from here on a job's code may run."""
    os.umask(0o077)
    bounds = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: limits.tmp_bytes,
        resource.RLIMIT_NOFILE: limits.files,
        resource.RLIMIT_NPROC: processes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for name, bound in bounds.items():
        hard = resource.getrlimit(name)[1]
        least = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(name, (least, least))
    kernel.set_dumpable(on=False)
    kernel.drop_capabilities()
    if seccomp.supported():
        kernel.filter_system_calls(_KEEPING if keep_group else _LEAVING)


def confine_starter() -> None:
    """As far as the process that starts jobs needs no more itself: a filter costs less where it is made once."""
    kernel.no_new_privileges()
    if seccomp.supported():
        kernel.filter_system_calls(seccomp.outer_program())
