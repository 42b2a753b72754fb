"""A command on a real terminal of a given width."""

from __future__ import annotations

import os
import pty
import struct
import sys
from fcntl import ioctl
from termios import TIOCSWINSZ
from typing import Any


def on_terminal(shell: Any, width: int, *arguments: str) -> list[str]:
    """The lines that are shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        ioctl(0, TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        environ = shell.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        environ.pop("COLUMNS", None)
        os.execve(os.path.realpath("/proc/self/exe"), ["python", "-m", "jobpass", *arguments], environ)
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # how a terminal tells its end
            break
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown.decode().splitlines()
