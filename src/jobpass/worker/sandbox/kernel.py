"""The few calls of the Linux kernel that Python has no functions for (3.11), through the C library."""

from __future__ import annotations

import ctypes
import os
import platform
from typing import Final

NEW_NS: Final = 0x0002_0000
NEW_UTS: Final = 0x0400_0000
NEW_IPC: Final = 0x0800_0000
NEW_USER: Final = 0x1000_0000
NEW_PID: Final = 0x2000_0000
NEW_NET: Final = 0x4000_0000
NEW_ANY: Final = 0x7E02_0000
"""Every namespace that clone(2) can make."""

MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_PRIVATE: Final = 1 << 18
MNT_DETACH: Final = 2
ATTR_RDONLY: Final = 1
ATTR_NOSUID: Final = 2
ATTR_NODEV: Final = 4

NOBODY: Final = 65534

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_CHILD_SUBREAPER: Final = 36
_SECCOMP_MODE_FILTER: Final = 2
_CAPABILITIES: Final = 64
_CAPABILITY_VERSION_3: Final = 0x2008_0522
_AT_FDCWD: Final = -100
_AT_RECURSIVE: Final = 0x8000
_SYS_MOUNT_SETATTR: Final = 442  # the same on every architecture
_SYS_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}
_SYS_CAPSET: Final = {"x86_64": 126, "aarch64": 91}

MACHINE: Final = platform.machine()
KNOWN_MACHINES: Final = ("x86_64", "aarch64")

_libc: Final = ctypes.CDLL(None, use_errno=True)


class _Attributes(ctypes.Structure):
    """``struct mount_attr``."""

    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("fd", ctypes.c_uint64),
    )


class Program(ctypes.Structure):
    """``struct sock_fprog``: how many instructions, and where they are."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _checked(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _long(value: int) -> ctypes.c_long:
    return ctypes.c_long(value)


def _prctl(option: int, what: str, second: int = 0, third: int | Program = 0) -> None:
    last = ctypes.byref(third) if isinstance(third, Program) else _long(third)
    _checked(_libc.prctl(option, _long(second), last, _long(0), _long(0)), what)


def unshare(flags: int) -> None:
    """New namespaces for this process; of process ids, for the children that it makes from now on."""
    _checked(_libc.unshare(flags), f"unshare({flags:#x})")


def enter_namespace(descriptor: int, kind: int) -> None:
    """Go into a namespace; if it is one of process ids, the children that are made from now on."""
    _checked(_libc.setns(descriptor, kind), "setns")


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """Mount(2)."""
    kind_bytes = kind.encode() if kind is not None else None
    result = _libc.mount(
        os.fsencode(source), os.fsencode(target), kind_bytes, ctypes.c_ulong(flags), data.encode() or None
    )
    _checked(result, f"mount {target}")


def unmount(target: str) -> None:
    """Take a mount away from here, also if it is in use elsewhere."""
    _checked(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def restrict_mount(target: str, attributes: int, *, recursive: bool = True) -> None:
    """Add attributes to a mount and those below it; what it had stays. Linux 5.12."""
    wanted = _Attributes(attributes, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    result = _libc.syscall(
        _long(_SYS_MOUNT_SETATTR),
        _long(_AT_FDCWD),
        os.fsencode(target),
        _long(flags),
        ctypes.byref(wanted),
        _long(ctypes.sizeof(wanted)),
    )
    _checked(result, f"mount_setattr {target}")


def pivot_root(new: str, old: str) -> None:
    """The new root, and where the old one is seen from then on."""
    _checked(_libc.syscall(_long(_SYS_PIVOT_ROOT[MACHINE]), os.fsencode(new), os.fsencode(old)), "pivot_root")


def set_dumpable(*, on: bool) -> None:
    """Whether others of the same user may read this process's memory and ``/proc/PID/environ``; an exec sets it."""
    _prctl(_PR_SET_DUMPABLE, "PR_SET_DUMPABLE", int(on))


def die_with_parent(signal: int) -> None:
    """Have the kernel send this process the signal when its parent ends; changed credentials undo that."""
    _prctl(_PR_SET_PDEATHSIG, "PR_SET_PDEATHSIG", signal)


def adopt_orphans() -> None:
    """Orphaned descendants become this process's children."""
    _prctl(_PR_SET_CHILD_SUBREAPER, "PR_SET_CHILD_SUBREAPER", 1)


def no_new_privileges() -> None:
    """No exec gives more than this process has; nothing takes that back."""
    _prctl(_PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS", 1)


def drop_capabilities() -> None:
    """None at present, and none by any exec."""
    for number in range(_CAPABILITIES):
        if _libc.prctl(_PR_CAPBSET_DROP, _long(number), _long(0), _long(0), _long(0)) < 0:
            break  # EINVAL beyond the last that there is; EPERM if there is nothing to drop from
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _checked(_libc.syscall(_long(_SYS_CAPSET[MACHINE]), ctypes.byref(header), ctypes.byref(nothing)), "capset")


def filter_system_calls(instructions: bytes) -> None:
    """Put a BPF program before every system call of this process and its children, for good (seccomp(2))."""
    program = Program(len(instructions) // 8, instructions)
    _prctl(_PR_SET_SECCOMP, "PR_SET_SECCOMP", _SECCOMP_MODE_FILTER, program)


def map_user(inside: int, outside: int, inside_group: int, outside_group: int) -> None:
    """Right after ``unshare(NEW_USER)``: the one user and group that there are in it."""
    # The maps of a process that is not dumpable belong to root, who is not in here.
    set_dumpable(on=True)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside} {outside} 1"),
        ("gid_map", f"{inside_group} {outside_group} 1"),
    ):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)
    set_dumpable(on=False)
