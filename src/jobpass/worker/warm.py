"""The process that starts jobs: it has the runner's imports done, goes into isolation once, and forks a child a job.

It holds no key and no token, was started with an environment of its own, and can reach neither the worker's files nor
the network. It is the first process of a namespace, so that with it every job ends.

``python -m jobpass.worker.warm DESCRIPTOR`` talks on a socket with the worker (SOCK_SEQPACKET): the worker sends its
``Setup``, then for each job a number with the job's end of the socket to it. The answers are ``Ready`` or ``Refused``;
for each job ``Started``, with a descriptor of its process, and when nothing of it is left ``Exited``.
"""

from __future__ import annotations

import array
import gc
import os
import selectors
import signal
import socket
import sys
from typing import Final, NoReturn

import msgspec
from msgspec import Struct

from jobpass.errors import SetupError
from jobpass.worker.child import Inside, Place, run_job
from jobpass.worker.runners.choice import make_runner
from jobpass.worker.runners.runner import Runner
from jobpass.worker.sandbox import enter, kernel, root
from jobpass.worker.sandbox.isolation import Isolation, probe
from jobpass.worker.work import Description, Setup

MESSAGE_BYTES: Final = 128 * 1024
"""The longest message; the specs of a platform are by far the longest."""
_DESCRIPTOR: Final = array.array("i").itemsize


class Ready(Struct, frozen=True, tag="ready"):
    """Jobs can be started."""

    description: Description
    isolation: Isolation


class Refused(Struct, frozen=True, tag="refused"):
    """They cannot, with a sentence that says why."""

    message: str


class Started(Struct, frozen=True, tag="started"):
    """A job's process is there; a descriptor of it comes along."""

    number: int
    pid: int
    """As it is seen by the process that starts jobs."""


class Exited(Struct, frozen=True, tag="exited"):
    """A job's process has ended, and all that it made; ``code`` as of ``os.waitstatus_to_exitcode``."""

    number: int
    code: int


Answer = Ready | Refused | Started | Exited
answer: Final = msgspec.json.Decoder(Answer)
_encode: Final = msgspec.json.Encoder().encode


class Starter:
    """Starts jobs until the worker is gone. Single-threaded."""

    def __init__(self, control: socket.socket, runner: Runner, setup: Setup, inside: Inside | None) -> None:
        self._control = control
        self._runner = runner
        self._setup = setup
        self._inside = inside
        self._selector = selectors.DefaultSelector()
        self._own = os.open("/proc/self/ns/pid", os.O_RDONLY)
        self._networks: list[int] = []
        self._selector.register(control, selectors.EVENT_READ, None)

    def run(self) -> None:
        """Until the worker closes its end."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._reap(key.fd, *key.data)
                elif not self._start():
                    return

    def _start(self) -> bool:
        """Take the next job and fork; False if the worker is gone."""
        text, ancillary, _, _ = self._control.recvmsg(64, socket.CMSG_LEN(_DESCRIPTOR))
        if not text:
            return False
        number = int(text)
        channel = socket.socket(fileno=array.array("i", ancillary[0][2])[0])
        place = None
        if self._inside is not None:
            place = Place(self._inside, self._networks.pop() if self._networks else enter.new_network())
            kernel.unshare(kernel.NEW_PID)
        try:
            pid = os.fork()
        except OSError:  # no process or memory left: the worker sees its end closed
            pid = -1
        if not pid:
            limits = self._setup.limits
            run_job(channel, self._runner, limits, place, self._processes())
        if place is not None:
            kernel.enter_namespace(self._own, kernel.NEW_PID)
        channel.close()
        if pid < 0:
            self._say(Exited(number, -signal.SIGKILL))
            return True
        descriptor = os.pidfd_open(pid)
        self._selector.register(descriptor, selectors.EVENT_READ, (number, pid, place))
        self._say(Started(number, pid), descriptor)
        return True

    def _processes(self) -> int:
        """In a namespace of users a job's are counted by themselves, else beside all that the user has."""
        if self._inside is not None:
            return self._setup.limits.processes
        return self._setup.limits.processes + _tasks_of(os.geteuid())

    def _reap(self, descriptor: int, number: int, pid: int, place: Place | None) -> None:
        if place is None:
            _kill_group(pid)
        _, status = os.waitpid(pid, 0)
        if place is None:
            _reap_group(pid)
        self._selector.unregister(descriptor)
        os.close(descriptor)
        if place is not None:
            self._networks.append(place.network)  # nobody could leave anything in it
        self._say(Exited(number, os.waitstatus_to_exitcode(status)))

    def _say(self, message: Answer, descriptor: int | None = None) -> None:
        say(self._control, message, descriptor)


def say(control: socket.socket, message: Answer, descriptor: int | None = None) -> None:
    """Send an answer to the worker."""
    along = [] if descriptor is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
    control.sendmsg([_encode(message)], along)


def _kill_group(pid: int) -> None:
    """What the first process of a group left; its number is not given to another before it is waited for."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _reap_group(pid: int) -> None:
    """Wait for what was killed: orphans are this process's children."""
    while True:
        try:
            os.waitpid(-pid, 0)
        except ChildProcessError:
            return


def _tasks_of(user: int) -> int:
    """How many processes and threads a user has, about."""
    count = 0
    for name in os.listdir("/proc"):  # noqa: PTH208
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == user:  # noqa: PTH116
                count += len(os.listdir(f"/proc/{name}/task"))  # noqa: PTH208
        except OSError:
            continue
    return count


def _enter(setup: Setup, control: socket.socket) -> tuple[Isolation, Inside | None]:
    """As far into isolation as this machine lets one. Raises ``SetupError`` if that is not far enough."""
    isolation = probe()
    if setup.require_isolation and not isolation.complete:
        raise SetupError(f"Isolation is required, and not complete on this machine: {isolation.missing}.")
    if not isolation.namespaces:
        needed = root.python_paths(setup.paths)
        if not enter.leave_root():
            raise SetupError(f"Jobs never run as root, and there is no isolation here: {isolation.missing}.")
        for path in needed:
            if not os.access(path, os.R_OK | os.X_OK):
                raise SetupError(f"Jobs run as nobody here, who cannot read {path}: start the worker as another user.")
        kernel.die_with_parent(signal.SIGKILL)
        kernel.set_dumpable(on=False)
        kernel.adopt_orphans()
        return isolation, None
    wanted = root.python_paths([*setup.paths, *setup.visible, *_executable(setup)])
    visible = root.visible_paths([*root.SYSTEM, *root.SETTINGS, *wanted])
    ids = enter.enter_outer(visible, root.covers(visible, setup.hidden), lambda: _watch(control))
    return isolation, Inside(ids, root.paths_in_tmp(visible))


def _executable(setup: Setup) -> list[str]:
    first = setup.arguments[0] if setup.runner == "command" and setup.arguments else ""
    return [first] if first.startswith("/") else []


def _watch(control: socket.socket) -> NoReturn:
    """Outside, wait for the process inside, and end with it; its parent's end is its own."""
    control.close()
    kernel.die_with_parent(signal.SIGKILL)
    _, status = os.wait()
    os._exit(0 if os.waitstatus_to_exitcode(status) == 0 else 1)


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208


def _begin(control: socket.socket) -> Starter:
    setup = msgspec.json.decode(control.recv(MESSAGE_BYTES), type=Setup)
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:  # noqa: PTH123
        score.write("1000")  # of all processes, the kernel is to end jobs first
    isolation, inside = _enter(setup, control)
    enter.confine_starter()
    sys.path[:0] = setup.paths
    runner = make_runner(setup)
    description = runner.describe()
    if _threads() > 1:
        raise SetupError(f"What {setup.runner} imports makes threads; a process with threads cannot be forked safely.")
    say(control, Ready(description, isolation))
    return Starter(control, runner, setup, inside)


def main(descriptor: int) -> int:
    """Until the worker is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it is for the worker to say when jobs end
    kernel.die_with_parent(signal.SIGKILL)
    control = socket.socket(fileno=descriptor)
    try:
        starter = _begin(control)
    except SetupError as error:
        say(control, Refused(error.message))
        return 1
    except Exception as error:  # what an import raises
        say(control, Refused(f"The runner cannot be loaded: {type(error).__name__}: {error}"))
        return 1
    gc.collect()
    gc.freeze()  # what is here now stays, so that no collection in a child copies it
    starter.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
