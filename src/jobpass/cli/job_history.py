"""``jobpass job watch``, ``history`` and ``verify``: what happened to a job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from jobpass.cli import connect, exits, options, output
from jobpass.errors import UnknownJob

if TYPE_CHECKING:
    from jobpass.client.results import Event
    from jobpass.client.sync import Client


def watch(
    uuid: options.Uuid,
    *,
    after: options.After = 0,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> int:
    """Print a job's events as they come, until it rests; exit code 1 if it failed."""
    with connect.connect(url, token_file) as client:
        for event in _watched(client, uuid, after):
            output.say(event, event_line(event), as_json=as_json)
        state = client.job(uuid).state
    return exits.NO if state in exits.BAD_ENDS else exits.OK


def history(
    uuid: options.Uuid,
    *,
    after: options.After = 0,
    limit: options.Limit = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Show a job's history."""
    with connect.connect(url, token_file) as client:
        events = list(islice(client.iter_history(uuid, after=after, limit=min(limit or 1000, 1000)), limit))
    rows = (
        (e.sequence, output.moment(e.at), e.name, e.state, e.credential, output.compact(e.data, 200)) for e in events
    )
    columns = ("sequence", "at", "event", "state", "credential", "data")
    output.listing({"events": events}, columns, rows, as_json=as_json)


def verify(
    uuid: options.Uuid, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
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


def event_line(event: Event) -> str:
    """One event in one line."""
    data = "" if event.data is None else f"  {output.compact(event.data, 160)}"
    return f"{event.sequence:>5}  {output.moment(event.at)}  {event.name:<10} {event.state:<10}{data}".rstrip()


def _watched(client: Client, uuid: str, after: int) -> Iterator[Event]:
    """The events as they come; those of a job in a queue are told by the server, those of others are asked for."""
    if client.job(uuid).lifecycle == "compute":
        with suppress(UnknownJob):  # it is in no queue
            yield from client.watch_compute(uuid, after=after)
            return
    yield from client.watch(uuid, after=after)
