"""``jobpass init``, ``jobpass serve`` and ``jobpass verify``: what is done with a data folder."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobpass.cli import exits, inputs, options, output

if TYPE_CHECKING:
    from jobpass.authority.anchors import AuditHead, JobHead
    from jobpass.authority.history import Checked

Data = Annotated[Path | None, typer.Option("--data", help="The data folder; else JOBPASS_DATA.")]
Store = Annotated[
    str | None,
    typer.Option("--store", help="The database of PostgreSQL (a URL without a password); else JOBPASS_STORE."),
]
Email = Annotated[str, typer.Option("--admin-email", help="The operator's address.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--admin-password-file", help="Read the operator's password from this file; else one is made."),
]


def init(
    *,
    data: Data = None,
    store: Store = None,
    admin_email: Email = "operator@localhost",
    admin_password_file: PasswordFile = None,
    single_operator: Annotated[
        bool, typer.Option("--single-operator", help="There is one operator only, who may approve own requests.")
    ] = False,
    as_json: output.Json = False,
) -> None:
    """Make a data folder: a keyring, a database, an operator. Nothing that stands is overwritten."""
    folder = folder_of(data, store)
    password = _initialise(folder, admin_email, admin_password_file, single_operator=single_operator)
    _tell(folder, admin_email, password, as_json=as_json)


def serve(
    *,
    data: Data = None,
    store: Store = None,
    host: Annotated[str | None, typer.Option("--host", help="The address to bind to.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="The port; 0 takes a free one.")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Processes that serve at this port; more than one needs --store.")
    ] = None,
    config: options.Config = None,
    log_format: Annotated[str | None, options.LOG_FORMAT] = None,
    log_level: Annotated[str | None, options.LOG_LEVEL] = None,
    access_log: Annotated[
        bool | None, typer.Option("--access-log/--no-access-log", help="Log each request, or not.")
    ] = None,
    body_limit_bytes: Annotated[int | None, typer.Option("--body-limit-bytes", help="The largest body.")] = None,
    certfile: Annotated[
        str | None, typer.Option("--certfile", help="Speak TLS with this certificate and its chain (PEM).")
    ] = None,
    keyfile: Annotated[str | None, typer.Option("--keyfile", help="The certificate's key (PEM).")] = None,
    metrics_port: Annotated[
        int | None, typer.Option("--metrics-port", help="Show the metrics on a loopback port of their own.")
    ] = None,
    admin_email: Email = "operator@localhost",
    admin_password_file: PasswordFile = None,
    as_json: output.Json = False,
) -> None:
    """Serve a data folder over HTTP; a fresh folder is initialised first."""
    from jobpass import compose, log
    from jobpass.settings import config_path, environment, load

    folder, environ = folder_of(data, store), environment()
    flags: dict[str, Any] = {
        "host": host,
        "port": port,
        "workers": workers,
        "log_format": log_format,
        "log_level": log_level,
        "access_log": access_log,
        "body_limit_bytes": body_limit_bytes,
        "certfile": certfile,
        "keyfile": keyfile,
        "metrics_port": metrics_port,
    }
    settings = load(environ, config=config_path(environ, config), data=folder, flags=flags).settings
    compose.expect_nodes(settings)
    log.configure(settings.log_format, settings.log_level, access=settings.access_log)
    if not asyncio.run(compose.is_ready(folder, settings)):
        _tell(folder, admin_email, _initialise(folder, admin_email, admin_password_file), as_json=as_json)
    secure = settings.certfile is not None
    if not secure and not compose.is_loopback(settings.host):
        output.note(
            f"jobpass: {settings.host} is reachable from elsewhere, and HTTP hides no token: put TLS before it."
        )

    def on_ready(bound_host: str, bound_port: int) -> None:
        url = compose.http_url(bound_host, bound_port, secure=secure)
        if as_json:
            output.json_line({"url": url, "data": str(folder)})
        else:
            output.line(f"Jobpass serves {folder} on {url}")

    compose.serve(folder, settings, on_ready)


def verify(
    *,
    data: Data = None,
    store: Store = None,
    anchor: Annotated[Path | None, typer.Option("--anchor", help="Compare with this anchor, too.")] = None,
    as_json: output.Json = False,
) -> int:
    """Check the history of every job and the audit, without a server; a line for each broken one, and exit code 1."""
    from jobpass.authority.anchors import read

    anchored = None
    if anchor is not None:
        anchored = read(inputs.read_text(anchor, "anchor").encode().splitlines())
    found = _Found(as_json=as_json)
    asyncio.run(_check(folder_of(data, store), found, anchored))
    if as_json:
        output.json_line(found.as_data() | ({} if anchored is None else {"anchored": len(anchored)}))
    else:
        told = f" and all {len(anchored)} anchored heads are there" if anchored is not None else ""
        said = f"{len(found.broken)} chains do not hold" if found.broken else f"all {found.jobs} histories hold{told}"
        output.note(f"{said} ({found.events} events, {found.entries} audit entries)")
    return exits.NO if found.broken else exits.OK


def folder_of(data: Path | None, store: str | None) -> Path:
    """The data folder; from here on its record is in the database ``store``, if that was given."""
    from jobpass.settings import data_path, environment, use_store

    use_store(store)
    return data_path(environment(), data)


class _Found:
    """What a check of the record has found so far."""

    def __init__(self, *, as_json: bool) -> None:
        self.jobs = self.events = self.entries = 0
        self.broken: list[dict[str, Any]] = []
        self._as_json = as_json

    def history(self, checked: Checked) -> None:
        """A job's history was checked."""
        self.jobs += 1
        self.events += checked.events
        if checked.broken_at is not None:
            self.lacks({"uuid": checked.uuid}, checked.uuid, checked.broken_at)

    def audit(self, checked: Checked) -> None:
        """A node's audit chain was checked."""
        self.entries += checked.events
        if checked.broken_at is not None:
            self.lacks({"audit": checked.uuid}, f"audit:{checked.uuid}", checked.broken_at)

    def lacks(self, which: dict[str, Any], shown: str, sequence: int) -> None:
        """Something that should be there is not."""
        self.broken.append(which | {"sequence": sequence})
        if not self._as_json:
            output.line(f"{shown} {sequence}")

    def as_data(self) -> dict[str, Any]:
        """All of it."""
        counts = {"jobs": self.jobs, "events": self.events, "audit_entries": self.entries}
        return counts | {"broken": self.broken}


async def _check(folder: Path, found: _Found, anchored: list[AuditHead | JobHead] | None) -> None:
    from jobpass import compose

    progress = _progress() if sys.stderr.isatty() else nullcontext()
    async with compose.open_authority(folder) as authority:
        with progress as shown:
            task = shown.add_task("histories", total=None) if shown else None
            async for checked in authority.verify():
                found.history(checked)
                if shown and task is not None:
                    shown.advance(task)
        async for checked in authority.verify_audit():
            found.audit(checked)
        if anchored is not None:
            async for gone in authority.missing(anchored):
                kind, colon, node = gone.what.partition(":")
                which = {"audit": node} if colon else {"uuid": kind}
                found.lacks(which | {"anchored": True}, f"{gone.what} (anchored)", gone.sequence)


def _progress() -> Any:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} {task.description}"))
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _initialise(folder: Path, email: str, password_file: Path | None, *, single_operator: bool = False) -> str | None:
    """Initialise the folder; the password, if one was made."""
    from jobpass import compose

    if password_file is not None:
        given, made = inputs.read_secret(password_file, "password file"), None
    else:
        given = made = compose.make_password()
    asyncio.run(compose.init_data(folder, email, given, single_operator=single_operator))
    return made


def _tell(folder: Path, email: str, password: str | None, *, as_json: bool) -> None:
    if as_json:
        shown = {"data": str(folder), "email": email}
        output.json_line(shown | ({"password": password} if password else {}))
        return
    output.line(f"Initialised {folder}; the operator is {email}.")
    if password:
        output.line(f"The password, shown this once: {password}")
