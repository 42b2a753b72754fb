"""``jobpass platform``: where jobs are sent to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jobpass.cli import connect, inputs, options, output
from jobpass.errors import InvalidInput

if TYPE_CHECKING:
    from datetime import datetime

    from jobpass.client.results import Platform
    from jobpass.wire.platforms import Maintenance, PublicPlatform

app = options.group("See platforms; for operators: keep them.")

STATUSES: Final = ("available", "maintenance", "unavailable")

Name = Annotated[str, typer.Argument(help="The platform's name, such as sim:local.")]
Description = Annotated[str | None, typer.Option("--description", help="What it is.")]
Type = Annotated[str | None, typer.Option("--type", help="Its kind, such as simulator or physical.")]
StatusOption = Annotated[str | None, typer.Option("--status", help="available, maintenance or unavailable.")]
MaxShots = Annotated[int | None, typer.Option("--max-shots", help="The most shots of one job.")]
MaxDuration = Annotated[str | None, typer.Option("--max-duration", help="How long one job may run: 10m, 2h.")]
Constraints = Annotated[
    str | None, typer.Option("--constraints", help="JSON object, or @FILE; stands before what its workers say.")
]
From = Annotated[str | None, typer.Option("--maintenance-from", help="Worked on from then: 2h, or RFC 3339.")]
Until = Annotated[str | None, typer.Option("--maintenance-until", help="And until then; else until further notice.")]


@app.command()
def create(
    name: Name,
    *,
    description: Description = None,
    kind: Type = None,
    status: StatusOption = None,
    max_shots: MaxShots = None,
    max_duration: MaxDuration = None,
    constraints: Constraints = None,
    maintenance_from: From = None,
    maintenance_until: Until = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Add a platform."""
    members = _members(description, kind, status, max_shots, max_duration, constraints)
    maintenance = _maintenance(maintenance_from, maintenance_until)
    with connect.connect(url, token_file) as client:
        made = client.create_platform(name, **members, maintenance=maintenance)
    _show(made, as_json=as_json)


@app.command("list")
def list_(
    *,
    public: Annotated[bool, typer.Option("--public", help="What anybody is told; needs no token.")] = False,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """List the platforms that you may use, or with --public those that there are."""
    with connect.connect(url, token_file) as client:
        found: list[PublicPlatform] = client.public_platforms() if public else list(client.platforms())
    rows = ((one.name, one.status, one.type, one.description) for one in found)
    output.listing({"platforms": found}, ("name", "status", "type", "description"), rows, as_json=as_json)


@app.command()
def show(
    name: Name, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Show a platform."""
    with connect.connect(url, token_file) as client:
        found = client.platform(name)
    _show(found, as_json=as_json)


@app.command()
def update(
    name: Name,
    *,
    description: Description = None,
    kind: Type = None,
    status: StatusOption = None,
    max_shots: MaxShots = None,
    no_max_shots: Annotated[bool, typer.Option("--no-max-shots", help="No bound on shots.")] = False,
    max_duration: MaxDuration = None,
    no_max_duration: Annotated[bool, typer.Option("--no-max-duration", help="No bound on time.")] = False,
    constraints: Constraints = None,
    maintenance_from: From = None,
    maintenance_until: Until = None,
    no_maintenance: Annotated[bool, typer.Option("--no-maintenance", help="None is planned.")] = False,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Change a platform; what is not given stays."""
    changes = _members(description, kind, status, max_shots, max_duration, constraints)
    maintenance = _maintenance(maintenance_from, maintenance_until)
    if maintenance is not None:
        changes["maintenance"] = maintenance
    for given, member in (
        (no_max_shots, "max_shots"),
        (no_max_duration, "max_duration_seconds"),
        (no_maintenance, "maintenance"),
    ):
        if given and member in changes:
            raise InvalidInput(f"--no-{member.removesuffix('_seconds').replace('_', '-')} contradicts what is given.")
        changes |= {member: None} if given else {}
    if not changes:
        raise InvalidInput("Say what to change.")
    with connect.connect(url, token_file) as client:
        changed = client.update_platform(name, **changes)
    _show(changed, as_json=as_json)


@app.command()
def retire(
    name: Name,
    *,
    yes: options.Yes = False,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Take a platform out of use for good; its name is not given again."""
    inputs.confirm(f"Take {output.printable(name)} out of use for good?", yes=yes)
    with connect.connect(url, token_file) as client:
        retired = client.retire_platform(name)
    output.say(retired, f"{retired.name} is {retired.status}.", as_json=as_json)


def _members(
    description: str | None,
    kind: str | None,
    status: str | None,
    max_shots: int | None,
    max_duration: str | None,
    constraints: str | None,
) -> dict[str, Any]:
    """What was given, by the arguments of the SDK."""
    members = {
        "description": description,
        "type": kind,
        "status": None if status is None else inputs.one_of(status, STATUSES, "--status"),
        "max_shots": max_shots,
        "max_duration_seconds": None if max_duration is None else inputs.read_seconds(max_duration, "--max-duration"),
        "constraints": None if constraints is None else inputs.read_object(constraints, "--constraints"),
    }
    return {name: value for name, value in members.items() if value is not None}


def _maintenance(begin: str | None, end: str | None) -> Maintenance | None:
    from jobpass.clock import SystemClock
    from jobpass.wire.platforms import Maintenance

    if begin is None:
        if end is not None:
            raise InvalidInput("--maintenance-until needs --maintenance-from.")
        return None
    now = SystemClock().now()

    def read(text: str, option: str) -> datetime:
        return inputs.read_moment(text, option, now, past=False)

    until = None if end is None else read(end, "--maintenance-until")
    return Maintenance(read(begin, "--maintenance-from"), until)


def _show(found: Platform, *, as_json: bool) -> None:
    objects = {name: getattr(found, name) for name in ("constraints", "specs", "perfs", "statistic")}
    words = {name: output.compact(value) if value else None for name, value in objects.items()}
    if found.maintenance is not None:
        start, end = found.maintenance.start_time, found.maintenance.end_time
        words["maintenance"] = f"from {output.moment_or(start)} until {output.moment_or(end, 'further notice')}"
    output.record(found, as_json=as_json, **words)
