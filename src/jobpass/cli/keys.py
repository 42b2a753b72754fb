"""``jobpass keys``: the root keys of a data folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from jobpass.cli import inputs, options, output
from jobpass.cli.data import Data, Email, PasswordFile, Store, folder_of

app = options.group("List, rotate and retire root keys; write the keyring of a secret.")


@app.command("list")
def list_(*, data: Data = None, store: Store = None, as_json: output.Json = False) -> None:
    """List the root keys, newest first, with how many jobs, living tokens and webhooks need each."""
    from jobpass import compose

    keys = asyncio.run(compose.list_keys(folder_of(data, store)))
    output.listing({"keys": [key._asdict() for key in keys]}, ("kid", "state", "needed by"), keys, as_json=as_json)


@app.command()
def rotate(*, data: Data = None, store: Store = None, as_json: output.Json = False) -> None:
    """Have a fresh root key sign; what the others signed still holds. A running server follows within a second."""
    from jobpass import compose

    kid = asyncio.run(compose.rotate_key(folder_of(data, store)))
    output.say({"kid": kid}, f"{kid} signs from now on.", as_json=as_json)


@app.command()
def retire(
    kid: Annotated[str, typer.Argument(help="The key's id.")],
    *,
    data: Data = None,
    store: Store = None,
    force: Annotated[bool, typer.Option("--force", help="Even if jobs, tokens, webhooks need it: they end.")] = False,
    as_json: output.Json = False,
) -> None:
    """End all tokens of a root key; the histories that it signed still verify."""
    from jobpass import compose

    count = asyncio.run(compose.retire_key(folder_of(data, store), kid, force=force))
    told = f"{kid} is retired; {count} jobs have new tokens (job token UUID)."
    output.say({"kid": kid, "jobs_rekeyed": count}, told, as_json=as_json)


@app.command("from-secret")
def from_secret(
    *,
    data: Data = None,
    store: Store = None,
    admin_email: Email = "operator@localhost",
    admin_password_file: PasswordFile = None,
    as_json: output.Json = False,
) -> None:
    """Write the keyring of a folder that was made in process with a secret (on stdin), so that it can be served.

    If the folder has no operator, one is made, as init does it.
    """
    from jobpass import compose

    folder = folder_of(data, store)
    secret = inputs.read_line_unseen("The secret: ")
    made = compose.make_password() if admin_password_file is None else None
    password = made or inputs.read_secret(admin_password_file or Path("-"), "password file")
    operator = asyncio.run(compose.write_derived_keyring(folder, secret, (admin_email, password)))
    if as_json:
        shown = {"email": admin_email} | ({"password": made} if made else {}) if operator else {}
        output.json_line({"data": str(folder)} | shown)
        return
    output.line(f"{folder} has its keyring.")
    if operator:
        output.line(f"The operator is {admin_email}." + (f" The password, shown this once: {made}" if made else ""))
