"""``jobpass admin-key`` and ``jobpass admin-token``: administrative power, on request and after a review."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jobpass.cli import connect, inputs, options, output
from jobpass.cli.files import kept

if TYPE_CHECKING:
    from jobpass.wire.power import AdminKeyAnswer

KEY_VARIABLE: Final = "JOBPASS_ADMIN_KEY"

app = options.group("Ask for administrative power, and review who does.")

Id = Annotated[str, typer.Argument(help="The request's id.")]
UseCase = Annotated[str, typer.Option("--use-case", help="What the key is for.")]
Storage = Annotated[str, typer.Option("--storage", help="How the key will be kept.")]
Lifetime = Annotated[
    int | None, typer.Option("--lifetime-seconds", min=1, help="L: its tokens live more than L and at most 2 L.")
]
Scope = Annotated[
    str | None, typer.Option("--scope", help="JSON object of caveats by name, or @FILE; else everything.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; the requester reads it.")]


@app.command()
def request(
    *,
    use_case: UseCase,
    storage: Storage,
    lifetime_seconds: Lifetime = None,
    scope: Scope = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Ask for an admin key; another operator reviews what is asked."""
    members = None if scope is None else inputs.read_object(scope, "--scope")
    with connect.connect(url, token_file) as client:
        key = client.request_admin_key(use_case, storage, lifetime_seconds=lifetime_seconds, scope=members)
    _show(key, as_json=as_json)


@app.command("list")
def list_(
    *,
    state: Annotated[str | None, typer.Option("--state", help="Only requests in this state.")] = None,
    limit: options.Limit = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """List requests: all of them for an operator, else your own."""
    with connect.connect(url, token_file) as client:
        keys = list(islice((key for key in client.iter_admin_keys() if state in (None, key.state)), limit))
    rows = ((key.id, key.state, key.requester, output.moment(key.requested_at), key.use_case) for key in keys)
    output.listing({"admin_keys": keys}, ("id", "state", "requester", "requested", "use case"), rows, as_json=as_json)


@app.command()
def show(
    key_id: Id, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Show what is asked for, and what became of it."""
    with connect.connect(url, token_file) as client:
        key = client.admin_key(key_id)
    _show(key, as_json=as_json)


@app.command()
def change(
    key_id: Id,
    *,
    use_case: UseCase,
    storage: Storage,
    lifetime_seconds: Lifetime = None,
    scope: Scope = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Ask for something else instead; it needs a new review."""
    members = None if scope is None else inputs.read_object(scope, "--scope")
    with connect.connect(url, token_file) as client:
        key = client.change_admin_key(key_id, use_case, storage, lifetime_seconds=lifetime_seconds, scope=members)
    _show(key, as_json=as_json)


@app.command()
def approve(
    key_id: Id,
    *,
    request_hash: Annotated[
        str | None, typer.Option("--hash", help="The request_hash that was reviewed; else the one just shown.")
    ] = None,
    yes: options.Yes = False,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Approve exactly what is shown: the power that it gives reaches every job within its scope."""
    with connect.connect(url, token_file) as client:
        key = client.admin_key(key_id)
        if not as_json:
            _show(key, as_json=False)
        inputs.confirm("Approve exactly this?", yes=yes)
        approved = client.approve_admin_key(key_id, request_hash or key.request_hash)
    output.say(approved, f"{approved.id} is {approved.state}.", as_json=as_json)


@app.command()
def deny(
    key_id: Id,
    *,
    reason: Reason,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Refuse a request."""
    with connect.connect(url, token_file) as client:
        key = client.deny_admin_key(key_id, reason)
    output.say(key, f"{key.id} is {key.state}.", as_json=as_json)


@app.command()
def collect(
    key_id: Id,
    *,
    out: Annotated[Path | None, options.secret_file("the key")] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Fetch an approved key of your own: it is shown this once, and kept nowhere else."""
    with connect.connect(url, token_file) as client:
        key = kept(lambda: client.collect_admin_key(key_id), str, out)
    if out is None:
        output.say({"id": key_id, "key": key}, key, as_json=as_json)
    else:
        output.say({"id": key_id, "file": str(out)}, f"The key is in {out}.", as_json=as_json)


@app.command()
def revoke(
    key_id: Id,
    *,
    reason: Annotated[str | None, typer.Option("--reason", help="Why.")] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """End a key and all tokens made from it, at once."""
    with connect.connect(url, token_file) as client:
        key = client.revoke_admin_key(key_id, reason)
    output.say(key, f"{key.id} is {key.state}.", as_json=as_json)


def admin_token(
    *,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="The admin key (- is stdin); else JOBPASS_ADMIN_KEY, else stdin.")
    ] = None,
    as_json: output.Json = False,
) -> None:
    """Make the present admin token from an admin key, without asking the server."""
    from jobpass.clock import SystemClock
    from jobpass.tokens.attenuate import admin_token as make
    from jobpass.tokens.caveats import earliest_expiry, moment, read_all
    from jobpass.tokens.token import parse

    token = make(inputs.read_token(key_file, KEY_VARIABLE, "admin key"), SystemClock().now())
    if as_json:
        ends = earliest_expiry(read_all(parse(token).caveats))
        output.json_line({"token": token, "expires_at": None if ends is None else moment(ends)})
    else:
        output.line(token)


def _show(key: AdminKeyAnswer, *, as_json: bool) -> None:
    output.record(key, as_json=as_json, scope=output.compact(key.scope) if key.scope else "everything")
