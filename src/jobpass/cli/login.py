"""``jobpass login`` and ``jobpass logout``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobpass.cli import connect, inputs, output, saved
from jobpass.errors import InvalidToken, SetupError


def login(
    *,
    url: connect.Url = None,
    email: Annotated[str, typer.Option("--email", help="The address of the account.")] = "operator@localhost",
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="Read the password from this file (- is stdin).")
    ] = None,
    allow_plain_http: Annotated[
        bool, typer.Option("--allow-plain-http", help="Speak to a server elsewhere without TLS, now and later.")
    ] = False,
    as_json: output.Json = False,
) -> None:
    """Log in, and keep the token where only you read it."""
    from jobpass.client.sync import Client

    target = connect.resolve(url, None)[0] or connect.DEFAULT_URL
    password = inputs.read_secret(password_file, "password file") if password_file else inputs.ask_password(email)
    with connect.naming(target, None), Client(target, allow_plain_http=allow_plain_http) as client:
        answer = client.login(email, password)
    kept = {
        "url": target,
        "email": answer.email,
        "token": answer.token,
        "expires_at": answer.expires_at.isoformat(),
        "plain_http": "yes" if allow_plain_http else "no",
    }
    saved.save_login(kept)
    shown = {name: kept[name] for name in ("url", "email", "expires_at")} | {"is_admin": answer.is_admin}
    told = f"Logged in to {target} as {answer.email} until {answer.expires_at:%Y-%m-%d %H:%M} UTC."
    output.say(shown, told, as_json=as_json)


def logout(*, as_json: output.Json = False) -> None:
    """End the saved token on the server, and remove it here."""
    from jobpass.client.sync import Client

    kept = saved.read_login()
    if kept is None:
        raise SetupError("You are not logged in.")
    url, allowed = kept["url"], kept.get("plain_http") == "yes"
    try:
        with connect.naming(url, kept["token"]), Client(url, kept["token"], allow_plain_http=allowed) as client:
            client.logout()
    except InvalidToken:
        output.note("The token had ended before.")
    saved.login_path().unlink(missing_ok=True)
    output.say({"url": kept["url"], "email": kept["email"]}, f"Logged out of {kept['url']}.", as_json=as_json)
