"""``jobpass user``."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jobpass.cli import connect, inputs, output
from jobpass.errors import UnknownPrincipal

if TYPE_CHECKING:
    from jobpass.client.sync import Client
    from jobpass.wire.power import UserAnswer

app = typer.Typer(
    help="Make accounts, end them, set passwords.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)

Who = Annotated[str, typer.Argument(help="The account's id or address.")]
PasswordFile = Annotated[Path | None, typer.Option("--password-file", help="Read the password from this file.")]


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="The account's address.")],
    *,
    role: Annotated[str, typer.Option("--role", help="author or operator.")] = "author",
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="Read the password from this file; else one is made.")
    ] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Make an account; without a password file its password is made and shown this once."""
    from jobpass.compose import make_password

    wanted: Literal["author", "operator"] = inputs.one_of(role, ("author", "operator"), "--role")
    made = make_password() if password_file is None else None
    password = made or inputs.read_secret(Path(str(password_file)), "password file")
    with connect.connect(url, token_file) as client:
        user = client.create_user(email, password, wanted)
    _show(user, as_json=as_json, password=made)


@app.command("list")
def list_(
    *,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many; else all.")] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """List all accounts."""
    with connect.connect(url, token_file) as client:
        users = list(islice(client.iter_users(limit=1000), limit))
    if as_json:
        output.json_line({"users": users})
    else:
        rows = [(u.id, u.email, u.role, "active" if u.active else "disabled") for u in users]
        output.table(("id", "email", "role", "state"), rows)


@app.command()
def show(
    who: Who, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Show one account."""
    with connect.connect(url, token_file) as client:
        user = _find(client, who)
    _show(user, as_json=as_json)


@app.command()
def disable(
    who: Who, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Disable an account: all its tokens end at once, for good."""
    with connect.connect(url, token_file) as client:
        user = client.disable_user(_find(client, who).id)
    _show(user, as_json=as_json)


@app.command()
def enable(
    who: Who, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Enable an account again; the tokens that ended stay dead."""
    with connect.connect(url, token_file) as client:
        user = client.enable_user(_find(client, who).id)
    _show(user, as_json=as_json)


@app.command()
def password(
    who: Annotated[str | None, typer.Argument(help="The account's id or address; else your own.")] = None,
    *,
    password_file: PasswordFile = None,
    present_password_file: Annotated[
        Path | None, typer.Option("--present-password-file", help="For your own: read the present one from this file.")
    ] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Set a password, which ends the account's log-ins."""
    with connect.connect(url, token_file) as client:
        me = client.me()
        user_id, email = (me.user_id, me.email) if who is None else _pair(_find(client, who))
        present = None
        if user_id == me.user_id:
            asked = present_password_file
            present = inputs.read_secret(asked, "password file") if asked else inputs.ask_password(f"{email}, present")
        user = client.set_password(user_id, inputs.new_password(password_file, f"{email}, new"), present)
    _show(user, as_json=as_json)
    output.note("The log-ins of this account have ended: log in again.")


def _pair(user: UserAnswer) -> tuple[int, str]:
    return user.id, user.email


def _find(client: Client, who: str) -> UserAnswer:
    """The account of an id or an address."""
    if who.isascii() and who.isdigit():
        return client.user(int(who))
    address = who.strip().lower()
    found = next((user for user in client.iter_users(limit=1000) if user.email == address), None)
    if found is None:
        raise UnknownPrincipal("There is no such account.", email=address)
    return found


def _show(user: UserAnswer, *, as_json: bool, password: str | None = None) -> None:
    import msgspec

    if as_json:
        output.json_line(msgspec.to_builtins(user) | ({"password": password} if password else {}))
        return
    state = "active" if user.active else "disabled"
    made = output.moment(user.created_at)
    output.fields([("id", user.id), ("email", user.email), ("role", user.role), ("state", state), ("created_at", made)])
    if password:
        output.line(f"The password, shown this once: {password}")
