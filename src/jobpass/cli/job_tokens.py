"""``jobpass token create`` and the others that are about the records of job tokens."""

from __future__ import annotations

import os
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobpass.cli import connect, inputs, output
from jobpass.cli.files import new_file
from jobpass.errors import InvalidInput

if TYPE_CHECKING:
    from jobpass.wire.credentials import Token, TokenGenerateResponse

Id = Annotated[int, typer.Argument(help="The token's id.")]
Ids = Annotated[list[int] | None, typer.Argument(help="The tokens' ids; else their texts are read.")]
Texts = Annotated[
    Path | None, typer.Option("--file", help="The texts, one a line, if no ids are given; else stdin. Never arguments.")
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Write the token into this new file (mode 0600) instead of stdout.")
]


def create(
    *,
    label: Annotated[str | None, typer.Option("--label", help="A name, one of yours only; else a number.")] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", help="How long it lives: 30m, 2h, 7d; else a day.")
    ] = None,
    priority: Annotated[int | None, typer.Option("--priority", help="At most your own; else 0.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="For operators: whose it is, by id or address.")] = None,
    platforms: Annotated[
        list[str] | None, typer.Option("--platforms", help="Only these; separated by commas, or given again.")
    ] = None,
    actions: Annotated[
        list[str] | None, typer.Option("--actions", help="Only these, such as jobs.read; by commas, or given again.")
    ] = None,
    no_mint: Annotated[bool, typer.Option("--no-mint", help="It makes no others.")] = False,
    out: Out = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Make a job token, whose text is shown this once. Made with a job token it is that one's child."""
    from jobpass.cli.user import find

    seconds = None if duration is None else inputs.read_seconds(duration, "--duration")
    with connect.connect(url, token_file) as client:
        wanted: dict[str, Any] = {
            "duration_seconds": seconds,
            "priority": priority,
            "user_id": None if user is None else find(client, user).id,
            "platforms": inputs.split(platforms),
            "actions": inputs.split(actions),
            "may_mint": False if no_mint else None,
        }
        if out is None:
            made = client.create_token(label, **wanted)
        else:
            with new_file(out) as descriptor:  # made first: a token that cannot be written would be lost
                made = client.create_token(label, **wanted)
                os.write(descriptor, f"{made.token}\n".encode())
    _give(made, out, as_json=as_json)


def list_(
    *,
    user: Annotated[str | None, typer.Option("--user", help="For operators: of this account; else of all.")] = None,
    expired: Annotated[bool, typer.Option("--expired", help="Those that ended by time, too.")] = False,
    revoked: Annotated[bool, typer.Option("--revoked", help="Those that were revoked, too.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many; else all.")] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """List job tokens: your own, or for an operator those of everybody."""
    from jobpass.cli.user import find

    with connect.connect(url, token_file) as client:
        user_id = None if user is None else find(client, user).id
        found = list(islice(client.iter_token_records(user_id=user_id, expired=expired, revoked=revoked), limit))
    if as_json:
        output.json_line({"tokens": found})
        return
    rows = [
        (one.id, one.state, one.user_id, one.priority, one.count, output.moment_or(one.expiration_date), one.label)
        for one in found
    ]
    output.table(("id", "state", "user", "priority", "uses", "expires", "label"), rows)


def show(
    token_id: Id, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Show what is known of a job token."""
    with connect.connect(url, token_file) as client:
        found = client.token_record(token_id)
    _show(found, as_json=as_json)


def update(
    token_id: Id,
    *,
    label: Annotated[str | None, typer.Option("--label", help="Another name.")] = None,
    priority: Annotated[int | None, typer.Option("--priority", help="Another priority.")] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Change the label or the priority of a job token."""
    if label is None and priority is None:
        raise InvalidInput("Say what to change: --label, --priority.")
    with connect.connect(url, token_file) as client:
        client.update_token(token_id, label=label, priority=priority)
        found = client.token_record(token_id)
    _show(found, as_json=as_json)


def revoke(
    ids: Ids = None,
    *,
    compromised: Annotated[bool, typer.Option("--compromised", help="For good: it cannot be reopened.")] = False,
    file: Texts = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """End job tokens at once, each with all that was made with it."""
    which = _which(ids, file)
    with connect.connect(url, token_file) as client:
        for one in which:
            client.revoke_token(one, compromised=compromised)
    _done("revoked", which, as_json=as_json)


def reopen(
    ids: Ids = None,
    *,
    file: Texts = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Take the revocation of job tokens back; what was made with them stays ended."""
    which = _which(ids, file)
    with connect.connect(url, token_file) as client:
        for one in which:
            client.reopen_token(one)
    _done("reopened", which, as_json=as_json)


def delete(
    ids: Ids = None,
    *,
    file: Texts = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """End job tokens for good and forget them: all of them, or none."""
    which = _which(ids, file)
    with connect.connect(url, token_file) as client:
        client.delete_tokens(which)
    _done("deleted", which, as_json=as_json)


def usage(
    ids: Annotated[list[int], typer.Argument(help="The tokens' ids.")],
    *,
    since: Annotated[str | None, typer.Option("--since", help="From then on: 2h, 7d, or RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Until then, not included.")] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Tell what the jobs of these tokens used of each platform."""
    from jobpass.clock import SystemClock

    now = SystemClock().now()
    start, end = (
        None if text is None else inputs.read_moment(text, option, now, past=True)
        for text, option in ((since, "--since"), (until, "--until"))
    )
    with connect.connect(url, token_file) as client:
        found = client.token_usage(ids, start=start, end=end)
    if as_json:
        output.json_line({"usage": found})
        return
    rows = [(one.token_id, use.platform_name, use.nb_jobs, use.duration_seconds) for one in found for use in one.usage]
    output.table(("id", "platform", "jobs", "seconds"), rows)


def add_to(app: typer.Typer) -> None:
    """Make these commands of ``app``."""
    for command in (create, show, update, revoke, reopen, delete, usage):
        app.command()(command)
    app.command("list")(list_)


def _which(ids: list[int] | None, file: Path | None) -> list[int | str]:
    """The tokens that are meant: by their ids, or by their texts from a file or stdin."""
    if ids and file is not None:
        raise InvalidInput("Give ids or --file, and not both.")
    if ids:
        return list(dict.fromkeys(ids))
    if file is None and sys.stdin.isatty():
        raise InvalidInput("Which tokens? Give their ids, name a file of their texts, or write these to stdin.")
    texts = inputs.read_text(file or Path("-"), "file").split()
    if not texts:
        raise InvalidInput("There is no token: give ids, or texts on stdin or by --file.")
    return list(dict.fromkeys(texts))


def _done(what: str, which: list[int | str], *, as_json: bool) -> None:
    """Say what was done to these; a text is not shown."""
    ids = [one for one in which if isinstance(one, int)]
    if as_json:
        output.json_line({what: len(which), "ids": ids})
    elif ids:
        for one in ids:
            output.line(f"{one} is {what}.")
    else:
        output.line(f"{len(which)} {what}.")


def _give(made: TokenGenerateResponse, out: Path | None, *, as_json: bool) -> None:
    """Show the token this once, unless it is in a file by now."""
    import msgspec

    if as_json:
        members: dict[str, Any] = msgspec.to_builtins(made)
        output.json_line(members if out is None else members | {"token": None, "file": str(out)})
        return
    if out is None:
        output.line(made.token)
    told = f"Token {made.token_id}, {output.printable(made.label)}, until {output.moment(made.expiration_date)}"
    output.note(f"{told}." if out is None else f"{told}, is in {out}.")


def _show(found: Token, *, as_json: bool) -> None:
    import msgspec

    if as_json:
        output.json_line(found)
        return
    members: dict[str, Any] = msgspec.to_builtins(found)
    for name in ("created_date", "expiration_date", "last_used_time", "revoked_date"):
        at = getattr(found, name)
        members[name] = None if at is None else output.moment(at)
    for name in ("platforms", "actions"):
        members[name] = None if members[name] is None else ", ".join(members[name]) or "(none)"
    output.fields((name, value) for name, value in members.items() if value is not None)
