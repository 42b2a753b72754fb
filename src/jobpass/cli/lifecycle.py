"""``jobpass lifecycle``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobpass.cli import connect, exits, inputs, options, output
from jobpass.errors import InvalidLifecycle

if TYPE_CHECKING:
    from jobpass.lifecycle.registry import Lifecycles

app = options.group("See lifecycles, and check one of your own.")

Data = Annotated[
    Path | None, typer.Option("--data", help="Read them from this data folder; else JOBPASS_DATA, else ask the server.")
]


@app.command("list")
def list_(
    *,
    data: Data = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """List the lifecycles that jobs can have; with neither data folder nor server the standard ones."""
    found = _known(data, url, token_file)
    rows = ((one.name, len(one.states), len(one.events), one.description) for one in found)
    shown = {"lifecycles": [_as_data(found, name) for name in found.names]}
    output.listing(shown, ("name", "states", "events", "description"), rows, as_json=as_json)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The lifecycle's name.")],
    *,
    format_: Annotated[str, typer.Option("--format", help="text, mermaid, dot or svg.")] = "text",
    data: Data = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Show a lifecycle as a table or a picture."""
    from jobpass.lifecycle.draw import draw

    found = _known(data, url, token_file)
    lifecycle = found.get(name, "NAME")
    if as_json:
        output.json_line(_as_data(found, name))
    else:
        output.line(draw(lifecycle, format_).removesuffix("\n"))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A TOML file; - is stdin.")], *, as_json: output.Json = False
) -> int:
    """Check a lifecycle of your own; a line for each problem, and exit code 1."""
    from jobpass.lifecycle.parse import parse

    try:
        found = parse(inputs.read_text(file, "lifecycle"), str(file))
    except InvalidLifecycle as failure:
        problems = failure.detail["problems"]
        if as_json:
            output.json_line({"sound": False, "problems": problems})
        else:
            for one in problems:
                output.line(f"{file}:{one['line']}: {output.printable(one['problem'])}")
        return exits.NO
    shown = {"sound": True, "name": found.name, "states": len(found.states), "events": len(found.events)}
    told = f"{found.name} is sound: {len(found.states)} states, {len(found.events)} events"
    output.say(shown, told, as_json=as_json)
    return exits.OK


def _known(data: Path | None, url: str | None, token_file: Path | None) -> Lifecycles:
    from jobpass.cli import private
    from jobpass.compose import read_lifecycles
    from jobpass.lifecycle.registry import Lifecycles
    from jobpass.lifecycle.standard import STANDARD
    from jobpass.settings import data_path, environment

    environ = environment()
    if data is not None or (url is None and environ.get("JOBPASS_DATA")):
        return read_lifecycles(data_path(environ, data))
    if connect.resolve(url, token_file)[0] is None and not private.exists():
        return STANDARD
    from jobpass.client.picture import lifecycle_of

    with connect.connect(url, token_file) as client:
        return Lifecycles(lifecycle_of(one) for one in client.lifecycles())


def _as_data(found: Lifecycles, name: str) -> dict[str, Any]:
    one = found.get(name)
    table: dict[str, dict[str, str]] = {state.name: {} for state in one.states}
    for (state, event), after in one.table.items():
        table[state][event] = after
    return {
        "name": one.name,
        "description": one.description,
        "initial": one.initial,
        "states": [{"name": s.name, "description": s.description, "final": s.final} for s in one.states],
        "events": [{"name": e.name, "description": e.description, "admin_only": e.admin_only} for e in one.events],
        "table": table,
        "admin_only": sorted(one.admin_only),
    }
