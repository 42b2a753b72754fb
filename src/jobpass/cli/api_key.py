"""``jobpass apikey``: what workers prove themselves with."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobpass.cli import connect, inputs, output
from jobpass.cli.files import new_file

if TYPE_CHECKING:
    from jobpass.wire.credentials import ApiKeyAnswer

app = typer.Typer(
    help="Make and end the API keys of workers.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)

Id = Annotated[int, typer.Argument(help="The key's id.")]


@app.command()
def create(
    *,
    label: Annotated[str | None, typer.Option("--label", help="A name; else a number.")] = None,
    platforms: Annotated[
        list[str] | None, typer.Option("--platforms", help="Only for these; separated by commas, or given again.")
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", help="How long it lives: 12h, 90d; else a year.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the key into this new file (mode 0600) instead of stdout.")
    ] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Make a key, whose text is shown this once."""
    seconds = None if duration is None else inputs.read_seconds(duration, "--duration")
    names = inputs.split(platforms)
    with connect.connect(url, token_file) as client:
        if out is None:
            made = client.create_api_key(label, platforms=names, duration_seconds=seconds)
        else:
            with new_file(out) as descriptor:  # made first: a key that cannot be written would be lost
                made = client.create_api_key(label, platforms=names, duration_seconds=seconds)
                os.write(descriptor, f"{made.key}\n".encode())
    _give(made, out, as_json=as_json)


@app.command("list")
def list_(
    *,
    expired: Annotated[bool, typer.Option("--expired", help="Those that ended by time, too.")] = False,
    revoked: Annotated[bool, typer.Option("--revoked", help="Those that were revoked, too.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many; else all.")] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """List keys."""
    with connect.connect(url, token_file) as client:
        found = list(islice(client.iter_api_keys(expired=expired, revoked=revoked), limit))
    if as_json:
        output.json_line({"api_keys": found})
        return
    rows = [
        (one.id, one.state, one.count, output.moment_or(one.expiration_date), _platforms(one), one.label)
        for one in found
    ]
    output.table(("id", "state", "uses", "expires", "platforms", "label"), rows)


@app.command()
def show(
    key_id: Id, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Show what is known of a key."""
    with connect.connect(url, token_file) as client:
        found = client.api_key(key_id)
    _show(found, as_json=as_json)


@app.command()
def revoke(
    key_id: Id,
    *,
    compromised: Annotated[bool, typer.Option("--compromised", help="For good: it cannot be reopened.")] = False,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """End a key at once."""
    with connect.connect(url, token_file) as client:
        found = client.revoke_api_key(key_id, compromised=compromised)
    output.json_line(found) if as_json else output.line(f"{found.id} is {found.state}.")


@app.command()
def reopen(
    key_id: Id, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Take the revocation of a key back."""
    with connect.connect(url, token_file) as client:
        found = client.reopen_api_key(key_id)
    output.json_line(found) if as_json else output.line(f"{found.id} is {found.state}.")


@app.command()
def delete(
    key_id: Id, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """End a key for good, and forget it."""
    with connect.connect(url, token_file) as client:
        client.delete_api_key(key_id)
    output.json_line({"id": key_id, "deleted": True}) if as_json else output.line(f"{key_id} is gone.")


def _platforms(key: ApiKeyAnswer) -> str:
    return "all" if key.platforms is None else ",".join(key.platforms) or "none"


def _give(made: ApiKeyAnswer, out: Path | None, *, as_json: bool) -> None:
    """Show the key this once, unless it is in a file by now."""
    import msgspec

    if as_json:
        members: dict[str, Any] = msgspec.to_builtins(made)
        output.json_line(members if out is None else members | {"key": None, "file": str(out)})
        return
    if out is None:
        output.line(made.key)
    told = f"API key {made.id}, {output.printable(made.label)}, until {output.moment_or(made.expiration_date)}"
    output.note(f"{told}." if out is None else f"{told}, is in {out}.")


def _show(found: ApiKeyAnswer, *, as_json: bool) -> None:
    import msgspec

    if as_json:
        output.json_line(found)
        return
    members: dict[str, Any] = msgspec.to_builtins(found) | {"platforms": _platforms(found)}
    for name in ("created_date", "expiration_date", "last_used_time", "revoked_date"):
        at = getattr(found, name)
        members[name] = None if at is None else output.moment(at)
    output.fields((name, value) for name, value in members.items() if value is not None)
