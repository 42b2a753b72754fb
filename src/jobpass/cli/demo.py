"""``jobpass demo``: the main job from one end to the other, on real files, each claim checked."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jobpass.cli import demo_crash, demo_power, exits, output
from jobpass.cli.demo_telling import Telling
from jobpass.errors import Denied, Error, IllegalTransition, InvalidInput, InvalidToken, UnknownJob

if TYPE_CHECKING:
    from jobpass.cli.demo_server import DemoServer
    from jobpass.client.results import Event, Job
    from jobpass.client.sync import Client

JOB_SECONDS: Final = 30.0
"""How long the job process may read; it says in its results if that was not enough."""
WORKER_EVENTS: Final = ("run", "update", "finish", "fail")


def demo(
    *,
    input_: Annotated[
        Path | None, typer.Option("--input", help="Index the files below this folder; else Python's own sources.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the data folder and the results.")] = False,
    as_json: output.Json = False,
) -> int:
    """Show the main job: a real pipeline, what is refused and why, a crash, and the record that holds."""
    folder = (input_ or Path(sysconfig.get_paths()["stdlib"])).resolve()
    if not folder.is_dir():
        raise InvalidInput(f"--input: {folder} is not a folder.")
    place = Path(tempfile.mkdtemp(prefix="jobpass-demo-"))
    told = Telling(quiet=as_json)
    try:
        _Demo(place, folder, "*" if input_ else "*.py", told).play()
    finally:
        if not keep:
            shutil.rmtree(place, ignore_errors=True)
    if as_json:
        output.json_line({"held": told.held, "seconds": told.seconds, "checks": told.checks})
    elif told.held:
        output.line(f"\nEverything held, in {told.seconds} s.")
        _try_next(place if keep else None)
    else:
        output.line(f"\nNOT everything held, in {told.seconds} s: see FAILED above.")
    return exits.OK if told.held else exits.NO


class _Demo:
    """The parts in their order, and what they share."""

    def __init__(self, place: Path, folder: Path, pattern: str, told: Telling) -> None:
        self._place = place
        self._folder = folder
        self._pattern = pattern
        self._told = told
        self._result = place / "index.jsonl"
        self._server: DemoServer
        self._client: Client
        self._pipeline = ""

    def play(self) -> None:
        """All parts; the server's end is certain."""
        from jobpass.cli.demo_server import DemoServer
        from jobpass.settings import environment, plain_environment

        self._environ = plain_environment(environment())
        self._server = DemoServer(self._place / "data", self._place / "server.log", self._environ)
        with ExitStack() as stack:
            stack.callback(self._server.kill)
            self._client = self._begin(stack)
            job = self._run_job()
            self._refusals(job)
            demo_power.play(self._told, self._client, job)
            self._crash()
            self._told.check("the server ends when asked to", self._server.stop() == 0)

    def _begin(self, stack: ExitStack) -> Client:
        from jobpass import compose
        from jobpass.client.sync import Client

        password = compose.make_password()
        asyncio.run(compose.init_data(self._server.data, compose.DEFAULT_EMAIL, password, environ={}))
        self._server.start()
        self._told.title("A server, with a fresh data folder")
        self._told.say(f"   {self._server.url} (process {self._server.pid}), {self._server.data}")
        client = stack.enter_context(Client(self._server.url))
        client.login(compose.DEFAULT_EMAIL, password)
        members = json.loads(Path(__file__).with_name("demo_pipeline.json").read_text())
        self._pipeline = client.create_pipeline(members)["uuid"]
        return client

    def _new_job(self, name: str) -> Job:
        return self._client.create_job(self._pipeline, {"input": str(self._folder), "name": name})

    def _run_job(self) -> Job:
        """A separate process indexes the files, with a token for its job alone, while its history is shown."""
        self._told.title(f"A job: index {self._pattern} below {self._folder}")
        job = self._new_job("index")
        token = self._client.attenuate(expires_in_seconds=600, jobs=[job.uuid], events=WORKER_EVENTS, token=job.token)
        process = self._start_worker(job, token)
        self._told.say(f"   process {process.pid} holds one token for job {job.uuid}: {', '.join(WORKER_EVENTS)}")
        watchdog = threading.Thread(target=self._mind, args=(process, job), daemon=True)
        watchdog.start()
        with _live(self._told) as show:
            for event in self._client.watch(job.uuid, interval_seconds=0.5):
                show(event)
        watchdog.join()
        self._check_result(job, event)
        return job

    def _start_worker(self, job: Job, token: str) -> subprocess.Popen[bytes]:
        from jobpass.settings import job_environment

        arguments = [str(self._folder), str(self._result), "--pattern", self._pattern, "--whole-life"]
        with (self._place / "job.log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - this very package
                [sys.executable, "-m", "jobpass.cli.demo_job", *arguments, "--seconds", str(JOB_SECONDS)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=job_environment(self._environ, self._server.url, job.uuid, token),
            )

    def _mind(self, process: subprocess.Popen[bytes], job: Job) -> None:
        """If the job process does not finish its job, fail it: nobody is to wait for it for ever."""
        from jobpass.log import scrub

        try:
            code = process.wait(JOB_SECONDS + 10)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if code:
            said = scrub((self._place / "job.log").read_text("utf-8", "replace"))[-2000:]
            self._client.send(job.uuid, "fail", {"exit_code": code, "stderr": said})

    def _check_result(self, job: Job, last: Event) -> None:
        reported = last.data if isinstance(last.data, dict) else {}
        self._told.check("the job finished", last.state == "FINISHED", output.compact(reported, 300))
        content = self._result.read_bytes() if self._result.exists() else b""
        digest = hashlib.sha256(content).hexdigest()
        self._told.check("the result has the digest that is on record", reported.get("sha256") == digest, digest)
        entries = [json.loads(line) for line in content.splitlines()]
        size = sum(entry.get("bytes", 0) for entry in entries)
        self._told.check("its figures are those on record", entries and reported.get("bytes") == size, f"{size} bytes")
        sample = [entry for entry in entries if "error" not in entry][:: max(1, len(entries) // 20)]
        same = all(_sha256(self._folder / entry["path"]) == entry["sha256"] for entry in sample)
        self._told.check(f"{len(sample)} of the files, read again, have the digests in it", same and sample)
        self._told.check("the history verifies", self._client.verify(job.uuid).intact)

    def _refusals(self, job: Job) -> None:
        """What must not be possible, tried."""
        self._told.title("What is refused, and why")
        other = self._new_job("another job")
        before = self._client.history(job.uuid, limit=1000).events
        own, others = str(job.token), str(other.token)
        self._refuse("a forged token", _forge(own), job, "update", InvalidToken)
        self._refuse("another job's token", others, job, "update", UnknownJob)
        self._refuse("an illegal transition: run, once finished", own, job, "run", IllegalTransition)
        self._refuse("reset with the document token", own, job, "reset", Denied)
        self._told.check(
            "the history is as it was",
            self._client.history(job.uuid, limit=1000).events == before,
            f"{len(before)} events",
        )

    def _refuse(self, what: str, token: str, job: Job, event: str, expected: type[Error]) -> None:
        from jobpass.client.sync import Client

        try:
            with Client(self._server.url, token) as client:
                client.send(job.uuid, event)
        except Error as refusal:
            # A caller learns no more than that a token is not valid; the log knows why.
            logged = self._server.logged(str(refusal.detail.get("request_id")))
            told = f"{logged.get('status')} {logged.get('reason')}. {output.sentence(refusal)}"
            self._told.check(what, isinstance(refusal, expected), told)
        else:
            self._told.check(what, held=False, detail="it was accepted")

    def _crash(self) -> None:
        """SIGKILL in the middle of a stream of events; then the record is compared with what was acknowledged."""
        self._told.title("A crash: the server is killed while events stream in")
        jobs = [self._new_job(f"stream {n}") for n in (1, 2)]
        stream = demo_crash.Stream(self._server.url, jobs)
        stream.run_into(self._server)
        count = len(stream.acknowledged)
        self._told.say(f"   {count} events were acknowledged, {len(stream.unanswered)} were not, when SIGKILL came")
        self._server.start()
        self._told.say(f"   started again on {self._server.url} (process {self._server.pid})")
        self._told.check("the server died in the middle of the stream", count and stream.unanswered)
        stream.send_again()
        problems = stream.compare()
        self._told.check("every acknowledged event is there, exactly once", not problems, "; ".join(problems[:3]))
        verified = subprocess.run(  # noqa: S603 - this very program
            [sys.executable, "-m", "jobpass", "verify", "--data", str(self._server.data), "--json"],
            capture_output=True,
            env=self._environ,
            text=True,
            timeout=60,
            check=False,
        )
        said = (verified.stdout or verified.stderr).strip()
        self._told.check("jobpass verify: all histories hold", verified.returncode == 0, said[-300:])


@contextmanager
def _live(told: Telling) -> Iterator[Callable[[Event], None]]:
    """Shows events as they come: on a terminal progress is a bar, elsewhere each is a line."""
    from jobpass.cli.job_history import event_line

    if told.quiet or not sys.stdout.isatty():
        yield lambda event: told.say(f"   {event_line(event)}")
        return
    from rich.progress import Progress

    with Progress(console=output.console(), transient=True) as progress:
        bar = progress.add_task("   reading", total=1.0)

        def show(event: Event) -> None:
            fraction = event.data.get("progress") if isinstance(event.data, dict) else None
            if fraction is None:
                progress.console.print(f"   {event_line(event)}")
            else:
                progress.update(bar, completed=fraction)

        yield show


def _forge(token: str) -> str:
    """The token with one character of its MAC changed."""
    at = len(token) - 10
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _try_next(kept: Path | None) -> None:
    data = f"{kept}/data" if kept else "./data"
    lines = (
        "\nTry next:",
        f"  jobpass serve --data {data}          # a server; a fresh folder gets an operator, whose password is shown",
        "  jobpass login                        # then, in another terminal",
        "  jobpass run -- python3 yours.py      # any program as a job; in it: jobpass.current_job().progress(0.4)",
        "  jobpass job list                     # what happened; then job history UUID",
        f"  jobpass verify --data {data}         # whether the record holds",
    )
    for text in lines:
        output.line(text)
