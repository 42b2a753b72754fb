"""``jobpass contain``: what a leaked token did, and its end."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jobpass.cli import connect, inputs, options, output
from jobpass.errors import InvalidInput

if TYPE_CHECKING:
    from jobpass.client.results import Containment
    from jobpass.wire.credentials import Kin, Stopped

SHOWN: Final = 20
"""Events and entries of the audit that are shown; ``--json`` has more."""
QUESTION: Final = "End it now, for good, with all that came of it?"
AND_JOBS: Final = "End it now, for good, with all that came of it and every token of the jobs above?"


def contain(
    *,
    file: Annotated[
        Path | None, typer.Option("--file", help="The leaked token; else stdin, or asked for. Never an argument.")
    ] = None,
    hashed: Annotated[
        bool, typer.Option("--hashed", help="Send its fingerprint, which opens nothing, instead of the text.")
    ] = False,
    rotate_jobs: Annotated[
        bool, typer.Option("--rotate-jobs", help="End the tokens of the jobs that it touched, too.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell; end nothing.")] = False,
    yes: options.Yes = False,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Tell what a leaked token is, what came of it, what it touched and from where; then, on a yes, end all of it."""
    if dry_run and yes:
        raise InvalidInput("--dry-run ends nothing, so there is nothing to say yes to.")
    text = _leaked(file)
    with connect.connect(url, token_file) as client:
        if not yes:
            found = client.contain(text, hashed=hashed)
            if not as_json:
                _show(found)
            elif dry_run:
                output.json_line(found)
            if dry_run:
                return
            inputs.confirm_on_terminal(AND_JOBS if rotate_jobs else QUESTION, yes=False)
        ended = client.contain(text, revoke=True, rotate_jobs=rotate_jobs, hashed=hashed)
    if as_json:
        output.json_line(ended)
        return
    if yes:
        _show(ended)
    if ended.stopped is not None:
        _stopped(ended.stopped)


def _leaked(file: Path | None) -> str:
    """The leaked text, without echo where a person types it."""
    text = inputs.read_line_unseen("The leaked token: ") if file is None else inputs.read_text(file, "file")
    if not text.strip():
        raise InvalidInput("There is no token: write it to stdin, or name its file.")
    return text.strip()


def _show(found: Containment) -> None:
    """What is known."""
    owner = None if found.user_id is None else f"{found.email} ({found.user_id})"
    pairs = [
        ("kind", found.kind),
        ("credential", found.credential),
        ("state", "living" if found.living else "ended"),
        ("owner", owner),
        ("label", found.label),
        ("job", found.job_uuid),
        ("issued", _at(found.issued_at)),
        ("expires", _at(found.expires_at)),
    ]
    output.fields((name, value) for name, value in pairs if value)
    _section("made with", [_kin(one) for one in found.ancestors])
    _section("made with it", [_kin(one) for one in found.descendants])
    more = ", and more" if found.more else ""
    _section(
        f"jobs touched, by {found.counted} events{more}",
        [f"{one.uuid}  {one.events} events, {_at(one.first_at)} to {_at(one.last_at)}" for one in found.jobs],
    )
    _section(
        "events",
        [f"{_at(one.at)}  {one.name} → {one.state}  {one.job_uuid}  from {one.address or '?'}" for one in found.events],
        found.counted,
    )
    _section("audit", [f"{_at(one.at)}  {one.name}  from {one.address or '?'}" for one in found.audit])
    _section("from", [f"{place}  {count} times" for place, count in found.addresses.items()])


def _section(title: str, lines: list[str], count: int | None = None) -> None:
    """Lines under a title, the first of them; nothing if there are none."""
    if not lines:
        return
    output.line(f"{title}:")
    for text in lines[:SHOWN]:
        output.line(f"  {output.printable(text)}")
    left = (len(lines) if count is None else count) - SHOWN
    if left > 0:
        output.line(f"  … and {left} more (--json)")


def _stopped(stopped: Stopped) -> None:
    """What the end stopped."""
    output.line(f"Ended, for good: {len(stopped.credentials)} credentials, and the tokens of {len(stopped.jobs)} jobs.")
    for one in stopped.credentials:
        output.line(f"  {output.printable(_kin(one))}")
    for uuid in stopped.jobs:
        output.line(f"  job {output.printable(uuid)}")
    for webhook in stopped.webhooks:
        output.line(f"  webhook {output.printable(webhook)}, disabled")


def _kin(one: Kin) -> str:
    expires = "" if one.expires_at is None else f", expires {output.moment(one.expires_at)}"
    return f"{one.kind} {one.credential}  {one.label}  of {one.user_id}, issued {output.moment(one.issued_at)}{expires}"


def _at(moment: datetime | None) -> str:
    return "" if moment is None else output.moment(moment)
