"""Logs of the server process: lines on stderr, without secrets.

Every line is scrubbed after it is rendered, so that no value, message or traceback can carry a token past it.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TextIO

import msgspec

if TYPE_CHECKING:
    from structlog.typing import Processor

_TOKEN: Final = re.compile(r"jp_([a-z]{3})_[A-Za-z0-9_-]+")
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What a record has without being told."""
_encode: Final = msgspec.json.Encoder(enc_hook=repr).encode
_QUIETER: Final = ("uvicorn.error", "uvicorn.asgi", "asyncio", "httpx2", "httpcore2")
"""Loggers of libraries: what they call information is not news here."""


def scrub(text: str) -> str:
    """The text with every token and key in it replaced by its prefix and an ellipsis."""
    return _TOKEN.sub(r"jp_\1_…", text) if "jp_" in text else text


class ScrubbingFormatter(logging.Formatter):
    """Formats as another formatter does, then scrubs the whole line."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """The line, scrubbed."""
        return scrub(self._inner.format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line. By hand, since each request has a line: a chain of processors cost it 50 µs."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; a value that JSON has not is shown as its ``repr``."""
        line: dict[str, Any] = {"level": record.levelname.lower(), "logger": record.name}
        line.update(item for item in record.__dict__.items() if item[0] not in _STANDARD)
        line["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        if record.stack_info:
            line["stack"] = record.stack_info
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        line["message"] = record.getMessage()
        try:
            return _encode(line).decode()
        except (TypeError, ValueError, RecursionError):  # such as half a surrogate pair
            return json.dumps({name: str(value) for name, value in line.items()})


def configure(
    log_format: str = "auto", level: str = "info", *, access: bool = True, stream: TextIO | None = None
) -> None:
    """Send everything that this process logs to ``stream`` (stderr), and scrub what it prints when it crashes.

    ``log_format`` is ``text`` (key=value), ``json`` or ``auto``: text on a terminal, JSON elsewhere. ``access`` says
    whether each request has a line.
    """
    out = stream or sys.stderr
    as_text = log_format == "text" or (log_format == "auto" and out.isatty())
    handler = logging.StreamHandler(out)
    handler.setFormatter(ScrubbingFormatter(_text_formatter(colors=out.isatty()) if as_text else JsonFormatter()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    for name in _QUIETER:
        logging.getLogger(name).setLevel(max(_LEVELS[level], logging.WARNING))
    logging.getLogger("jobpass.access").setLevel(logging.NOTSET if access else logging.WARNING)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # a bad log call must not print its raw arguments
    scrub_crashes()


def _text_formatter(*, colors: bool) -> logging.Formatter:
    import structlog

    before: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    plain = structlog.dev.plain_traceback
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain, pad_event_to=0),
    ]
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=before, processors=last)


def scrub_crashes() -> None:
    """Scrub the traceback that Python prints when the process, or a thread of it, ends by an exception."""

    def on_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            sys.stderr.write(scrub("".join(traceback.format_exception(kind, error, trace))))

    def on_thread_crash(args: Any) -> None:
        on_crash(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = on_crash
    threading.excepthook = on_thread_crash
