"""The system calls that no job may make, as the BPF program which the kernel runs before each (seccomp(2)).

A list of what is refused, not of what is allowed: any program is to run. It closes what has nothing to do with
computing and lets a process reach beyond itself, or has been a way into the kernel again and again.
"""

from __future__ import annotations

import errno
import struct
from typing import Final

from jobpass.worker.sandbox.kernel import MACHINE, NEW_ANY

REFUSED: Final[dict[str, tuple[int, int | None]]] = {  # name: (x86_64, aarch64); None where there is no such call
    # other machines, other processes
    "socket": (41, 198),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # ways into the kernel
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "modify_ldt": (154, None),
    "personality": (135, 92),
    "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # memory that no limit counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    # what all of the machine has so many of
    "io_setup": (206, 0),
    # the machine itself
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "vhangup": (153, 58),
}
"""By the process that starts jobs already, and so by jobs."""
REFUSED_TO_JOBS: Final[dict[str, tuple[int, int | None]]] = {  # namespaces and mounts, by which jobs are isolated
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
}
_LEAVING: Final[dict[str, tuple[int, int | None]]] = {"setsid": (112, 157), "setpgid": (109, 154)}
"""Refused where only its process group holds a job together."""

_ARCHITECTURES: Final = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}  # column, AUDIT_ARCH_…
_CLONE: Final = (56, 220)
_CLONE3: Final = (435, 435)
_SOCKETPAIR: Final = (53, 199)
_IOCTL: Final = (16, 29)
_FCNTL: Final = (72, 25)
_X32: Final = 0x4000_0000
_TERMINAL_INPUT: Final = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: type into a terminal as if a person did
_SET_LEASE: Final = 1024  # F_SETLEASE: whoever opens a file on which somebody has a lease waits, for 45 seconds
_AF_UNIX: Final = 1

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_ALLOW: Final = 0x7FFF_0000
_KILL: Final = 0x8000_0000
_REFUSE: Final = 0x0005_0000 | errno.EPERM
_MISSING: Final = 0x0005_0000 | errno.ENOSYS


def supported() -> bool:
    """Whether there is a program for this machine."""
    return MACHINE in _ARCHITECTURES


def outer_program() -> bytes:
    """What is refused to the process that starts jobs and to all that comes from it."""
    column, architecture = _ARCHITECTURES[MACHINE]
    code = [_op(_LOAD, _ARCHITECTURE_AT), _op(_EQUAL, architecture, 1), _op(_RETURN, _KILL), _op(_LOAD, _NUMBER_AT)]
    if MACHINE == "x86_64":  # the same calls by other numbers
        code += [_op(_AT_LEAST, _X32, 0, 1), _op(_RETURN, _REFUSE)]
    code += _refused(REFUSED, column)
    # A pair of sockets is a pipe that goes both ways, without an address: event loops are made of them.
    code += _with_argument(_SOCKETPAIR[column], 0, [_op(_EQUAL, _AF_UNIX, 1), _op(_RETURN, _REFUSE)])
    for request in _TERMINAL_INPUT:
        code += _with_argument(_IOCTL[column], 1, [_op(_EQUAL, request, 0, 1), _op(_RETURN, _REFUSE)])
    code += _with_argument(_FCNTL[column], 1, [_op(_EQUAL, _SET_LEASE, 0, 1), _op(_RETURN, _REFUSE)])
    return b"".join([*code, _op(_RETURN, _ALLOW)])


def job_program(*, keep_group: bool = False) -> bytes:
    """What is refused to jobs besides. ``keep_group`` refuses also what leaves the process group."""
    column = _ARCHITECTURES[MACHINE][0]
    code = [_op(_LOAD, _NUMBER_AT), *_refused(REFUSED_TO_JOBS | (_LEAVING if keep_group else {}), column)]
    # Its flags are behind a pointer, where no filter sees them; the C library then does without it.
    code += [_op(_EQUAL, _CLONE3[column], 0, 1), _op(_RETURN, _MISSING)]
    code += _with_argument(_CLONE[column], 0, [_op(_ANY_BIT, NEW_ANY, 0, 1), _op(_RETURN, _REFUSE)])
    return b"".join([*code, _op(_RETURN, _ALLOW)])


def _refused(calls: dict[str, tuple[int, int | None]], column: int) -> list[bytes]:
    numbers = [number for call in calls.values() if (number := call[column]) is not None]
    return [op for number in numbers for op in (_op(_EQUAL, number, 0, 1), _op(_RETURN, _REFUSE))]


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _with_argument(number: int, argument: int, then: list[bytes]) -> list[bytes]:
    """For one call: the lower half of an argument is looked at, and the number is loaded again afterwards."""
    load = _op(_LOAD, 16 + 8 * argument)
    return [_op(_EQUAL, number, 0, len(then) + 2), load, *then, _op(_LOAD, _NUMBER_AT)]
