"""What a job gives is checked: whatever the client would do more than read does not get through."""

from __future__ import annotations

import base64
import json
import time
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobpass.worker import frames
from jobpass.worker.outcome import judged, last_word
from jobpass.worker.results import MAX_CONTAINERS, check_json, check_perceval
from jobpass.worker.work import Canceled, Completed, Failed


def packed(text: str) -> str:
    return ":PCVL:zip:" + base64.b64encode(zlib.compress(text.encode())).decode()


GOOD: list[Any] = [
    {"results": ":PCVL:BSDistribution:{|2,0>=0.5;|0,2>=0.5}", "global_perf": 1.0},
    {"results": packed(":PCVL:BSCount:{|2,0>=51;|0,2>=49}")},
    {"results_list": [{"results": packed(":PCVL:BSSamples:|2,0>/0"), "iteration": {"noise": ":PCVL:NoiseModel:{}"}}]},
    {},
]
BAD: list[Any] = [
    [],
    "text",
    None,
    {"results": None, "job_context": None},
    {"results": None, "job\u005fcontext": {"result_mapping": ["os", "system"]}},
    {"results": "pcvlar 0 1 0 QuandelaCommunicationLayer 0 0"},
    {"results": "pcvlar:zip:eJw="},
    {"results": [[{"deep": "pcvlar 0 1 0 RemoteComputer"}]]},
    {"pcvlar 0 1 0 RemoteComputer": 1},
    {"header": "pcvlar", "archive_version": 0, "roots": [0], "data": []},
    {"results": ":PCVL:Experiment:CgA="},
    {"results": ":PCVL:Circuit:CgA="},
    {"results": packed(":PCVL:Experiment:CgA=")},
    {"results": ":PCVL:zip:***"},
    {"results": ":PCVL:zip:" + base64.b64encode(b"no zlib").decode()},
    {":PCVL:Experiment:CgA=": 1},
    {"results": packed("xxxxxx") + "="},
]


@pytest.mark.parametrize("result", GOOD)
def test_what_a_simulator_says_is_let_through(result: Any) -> None:
    text = json.dumps(result)
    assert check_perceval(text.encode()) == text


@pytest.mark.parametrize("result", BAD)
def test_whatever_does_more_is_refused(result: Any) -> None:
    with pytest.raises(ValueError, match="it "):
        check_perceval(json.dumps(result).encode())


def test_a_job_context_is_found_however_it_is_written() -> None:
    for text in (rb'{"job\u005fcontext": 1}', b'{"a": 1, "job_context": 1, "a": 2}'):
        with pytest.raises(ValueError, match="job_context"):
            check_perceval(text)


def test_the_class_of_a_compressed_text_is_the_one_that_the_client_would_read() -> None:
    # The client cuts as many characters as the prefix has, whatever they are.
    with pytest.raises(ValueError, match="another class"):
        check_perceval(json.dumps({"results": packed("123456Experiment:CgA=")}).encode())


@pytest.mark.parametrize("text", [b"", b"{", b"1 2", b"\xff", b"NaN", b'{"a": Infinity}', b"[" * 100_000, b"'a'"])
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="it is not"):
        check_json(text)
    with pytest.raises(ValueError, match="it is not"):
        check_perceval(text)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = base64.b64encode(zlib.compress(b":PCVL:BSCount:" + b" " * 200_000_000, 9)).decode()
    text = json.dumps({"results": f":PCVL:zip:{bomb}"}).encode()
    tracemalloc.start()
    check_perceval(text)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists, max_leaves=20))
def test_any_json_is_let_through_as_it_is(value: Any) -> None:
    text = json.dumps(value)
    assert check_json(text.encode()) == text


HEADERS = st.sampled_from([frames.Done(3), frames.Told(0.5, "m", True), frames.Broke("runner", "m"), frames.Stopped()])


@given(st.lists(st.tuples(HEADERS, st.binary(max_size=300)), max_size=5), st.integers(1, 50))
def test_frames_come_out_as_they_went_in_however_they_are_cut(sent: list[Any], size: int) -> None:
    stream = b"".join(frames.pack(header, body) for header, body in sent)
    buffer, got = frames.Buffer(300), []
    for start in range(0, len(stream), size):
        buffer.add(stream[start : start + size])
        while (found := buffer.next()) is not None:
            got.append((frames.from_job.decode(found[0]), found[1]))
    assert got == sent


def test_a_frame_that_is_too_large_is_refused_before_it_is_there() -> None:
    buffer = frames.Buffer(100)
    buffer.add(frames.LENGTHS.pack(10, 101))
    with pytest.raises(frames.BadFrame):
        buffer.next()


LATE = Failed("time_limit", "m")
HAD = Completed("1", "run")


@pytest.mark.parametrize(
    ("said", "ending", "code", "partial", "outcome"),
    [
        (HAD, None, 0, None, HAD),
        (HAD, None, -9, "2", HAD),
        (HAD, LATE, 0, None, LATE),
        (HAD, Canceled(), 0, "2", Canceled("1")),
        (None, Canceled(), -9, "2", Canceled("2")),
        (Canceled("1"), Canceled(), 0, "2", Canceled("1")),
        (Canceled(), Canceled(), 0, "2", Canceled("2")),
        (Failed("runner", "m"), Canceled(), 0, None, Canceled()),
        (Failed("runner", "m"), None, 0, None, Failed("runner", "m")),
    ],
)
def test_what_decides_how_a_job_ended(said: Any, ending: Any, code: int, partial: Any, outcome: Any) -> None:
    assert judged(said, ending, code, partial) == outcome


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (None, "interrupted"),
        (-9, "killed"),
        (-11, "killed"),
        (-24, "time_limit"),
        (-25, "runner"),
        (-99, "killed"),
        (1, "runner"),
    ],
)
def test_a_process_that_says_nothing(code: int | None, failure: str) -> None:
    ended = judged(None, None, code, None)
    assert isinstance(ended, Failed)
    assert ended.failure_code == failure


def test_a_refused_result_is_a_failure_and_a_refused_partial_one_is_left_out() -> None:
    body = b'{"job_context": 1}'
    ended = last_word(frames.Done(), body, "probs", perceval=True)
    assert isinstance(ended, Failed)
    assert ended.failure_code == "result"
    assert last_word(frames.Stopped(partial=True), body, "probs", perceval=True) == Canceled()
    assert last_word(frames.Done(5), body, "probs", perceval=False) == Completed(body.decode(), "probs", 5)


def test_a_result_of_arrays_alone_is_refused_before_it_is_read() -> None:
    """In 64 MiB there is room for more of them than a worker has memory and time for."""
    body = b'{"results":[' + b"[]," * MAX_CONTAINERS + b"0]}"
    started = time.monotonic()
    with pytest.raises(ValueError, match="more than 2000000 arrays"):
        check_perceval(body)
    assert time.monotonic() - started < 0.5
    assert check_json(body) == body.decode()
