"""The benchmark beside the peers, without them: what wrk is told and says, the figures, and the page."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from benchmarks.peers.environment import ENVIRONMENTS, REQUIREMENTS, ROOT, pinned
from benchmarks.peers.errors import CannotMeasureError
from benchmarks.peers.figures import Figure, Offer, Round
from benchmarks.peers.load import NUMBER, Load, Request, forged, parse, send
from benchmarks.peers.report import BEGIN, END, Pair, block, targets, write

SAID = """Running 1s test @ http://127.0.0.1:8000
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    35.50ms   12.11ms  140.11ms   81.20%
  950 requests in 1.01s, 201.20KB read
RESULT 950 1010000 20 3 35500 104000
"""


def test_what_wrk_says_is_read() -> None:
    load = parse(SAID)
    assert load == Load(950, 1.01, 20, 3, 0.0355, 0.104)
    assert load.succeeded == 930


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("unable to connect to 127.0.0.1:1 Connection refused", "gave no result"),
        ("RESULT 950 1010000 20", "gave no result"),
        ("RESULT 950 1010000 20 3 35500 -nan", "gave no result"),
        ("RESULT 0 1010000 0 32 0 0", "not one request"),
    ],
)
def test_a_load_without_a_result_is_no_figure(said: str, reason: str) -> None:
    with pytest.raises(CannotMeasureError, match=reason) as caught:
        parse(said)
    assert caught.value.detail == said


def test_a_request_of_two_lines_is_refused() -> None:
    assert Request("GET", "/api/me", "Bearer x").line() == "GET\t/api/me\tBearer x\t\n"
    for wrong in ("a\nb", "a\tb"):
        with pytest.raises(ValueError, match="tabs"):
            Request("POST", "/", "Bearer x", wrong).line()


@pytest.mark.parametrize("header", ["Bearer jp_log_AAAAAAAA", "token 0123456789abcdef"])
def test_a_forged_token_differs_in_one_character(header: str) -> None:
    other = forged(header)
    assert len(other) == len(header)
    assert sum(one != two for one, two in zip(header, other, strict=True)) == 1


@contextmanager
def counting_server() -> Iterator[tuple[str, list[tuple[str, str, str, str]]]]:
    """A server that keeps what it is sent and refuses every request for ``/refused``."""
    seen: list[tuple[str, str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            seen.append((self.path, self.headers["Authorization"], self.headers["Content-Type"], body))
            self.send_response(403 if self.path == "/refused" else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.skipif(not (shutil.which("wrk") and shutil.which("taskset")), reason="wrk and taskset are not installed")
def test_wrk_sends_each_request_in_turn_and_a_number_once(tmp_path: Path) -> None:
    core = min(os.sched_getaffinity(0))
    body = json.dumps({"label": f"bench {NUMBER}"})
    requests = [Request("POST", "/taken", "token one", body), Request("POST", "/refused", "token two", body)]
    with counting_server() as (url, seen):
        loads = [send(url, requests, 2, 1, core, tmp_path) for _ in range(2)]
    for load in loads:
        assert load.requests > 10
        assert abs(load.refused - load.requests / 2) <= 2
        assert load.broken == 0
        assert 0 < load.p50 <= load.p99 < 1
        assert load.seconds == pytest.approx(1, abs=0.3)
    # What was under way when a round ended was received, and is not among the answers.
    answered = sum(load.requests for load in loads)
    assert answered <= len(seen) <= answered + 4
    assert {one[:3] for one in seen} == {
        ("/taken", "token one", "application/json"),
        ("/refused", "token two", "application/json"),
    }
    labels = [json.loads(one[3])["label"] for one in seen]
    assert len(set(labels)) == len(labels)
    assert all(len(label) == len("bench ") + len(NUMBER) for label in labels)


def figure(
    title: str, offer: Offer, *rates: int, stored: float | None = None, reason: str = "", others: float = 0.01
) -> Figure:
    """Rounds of one second with these rates, of which ``stored`` is the part that the database kept."""
    rounds = [
        Round(Load(rate, 1.0, 0, 0, 0.002, 0.008), None if stored is None else round(rate * stored), others)
        for rate in rates
    ]
    return Figure(title, offer, rounds, reason)


CHECK, EVENT, EVENT_ALONE = Offer("token check", "check"), Offer("durable event", "event"), Offer("", "event", 1)


def test_only_what_was_stored_counts() -> None:
    half = figure("Peer 1", EVENT, 100, 200, 300, stored=0.5)
    assert half.rate == 100
    assert half.ratio(figure("Peer 2", EVENT, 10, 10, 10)) == 10
    refused = Round(Load(100, 2.0, 40, 5, 0.1, 0.2), 100, 0.0)
    assert refused.rate == 30


def test_an_answer_for_what_is_not_stored_is_noticed() -> None:
    load = Load(100, 1.0, 10, 0, 0.1, 0.2)
    few = EVENT.connections

    def told(stored: int | None) -> str:
        return Figure("Jobpass", EVENT, [Round(load, stored, 0.0)]).miscounted()

    assert [told(stored) for stored in (None, 90, 100 + few)] == ["", "", ""]
    assert told(89) == "90 were answered with success, 89 are stored"
    assert told(101 + few) == f"90 were answered with success, {101 + few} are stored"


def test_a_ratio_is_the_median_of_those_within_each_round() -> None:
    ours, peer = figure("Jobpass", CHECK, 100, 400, 900), figure("Peer", CHECK, 10, 200, 30)
    assert ours.ratio(peer) == 10


def test_the_targets_have_their_verdicts() -> None:
    ours_check, ours_event = figure("Jobpass 1", CHECK, 900), figure("Jobpass 1", EVENT, 5000, stored=1)
    set_state, alone = Offer("set-state", "event"), Offer("set-state", "event", 1)
    pairs = [
        Pair(figure("JupyterHub 6", CHECK, 100), ours_check),
        Pair(figure("Prefect 3", alone, 101, stored=1), figure("Jobpass 1", EVENT_ALONE, 9)),
        Pair(figure("Prefect 3", set_state, 80, stored=1), ours_event),
        Pair(figure("Airflow 3", Offer("heartbeat", "event"), 100, stored=1), ours_event),
    ]
    rows = {row.name: row for row in targets(pairs)}
    check, mint = rows["token check to JupyterHub's"], rows["token mint to JupyterHub's"]
    assert (check.ratio, check.ok) == (9, True)
    assert (mint.ratio, mint.ok, mint.note) == (None, None, "not measured: it was not part of the run")
    prefect = rows["durable event to Prefect's set-state"]  # to its best, which it has with one connection
    assert (prefect.ratio, prefect.ok) == (pytest.approx(5000 / 101), False)
    assert prefect.note.endswith(": 1")
    assert rows["durable event to Airflow's heartbeat"].ok is True
    assert (rows["durable event: p99 to p50"].ratio, rows["durable event: p99 to p50"].ok) == (4, True)


def test_there_is_no_verdict_when_others_use_the_cores() -> None:
    peer, ours = figure("JupyterHub 6", CHECK, 100), figure("Jobpass 1", CHECK, 900, others=0.5)
    for pair in (Pair(peer, ours), Pair(figure("JupyterHub 6", CHECK, 100, others=0.5), ours)):
        row = next(row for row in targets([pair]) if row.name == "token check to JupyterHub's")
        assert (row.ratio, row.ok, row.note) == (9, None, "**no verdict**: others took 50% of a core")
        assert "| 9.0 | ≥ 8 | **no verdict**: others took 50% of a core |" in block("", [pair], [row])


def test_a_peer_that_failed_has_its_reason_in_both_tables() -> None:
    gone = figure("Airflow 3", Offer("heartbeat", "event"), reason="its server ended while starting")
    pairs = [Pair(gone, figure("Jobpass 1", EVENT, 5000, stored=1))]
    rows = targets(pairs)
    text = block("Measured on a day.", pairs, rows)
    airflow = next(row for row in rows if "Airflow" in row.name)
    assert (airflow.ok, airflow.note) == (None, "not measured: its server ended while starting")
    assert "| Airflow 3: heartbeat | 32 | not measured: its server ended while starting |" in text
    assert "| durable event to Airflow's heartbeat | – | ≥ 50 | not measured: its server ended while starting |" in text
    assert "| Jobpass 1: durable event | 32 | 5,000 | 5,000 | 5,000 | 0 | 2.0 ms | 8.0 ms |  |" in text


def test_a_figure_of_jobpass_stands_once_below_the_operations_that_it_is_compared_with() -> None:
    ours = figure("Jobpass 1", EVENT, 5000, stored=1)
    beat, run = (figure("Airflow 3", Offer(name, "event"), 100, stored=1) for name in ("heartbeat", "run"))
    pairs = [Pair(beat, ours), Pair(run, ours)]
    lines = block("", pairs, targets(pairs)).splitlines()
    figures = [line for line in lines if " ms |" in line]
    assert [line.split(" | ")[0] for line in figures] == [
        "| Airflow 3: heartbeat",
        "| Airflow 3: run",
        "| Jobpass 1: durable event",
    ]
    assert figures[0].endswith("| **50.0** |")


def test_the_page_keeps_its_words_and_gets_the_new_block(tmp_path: Path) -> None:
    page = tmp_path / "peers.md"
    page.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    write(page, f"{BEGIN}\nnew\n{END}")
    assert page.read_text() == f"before\n\n{BEGIN}\nnew\n{END}\n\nafter\n"


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_page_without_its_marks_stays_as_it_is(tmp_path: Path, text: str) -> None:
    page = tmp_path / "peers.md"
    page.write_text(text)
    with pytest.raises(ValueError, match="marks"):
        write(page, f"{BEGIN}{END}")
    assert page.read_text() == text


def test_the_page_of_this_project_has_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "peers.md"
    shutil.copy(ROOT / "docs" / "peers.md", page)
    write(page, f"{BEGIN}\nnew\n{END}")
    assert "\nnew\n" in page.read_text()


@pytest.mark.parametrize("path", sorted(REQUIREMENTS.glob("*.txt")), ids=lambda path: path.stem)
def test_every_requirement_is_pinned(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines
    for line in lines:
        name, _, version = line.partition("==")
        assert version == pinned(path.stem, name)
    with pytest.raises(ValueError, match="do not pin"):
        pinned(path.stem, "nothing")


def test_environments_are_not_committed() -> None:
    assert f"{ENVIRONMENTS.name}/" in (ROOT / ".gitignore").read_text().splitlines()
