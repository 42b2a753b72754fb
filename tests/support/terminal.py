"""A command on a real terminal of a given width."""

from __future__ import annotations

import os
import pty
import struct
import sys
from collections.abc import Sequence
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ
from typing import Any


def on_terminal(shell: Any, width: int, *arguments: str) -> list[str]:
    """The lines that are shown."""
    return typed_on_terminal(shell, width, *arguments)[1]


def typed_on_terminal(
    shell: Any, width: int, *arguments: str, answers: Sequence[tuple[str, str]] = (), stdin: Path | None = None
) -> tuple[int, list[str]]:
    """The exit code, and the lines that are shown; each answer is typed once its question is there.

    With ``stdin`` that file is on the command's stdin, and only the rest of it on the terminal.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        ioctl(0, TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        environ = shell.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        environ.pop("COLUMNS", None)
        os.chdir(shell.home)
        if stdin is not None:
            os.dup2(os.open(stdin, os.O_RDONLY), 0)
        os.execve(os.path.realpath("/proc/self/exe"), ["python", "-m", "jobpass", *arguments], environ)
    shown = b""
    waiting = list(answers)
    while True:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # how a terminal tells its end
            break
        if waiting and waiting[0][0].encode() in shown:
            os.write(terminal, f"{waiting.pop(0)[1]}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert not waiting, (waiting, shown)
    return os.waitstatus_to_exitcode(status), shown.decode().splitlines()
