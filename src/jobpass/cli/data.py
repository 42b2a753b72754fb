"""``jobpass init``, ``jobpass serve`` and ``jobpass verify``: what is done with a data folder."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobpass.cli import exits, inputs, output

if TYPE_CHECKING:
    from jobpass.authority.history import Checked

Data = Annotated[Path | None, typer.Option("--data", help="The data folder; else JOBPASS_DATA.")]
Email = Annotated[str, typer.Option("--admin-email", help="The operator's address.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--admin-password-file", help="Read the operator's password from this file; else one is made."),
]


def init(
    *,
    data: Data = None,
    admin_email: Email = "operator@localhost",
    admin_password_file: PasswordFile = None,
    as_json: output.Json = False,
) -> None:
    """Make a data folder: a keyring, a database, an operator. Nothing that stands is overwritten."""
    from jobpass.settings import data_path, environment

    folder = data_path(environment(), data)
    password = _initialise(folder, admin_email, admin_password_file)
    _tell(folder, admin_email, password, as_json=as_json)


def serve(
    *,
    data: Data = None,
    host: Annotated[str | None, typer.Option("--host", help="The address to bind to.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="The port; 0 takes a free one.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="The settings file.")] = None,
    log_format: Annotated[str | None, typer.Option("--log-format", help="auto, text or json.")] = None,
    log_level: Annotated[str | None, typer.Option("--log-level", help="debug, info, warning or error.")] = None,
    access_log: Annotated[
        bool | None, typer.Option("--access-log/--no-access-log", help="Log each request, or not.")
    ] = None,
    body_limit_bytes: Annotated[int | None, typer.Option("--body-limit-bytes", help="The largest body.")] = None,
    admin_email: Email = "operator@localhost",
    admin_password_file: PasswordFile = None,
    as_json: output.Json = False,
) -> None:
    """Serve a data folder over HTTP; a fresh folder is initialised first."""
    from jobpass import compose, log
    from jobpass.settings import config_path, data_path, environment, load

    environ = environment()
    folder = data_path(environ, data)
    flags: dict[str, Any] = {
        "host": host,
        "port": port,
        "log_format": log_format,
        "log_level": log_level,
        "access_log": access_log,
        "body_limit_bytes": body_limit_bytes,
    }
    settings = load(environ, config=config_path(environ, config), data=folder, flags=flags).settings
    log.configure(settings.log_format, settings.log_level, access=settings.access_log)
    if not compose.is_initialised(folder):
        _tell(folder, admin_email, _initialise(folder, admin_email, admin_password_file), as_json=as_json)
    if not compose.is_loopback(settings.host):
        output.note(
            f"jobpass: {settings.host} is reachable from elsewhere, and HTTP hides no token: put TLS before it."
        )

    def on_ready(bound_host: str, bound_port: int) -> None:
        url = compose.http_url(bound_host, bound_port)
        if as_json:
            output.json_line({"url": url, "data": str(folder)})
        else:
            output.line(f"Jobpass serves {folder} on {url}")

    compose.serve(folder, settings, on_ready)


def verify(*, data: Data = None, as_json: output.Json = False) -> int:
    """Check the history of every job, without a server; a line for each broken one, and exit code 1."""
    from jobpass.settings import data_path, environment

    folder = data_path(environment(), data)
    jobs = events = 0
    broken: list[dict[str, Any]] = []

    def count(checked: Checked) -> None:
        nonlocal jobs, events
        jobs += 1
        events += checked.events
        if checked.broken_at is not None:
            broken.append({"uuid": checked.uuid, "sequence": checked.broken_at})
            if not as_json:
                output.line(f"{checked.uuid} {checked.broken_at}")

    asyncio.run(_check(folder, count))
    if as_json:
        output.json_line({"jobs": jobs, "events": events, "broken": broken})
    else:
        said = f"{len(broken)} of {jobs} histories do not hold" if broken else f"all {jobs} histories hold"
        output.note(f"{said} ({events} events)")
    return exits.NO if broken else exits.OK


async def _check(folder: Path, count: Any) -> None:
    from jobpass import compose

    progress = _progress() if sys.stderr.isatty() else nullcontext()
    async with compose.open_authority(folder) as authority:
        with progress as shown:
            task = shown.add_task("histories", total=None) if shown else None
            async for checked in authority.verify():
                count(checked)
                if shown and task is not None:
                    shown.advance(task)


def _progress() -> Any:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} {task.description}"))
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _initialise(folder: Path, email: str, password_file: Path | None) -> str | None:
    """Initialise the folder; the password, if one was made."""
    from jobpass import compose

    if password_file is not None:
        asyncio.run(compose.init_data(folder, email, inputs.read_secret(password_file, "password file")))
        return None
    password = compose.make_password()
    asyncio.run(compose.init_data(folder, email, password))
    return password


def _tell(folder: Path, email: str, password: str | None, *, as_json: bool) -> None:
    if as_json:
        shown = {"data": str(folder), "email": email}
        output.json_line(shown | ({"password": password} if password else {}))
        return
    output.line(f"Initialised {folder}; the operator is {email}.")
    if password:
        output.line(f"The password, shown this once: {password}")
