from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator

import pytest

from jobpass import log

TOKEN = "jp_doc_AgIeAQE2dzRm-EHGgX_9O"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logging.raiseExceptions, sys.excepthook)
    yield io.StringIO()
    root.handlers[:], root.level, logging.raiseExceptions, sys.excepthook = before
    logging.captureWarnings(capture=False)
    logging.getLogger("jobpass.access").setLevel(logging.NOTSET)


def test_scrub_keeps_the_prefix_and_nothing_else() -> None:
    assert log.scrub(f"a {TOKEN} b jp_adk_x, jp_ jp_doc jp_do_x") == "a jp_doc_… b jp_adk_…, jp_ jp_doc jp_do_x"


def test_json_lines_have_what_was_given(stream: io.StringIO) -> None:
    log.configure("auto", "info", stream=stream)
    logging.getLogger("jobpass.server").info("a %s thing", "good", extra={"request_id": "r-1", "status": 200})
    line = json.loads(stream.getvalue())
    assert line["message"] == "a good thing"
    assert (line["request_id"], line["status"], line["level"], line["logger"]) == ("r-1", 200, "info", "jobpass.server")
    assert line["timestamp"].endswith("Z")


def test_json_lines_are_lines_whatever_is_given(stream: io.StringIO) -> None:
    log.configure("json", "info", stream=stream)
    logger = logging.getLogger("jobpass.server")
    circle: list[object] = []
    circle.append(circle)
    for value in ({1}, object, "\ud800", float("nan"), {1: "a"}, b"\xff", "a\nb\u2028", 10**30, circle):
        logger.info("a thing\n", extra={"value": value})
    try:
        raise ValueError("\udcff")
    except ValueError:
        logger.exception("failed", stack_info=True)
    lines = [json.loads(line) for line in stream.getvalue().split("\n")[:-1]]
    assert len(lines) == 10
    assert (lines[0]["value"], lines[1]["value"], lines[0]["message"]) == ([1], "<class 'object'>", "a thing\n")
    assert "ValueError" in lines[-1]["exception"]
    assert "test_log.py" in lines[-1]["stack"]


def test_text_lines_have_what_was_given(stream: io.StringIO) -> None:
    log.configure("text", "info", stream=stream)
    logging.getLogger("jobpass.server").warning("slow", extra={"request_id": "r-1"})
    assert "slow" in stream.getvalue()
    assert "request_id=r-1" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_token_passes_in_messages_values_or_tracebacks(stream: io.StringIO, form: str) -> None:
    log.configure(form, "debug", stream=stream)
    logger = logging.getLogger("jobpass.server")
    logger.info(f"message {TOKEN}")
    logger.info("argument %s", TOKEN)
    logger.info("value", extra={"token": TOKEN, "nested": {"a": [TOKEN]}})
    try:
        raise ValueError(TOKEN)
    except ValueError:
        logger.exception("failed")
    logger.info("bad call %s %s", TOKEN)  # noqa: PLE1206 - the point of it
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(TOKEN, stacklevel=1)
    assert "AgIe" not in stream.getvalue()
    assert stream.getvalue().count("jp_doc_…") >= 6


def test_level_and_access_lines_can_be_turned_down(stream: io.StringIO) -> None:
    log.configure("json", "warning", access=True, stream=stream)
    logging.getLogger("jobpass.server").info("not shown")
    log.configure("json", "info", access=False, stream=stream)
    logging.getLogger("jobpass.access").info("not shown")
    logging.getLogger("uvicorn.error").info("not shown")
    assert stream.getvalue() == ""
    logging.getLogger("uvicorn.error").warning("shown")
    assert json.loads(stream.getvalue())["message"] == "shown"


@pytest.mark.parametrize(
    "crash",
    [
        "raise ValueError(TOKEN)",
        "threading.Thread(target=lambda: int(TOKEN)).start()",
    ],
)
def test_a_crash_shows_no_token(crash: str) -> None:
    program = f"import threading, jobpass.log as log\nTOKEN = {TOKEN!r}\nlog.scrub_crashes()\n{crash}\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "ValueError" in done.stderr
    assert "jp_doc_…" in done.stderr
    assert "AgIe" not in done.stderr
