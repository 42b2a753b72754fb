"""Functions that jobs of the tests call to do harm. Each is bounded, in case that it can."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Report = Callable[..., None]

libc = ctypes.CDLL(None, use_errno=True)
BOUND = 2000


def mark(name: str) -> None:
    """Give this process, and those that it makes, a name by which the test finds them."""
    libc.prctl(15, name.encode(), 0, 0, 0)


def endless_loop(payload: Any, report: Report) -> Any:
    mark(payload)
    while True:
        pass


def fork_bomb(payload: Any, report: Report) -> Any:
    mark(payload)
    for _ in range(BOUND):
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)
    time.sleep(600)


def fork_until_refused(payload: Any, report: Report) -> Any:
    for _ in range(BOUND):
        if not os.fork():
            time.sleep(600)


def thread_bomb(payload: Any, report: Report) -> Any:
    import threading

    for _ in range(BOUND):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()


def huge_result(payload: Any, report: Report) -> Any:
    return "x" * payload


def huge_progress(payload: Any, report: Report) -> Any:
    while True:
        report(0.5, "x" * 2000, "y" * 400_000)  # of which the worker looks at each in a thread


def deep_result(payload: Any, report: Report) -> Any:
    channel().sendall(frame(b'{"type":"done","shots":null}', b"[" * 500_000 + b"]" * 500_000))
    time.sleep(600)


def huge_memory(payload: Any, report: Report) -> Any:
    return len(bytearray(payload))


def growing_memory(payload: Any, report: Report) -> Any:
    held = []
    while True:
        held.append(bytearray(16 * 1024 * 1024))


def full_disk(payload: Any, report: Report) -> Any:
    for number in range(BOUND):
        with open(f"/tmp/{number}", "wb") as file:
            file.write(bytes(1024 * 1024))


def large_file(payload: Any, report: Report) -> Any:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open("/tmp/large", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, payload)


def many_files(payload: Any, report: Report) -> Any:
    return len([os.open("/dev/null", os.O_RDONLY) for _ in range(BOUND)])


def read_file(payload: Any, report: Report) -> Any:
    return Path(payload).read_text(errors="replace")


def write_file(payload: Any, report: Report) -> Any:
    return Path(payload).write_text("written")


def scavenge(payload: Any, report: Report) -> Any:
    """Every file that can be read, and where the text that is looked for stands in one."""
    wanted = (payload[::-1]).encode()  # told backwards, so that it is not found in what this itself was told
    found, read = [], 0
    for top in ("/proc", "/etc", "/dev", "/tmp", "/root", "/home", "/var", "/run", "/srv", "/opt", "/mnt"):
        for folder, folders, names in os.walk(top):
            folders[:] = [name for name in folders if name not in {"site-packages", "lib", "sys", "tty", "irq"}]
            for name in names:
                path = f"{folder}/{name}"
                try:
                    if not stat.S_ISREG(os.stat(path).st_mode) or path.endswith(("kcore", "kmsg", "pagemap")):
                        continue
                    with open(path, "rb") as file:
                        read += 1
                        if wanted in file.read(1024 * 1024):
                            found.append(path)
                except OSError:
                    continue
    return {"found": found, "read": read}


def make_sockets(payload: Any, report: Report) -> Any:
    made = []
    for family in range(46):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            try:
                socket.socket(family, kind).close()
                made.append([family, int(kind)])
            except OSError:
                continue
    return made


def connect(payload: Any, report: Report) -> Any:
    with socket.create_connection(("127.0.0.1", payload), timeout=2):
        return "connected"


def connect_by_other_numbers(payload: Any, report: Report) -> Any:
    """socket(2) as x32 programs call it."""
    ctypes.set_errno(0)
    descriptor = libc.syscall(ctypes.c_long(0x4000_0000 | 41), 2, 1, 0)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return descriptor


def call(payload: Any, report: Report) -> Any:
    """Make system calls; by name what became of each."""
    results = {}
    for name, number, *arguments in payload:
        pid = os.fork()  # what one of them does must not hide what the next would do
        if not pid:
            ctypes.set_errno(0)
            result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
            os._exit(ctypes.get_errno() if result < 0 else 0)
        results[name] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return results


def take_kernel_memory(payload: Any, report: Report) -> Any:
    """Ask for memory of the kernel that no limit of a process counts; what is given."""
    ways: dict[str, tuple[int, ...]] = {
        "semget": (0, 32_000, 0o600),
        "msgget": (0, 0o600),
        "shmget": (0, 1 << 20, 0o600),
    }
    return [name for name, arguments in ways.items() if getattr(libc, name)(*arguments) >= 0]


def lease_file(payload: Any, report: Report) -> Any:
    """A lease on a file makes everybody else wait who opens it, outside too if it is the worker's user's."""
    path = Path("/tmp/leased")
    path.write_text("mine")
    with path.open("rb") as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)


def trace_parent(payload: Any, report: Report) -> Any:
    pid = os.fork()
    if not pid:
        os._exit(0 if libc.ptrace(16, os.getppid(), 0, 0) == 0 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def new_namespaces(payload: Any, report: Report) -> Any:
    subprocess.run(["unshare", "-Ur", "id"], check=True, capture_output=True)


def leave_daemons(payload: Any, report: Report) -> Any:
    """Processes in groups, sessions and under parents of their own, some stopped, none that minds SIGTERM."""
    mark(payload)
    for stopped in (False, True, False, True):
        if not os.fork():
            with contextlib.suppress(OSError):  # where that is refused it stays in the group
                os.setsid()
            if os.fork():
                os._exit(0)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            if stopped:
                os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(600)
            os._exit(0)
    time.sleep(0.2)
    return "gone"


def stay_with_daemons(payload: Any, report: Report) -> Any:
    leave_daemons(payload, report)
    report(0.5, "there")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(600)


def exit_hard(payload: Any, report: Report) -> Any:
    os._exit(payload)


def exit_soft(payload: Any, report: Report) -> Any:
    sys.exit(payload)


def crash(payload: Any, report: Report) -> Any:
    ctypes.string_at(0)


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("again")


def raise_unspeakable(payload: Any, report: Report) -> Any:
    raise Unspeakable


def channel() -> socket.socket:
    """The socket to the worker, which is the only one."""
    for descriptor in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                return socket.socket(fileno=descriptor)
        except OSError:
            continue
    raise LookupError


def frame(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">II", len(header), len(body)) + header + body


def say(payload: Any, report: Report) -> Any:
    """Say to the worker what no job says, and go on."""
    header, body = payload
    channel().sendall(frame(header.encode(), body.encode()))
    time.sleep(600)


def say_huge(payload: Any, report: Report) -> Any:
    channel().sendall(struct.pack(">II", *payload) + b"{}")
    time.sleep(600)


def say_garbage(payload: Any, report: Report) -> Any:
    channel().sendall(os.urandom(100_000))
    time.sleep(600)
