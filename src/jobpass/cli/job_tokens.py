"""``jobpass token create`` and the others that are about the records of job tokens."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobpass.cli import connect, inputs, options, output
from jobpass.cli.files import kept, show_once
from jobpass.errors import InvalidInput

if TYPE_CHECKING:
    from jobpass.wire.credentials import Token

Id = Annotated[int, typer.Argument(help="The token's id.")]
Ids = Annotated[list[int] | None, typer.Argument(help="The tokens' ids; else their texts are read.")]
Texts = Annotated[
    Path | None, typer.Option("--file", help="The texts, one a line, if no ids are given; else stdin. Never arguments.")
]


def create(
    *,
    label: Annotated[str | None, typer.Option("--label", help="A name, one of yours only; else a number.")] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", help="How long it lives: 30m, 2h, 7d; else a day.")
    ] = None,
    priority: Annotated[int | None, typer.Option("--priority", help="At most your own; else 0.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="For operators: whose it is, by id or address.")] = None,
    platforms: Annotated[list[str] | None, options.several("--platforms", "these")] = None,
    actions: Annotated[
        list[str] | None, typer.Option("--actions", help="Only these, such as jobs.read; by commas, or given again.")
    ] = None,
    no_mint: Annotated[bool, typer.Option("--no-mint", help="It makes no others.")] = False,
    out: Annotated[Path | None, options.secret_file("the token")] = None,
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
        made = kept(lambda: client.create_token(label, **wanted), lambda one: one.token, out)
    told = f"Token {made.token_id}, {output.printable(made.label)}, until {output.moment(made.expiration_date)}"
    show_once(made, "token", out, told, as_json=as_json)


def list_(
    *,
    user: Annotated[str | None, typer.Option("--user", help="For operators: of this account; else of all.")] = None,
    expired: options.Expired = False,
    revoked: options.Revoked = False,
    limit: options.Limit = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """List job tokens: your own, or for an operator those of everybody."""
    from jobpass.cli.user import find

    with connect.connect(url, token_file) as client:
        user_id = None if user is None else find(client, user).id
        found = list(islice(client.iter_token_records(user_id=user_id, expired=expired, revoked=revoked), limit))
    rows = (
        (one.id, one.state, one.user_id, one.priority, one.count, output.moment_or(one.expiration_date), one.label)
        for one in found
    )
    output.listing(
        {"tokens": found}, ("id", "state", "user", "priority", "uses", "expires", "label"), rows, as_json=as_json
    )


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
    compromised: options.Compromised = False,
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
    rows = ((one.token_id, use.platform_name, use.nb_jobs, use.duration_seconds) for one in found for use in one.usage)
    output.listing({"usage": found}, ("id", "platform", "jobs", "seconds"), rows, as_json=as_json)


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


def _show(found: Token, *, as_json: bool) -> None:
    output.record(found, as_json=as_json, platforms=_names(found.platforms), actions=_names(found.actions))


def _names(names: list[str] | None) -> str | None:
    return None if names is None else ", ".join(names) or "(none)"
