"""``jobpass apikey``: what workers prove themselves with."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobpass.cli import connect, inputs, options, output
from jobpass.cli.files import kept, show_once

if TYPE_CHECKING:
    from jobpass.wire.credentials import ApiKeyAnswer

app = options.group("Make and end the API keys of workers.")

Id = Annotated[int, typer.Argument(help="The key's id.")]


@app.command()
def create(
    *,
    label: Annotated[str | None, typer.Option("--label", help="A name; else a number.")] = None,
    platforms: Annotated[list[str] | None, options.several("--platforms", "for these")] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", help="How long it lives: 12h, 90d; else a year.")
    ] = None,
    out: Annotated[Path | None, options.secret_file("the key")] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Make a key, whose text is shown this once."""
    seconds = None if duration is None else inputs.read_seconds(duration, "--duration")
    names = inputs.split(platforms)
    with connect.connect(url, token_file) as client:
        made = kept(
            lambda: client.create_api_key(label, platforms=names, duration_seconds=seconds), lambda one: one.key, out
        )
    told = f"API key {made.id}, {output.printable(made.label)}, until {output.moment_or(made.expiration_date)}"
    show_once(made, "key", out, told, as_json=as_json)


@app.command("list")
def list_(
    *,
    expired: options.Expired = False,
    revoked: options.Revoked = False,
    limit: options.Limit = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """List keys."""
    with connect.connect(url, token_file) as client:
        found = list(islice(client.iter_api_keys(expired=expired, revoked=revoked), limit))
    rows = (
        (one.id, one.state, one.count, output.moment_or(one.expiration_date), _platforms(one), one.label)
        for one in found
    )
    output.listing({"api_keys": found}, ("id", "state", "uses", "expires", "platforms", "label"), rows, as_json=as_json)


@app.command()
def show(
    key_id: Id, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Show what is known of a key."""
    with connect.connect(url, token_file) as client:
        found = client.api_key(key_id)
    output.record(found, as_json=as_json, platforms=_platforms(found))


@app.command()
def revoke(
    key_id: Id,
    *,
    compromised: options.Compromised = False,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """End a key at once."""
    with connect.connect(url, token_file) as client:
        found = client.revoke_api_key(key_id, compromised=compromised)
    output.say(found, f"{found.id} is {found.state}.", as_json=as_json)


@app.command()
def reopen(
    key_id: Id, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Take the revocation of a key back."""
    with connect.connect(url, token_file) as client:
        found = client.reopen_api_key(key_id)
    output.say(found, f"{found.id} is {found.state}.", as_json=as_json)


@app.command()
def delete(
    key_id: Id, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """End a key for good, and forget it."""
    with connect.connect(url, token_file) as client:
        client.delete_api_key(key_id)
    output.say({"id": key_id, "deleted": True}, f"{key_id} is gone.", as_json=as_json)


def _platforms(key: ApiKeyAnswer) -> str:
    return "all" if key.platforms is None else ",".join(key.platforms) or "none"
