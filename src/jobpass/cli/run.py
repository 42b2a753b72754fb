"""``jobpass run``: any program as a job."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jobpass.cli import connect, exits, inputs, output, private, saved
from jobpass.errors import Error, InvalidInput

if TYPE_CHECKING:
    from jobpass.cli.supervise import Ended
    from jobpass.client.results import Job
    from jobpass.client.sync import Client

PIPELINE: Final = {"id": "run", "name": "Commands of jobpass run", "components": [], "processing_levels": []}
"""The pipeline of jobs for which none is named."""
EVENTS: Final = ("update", "resource")
"""What the command may send; the job's beginning and end are recorded from outside of it."""


def run(
    command: Annotated[list[str], typer.Argument(help="The command with its arguments.")],
    *,
    pipeline: Annotated[str | None, typer.Option("--pipeline", help="The pipeline's uuid; else one named run.")] = None,
    data: Annotated[str, typer.Option("--data", help="JSON object for the job, or @FILE.")] = "{}",
    token_seconds: Annotated[
        int, typer.Option("--token-seconds", min=1, max=10 * 365 * 86400, help="How long the command's token lives.")
    ] = 86400,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> int:
    """Run a command as a job of its own: it can report on that job and nothing else, and its end is recorded.

    Leaves with the command's exit code (128 + n if signal n ended it), or 125 if Jobpass itself failed.
    """
    from jobpass.cli.supervise import Supervisor
    from jobpass.settings import environment, job_environment

    try:
        members = _members(data, command)
        with _server(url, token_file) as client:
            job = client.create_job(pipeline or client.create_pipeline(PIPELINE)["uuid"], members)
            token = client.attenuate(expires_in_seconds=token_seconds, jobs=[job.uuid], events=EVENTS, token=job.token)
            environ = job_environment(environment(), client.url, job.uuid, token)
            if not quiet:
                _say({"uuid": job.uuid, "state": job.state}, f"job {job.uuid}", as_json=as_json)
            with Supervisor() as supervisor, _as_job(client, job) as holder:
                holder.send(job.uuid, "run")
                ended = supervisor.run(command, environ)
                state = _record(holder, job.uuid, ended, as_json=as_json)
    except Error as failure:
        output.error(failure, as_json=as_json)
        return exits.RUN_FAILED
    if ended.exit_code in (exits.NO_COMMAND, exits.NOT_STARTED) and ended.duration_seconds == 0:
        output.note(f"jobpass: {ended.stderr}")
    if state is not None and not quiet:
        said = {"uuid": job.uuid, "state": state, "exit_code": ended.exit_code}
        _say(said, f"{state} after {ended.duration_seconds:.1f} s, exit code {ended.exit_code}", as_json=as_json)
    return ended.exit_code or (exits.OK if state is not None else exits.RUN_FAILED)


run.context_settings = {"allow_interspersed_args": False}  # type: ignore[attr-defined]


def _members(text: str, command: list[str]) -> dict[str, Any]:
    """The job's data: the person's, a random session so that every run is another job, and the command."""
    from jobpass.log import scrub

    members = inputs.read_object(text, "--data")
    taken = sorted({"session", "command"} & members.keys())
    if taken:
        raise InvalidInput(f"--data: {' and '.join(taken)} would be overwritten.")
    shown = [scrub(word).encode("utf-8", "replace").decode() for word in command]
    return members | {"session": secrets.token_hex(8), "command": shown}


@contextmanager
def _server(url: str | None, token_file: Path | None) -> Iterator[Client]:
    """A client of the configured server, else of a private one which ends with this command."""
    from jobpass import compose
    from jobpass.cli import supervise
    from jobpass.client.sync import Client

    target, token = connect.resolve(url, token_file)
    if target is not None:
        allowed = saved.plain_http_allowed(target)
        with connect.naming(target, token), Client(target, token, allow_plain_http=allowed) as client:
            yield client
        return
    private.ensure()
    with ExitStack() as stack:
        with supervise.signals_blocked():
            own = stack.enter_context(compose.serving(private.folder(), environ={}))
        yield stack.enter_context(private.logged_in(lambda token: Client(own, token)))


@contextmanager
def _as_job(client: Client, job: Job) -> Iterator[Client]:
    """A client with the job's own token: a long command may outlive the log-in."""
    from jobpass.client.sync import Client

    with Client(client.url, job.token, allow_plain_http=True) as holder:
        yield holder


def _record(holder: Client, uuid: str, ended: Ended, *, as_json: bool) -> str | None:
    """Send how the command ended; the job's state, None if it could not be recorded."""
    data: dict[str, Any] = {"exit_code": ended.exit_code, "duration_seconds": ended.duration_seconds}
    if ended.signal is not None:
        data["signal"] = ended.signal
    if ended.exit_code:
        data["stderr"] = ended.stderr.encode("utf-8", "replace").decode()  # a name need not be UTF-8
    try:
        return holder.send(uuid, "fail" if ended.exit_code else "finish", data).state
    except Error as failure:
        output.error(failure, as_json=as_json)
        output.note(f"jobpass: the end of job {uuid} is not on record (exit code {ended.exit_code}).")
        return None


def _say(value: dict[str, Any], text: str, *, as_json: bool) -> None:
    import json

    sys.stdout.flush()
    output.note(json.dumps(value) if as_json else f"jobpass: {text}")
