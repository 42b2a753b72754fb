"""``jobpass job``."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jobpass.cli import connect, exits, inputs, output

if TYPE_CHECKING:
    from jobpass.client.results import Event, Job

app = typer.Typer(
    help="Make jobs, send events, see histories.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)

Uuid = Annotated[str, typer.Argument(help="The job's uuid.")]
DataOption = typer.Option("--data", help="JSON, or @FILE (@- is stdin).")

BAD_ENDS: Final = frozenset({"FAILED", "REJECTED", "error", "canceled"})
"""Resting states after which ``watch`` answers with exit code 1."""


@app.command()
def create(
    *,
    pipeline: Annotated[str, typer.Option("--pipeline", help="The pipeline's uuid.")],
    data: Annotated[str, DataOption] = "{}",
    child_of: Annotated[list[str] | None, typer.Option("--child-of", help="A parent; may be given again.")] = None,
    lifecycle: Annotated[str, typer.Option("--lifecycle", help="The job's lifecycle.")] = "pipeline",
    archive_path: Annotated[str | None, typer.Option("--archive-path", help="Where outputs go.")] = None,
    session: Annotated[str | None, typer.Option("--session", help="A name for what belongs together.")] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Make a job, or find your own of the same parameters; prints its uuid, state and document token."""
    members = inputs.read_object(data, "--data")
    with connect.connect(url, token_file) as client:
        job = client.create_job(
            pipeline,
            members,
            child_of=child_of or [],
            lifecycle=lifecycle,
            archive_path=archive_path,
            session=session,
        )
    if as_json:
        output.json_line(job)
    else:
        output.fields([("uuid", job.uuid), ("state", job.state), ("token", job.token)])


@app.command()
def show(
    uuid: Uuid, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Show a job as it stands."""
    with connect.connect(url, token_file) as client:
        job = client.job(uuid)
    if as_json:
        output.json_line(_without_token(job))
    else:
        names = ("uuid", "state", "last_event", "sequence", "lifecycle", "pipeline_uuid", "child_of", "archive_path")
        pairs = [(name, getattr(job, name)) for name in names]
        pairs[6] = ("child_of", ", ".join(job.child_of) or None)
        pairs += [("session", job.session), ("owner", job.owner), ("created_at", output.moment(job.created_at))]
        pairs += [("updated_at", output.moment(job.updated_at)), ("data", output.compact(job.data))]
        output.fields(pairs)


@app.command("list")
def list_(
    *,
    state: Annotated[str | None, typer.Option("--state", help="Only jobs in this state.")] = None,
    pipeline: Annotated[str | None, typer.Option("--pipeline", help="Only jobs of this pipeline.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """List jobs, in the order in which they were made."""
    with connect.connect(url, token_file) as client:
        found = client.iter_jobs(state=state, pipeline_uuid=pipeline, limit=min(limit, 1000))
        jobs = list(islice(found, limit))
    if as_json:
        output.json_line({"jobs": [_without_token(job) for job in jobs]})
    else:
        rows = [(j.uuid, j.state, j.last_event, j.sequence, output.moment(j.updated_at)) for j in jobs]
        output.table(("uuid", "state", "event", "events", "updated"), rows)


@app.command()
def send(
    uuid: Uuid,
    event: Annotated[str, typer.Argument(help="The event's name.")],
    *,
    data: Annotated[str | None, DataOption] = None,
    key: Annotated[str | None, typer.Option("--key", help="The idempotency key; else a fresh one.")] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Send an event to a job."""
    value = None if data is None else inputs.read_json(data, "--data")
    with connect.connect(url, token_file) as client:
        answer = client.send(uuid, event, value, idempotency_key=key)
    shown = {name: getattr(answer, name) for name in ("uuid", "state", "last_event", "sequence", "event_uuid")}
    output.json_line(shown) if as_json else output.fields(shown.items())


@app.command()
def watch(
    uuid: Uuid,
    *,
    after: Annotated[int, typer.Option("--after", min=0, help="Begin after this sequence.")] = 0,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> int:
    """Print a job's events as they come, until it rests; exit code 1 if it failed."""
    with connect.connect(url, token_file) as client:
        for event in client.watch(uuid, after=after):
            output.json_line(event) if as_json else output.line(event_line(event))
        state = client.job(uuid).state
    return exits.NO if state in BAD_ENDS else exits.OK


@app.command()
def history(
    uuid: Uuid,
    *,
    after: Annotated[int, typer.Option("--after", min=0, help="Begin after this sequence.")] = 0,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many; else all.")] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Show a job's history."""
    with connect.connect(url, token_file) as client:
        events = list(islice(client.iter_history(uuid, after=after, limit=min(limit or 1000, 1000)), limit))
    if as_json:
        output.json_line({"events": events})
    else:
        output.table(("sequence", "at", "event", "state", "credential", "data"), _rows(events))


@app.command()
def verify(
    uuid: Uuid, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> int:
    """Have the server check the chain of a job's history; exit code 1 if it does not hold."""
    with connect.connect(url, token_file) as client:
        answer = client.verify(uuid)
    if as_json:
        output.json_line(answer)
    elif answer.intact:
        output.line(f"{answer.uuid} holds ({answer.events} events)")
    else:
        output.line(f"{answer.uuid} {answer.broken_at}")
    return exits.OK if answer.intact else exits.NO


@app.command()
def token(
    uuid: Uuid, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Print a job's document token again."""
    with connect.connect(url, token_file) as client:
        text = client.job_token(uuid)
    output.json_line({"uuid": uuid, "token": text}) if as_json else output.line(text)


@app.command()
def rotate(
    uuid: Uuid,
    *,
    grace_seconds: Annotated[
        int, typer.Option("--grace-seconds", min=0, max=86400, help="How long the token before lives on.")
    ] = 0,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Give a job a new document token, and end the one before."""
    with connect.connect(url, token_file) as client:
        text = client.rotate_job_token(uuid, grace_seconds)
    output.json_line({"uuid": uuid, "token": text}) if as_json else output.line(text)


@app.command()
def delete(
    uuid: Uuid,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Take a job and its history away; only an admin token may (--token-file)."""
    inputs.confirm(f"Delete job {uuid} with its history?", yes=yes)
    with connect.connect(url, token_file) as client:
        client.delete_job(uuid)
    output.json_line({"uuid": uuid, "deleted": True}) if as_json else output.line(f"{uuid} is deleted.")


def event_line(event: Event) -> str:
    """One event in one line."""
    data = "" if event.data is None else f"  {output.compact(event.data, 160)}"
    return f"{event.sequence:>5}  {output.moment(event.at)}  {event.name:<10} {event.state:<10}{data}".rstrip()


def _rows(events: Iterable[Event]) -> list[tuple[Any, ...]]:
    return [
        (e.sequence, output.moment(e.at), e.name, e.state, e.credential, output.compact(e.data, 200)) for e in events
    ]


def _without_token(job: Job) -> dict[str, Any]:
    import msgspec

    members: dict[str, Any] = msgspec.to_builtins(job)
    members.pop("token", None)
    return members
