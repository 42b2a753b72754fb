"""One of several server processes: ``python -m jobpass.compose.node FOLDER DESCRIPTOR``.

The descriptor is its socket at the port that all share. Its settings come in a line on stdin, since they may hold what
arguments must not; that stdin ends means that the process which started this one is gone, and ends it as SIGTERM does.
On stdout is one line, ``Listening`` or ``Refused``; from then on an empty one each second, as long as its loop runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Final

import msgspec

from jobpass import log
from jobpass.compose.nodes import BEAT_SECONDS, STOP_SECONDS, Answer, Listening, Refused
from jobpass.compose.serving import serve_alone
from jobpass.errors import Error
from jobpass.settings import Settings

FAILED: Final = 1
"""The exit code after ``Refused``."""


def main(folder: Path, descriptor: int) -> int:
    """Serve until the end; the exit code."""
    line = sys.stdin.buffer.readline()
    if not line:  # who started it is gone already
        return FAILED
    settings = msgspec.json.decode(line, type=Settings)
    log.configure(settings.log_format, settings.log_level, access=settings.access_log)
    listener = socket.socket(fileno=descriptor)

    def ready(_host: str, _port: int) -> None:
        threading.Thread(target=_follow, name="jobpass-parent", daemon=True).start()
        _say(Listening())
        os.set_blocking(sys.stdout.fileno(), False)  # whoever should read may stand still; this process must not
        _beat(asyncio.get_running_loop())

    try:
        serve_alone(folder, settings, ready, listener)
    except Error as error:
        _say(Refused(error.code, error.message))
        return FAILED
    return 0


def _follow() -> None:
    """End this process in order when the one that started it is gone, or else by force, as that one would."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _beat(loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.suppress(BlockingIOError, BrokenPipeError):  # nobody reads: stdin tells if nobody is there
        os.write(sys.stdout.fileno(), b"\n")
    loop.call_later(BEAT_SECONDS, _beat, loop)


def _say(answer: Answer) -> None:
    try:
        os.write(sys.stdout.fileno(), msgspec.json.encode(answer) + b"\n")
    except BrokenPipeError:  # nobody is there any more: stdin says so, too
        return


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
