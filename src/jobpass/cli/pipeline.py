"""``jobpass pipeline``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobpass.cli import connect, inputs, options, output

app = options.group("Register and see pipelines.")


@app.command()
def create(
    file: Annotated[Path, typer.Argument(help="A JSON file with the pipeline; - is stdin.")],
    *,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Register a pipeline, or change your own of the same id and components; prints its uuid."""
    members = inputs.read_object(f"@{file}", str(file))
    with connect.connect(url, token_file) as client:
        pipeline = client.create_pipeline(members)
    output.say(pipeline, pipeline["uuid"], as_json=as_json)


@app.command("list")
def list_(
    *,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """List all pipelines."""
    with connect.connect(url, token_file) as client:
        pipelines = list(client.iter_pipelines(limit=1000))
    rows = ((p["uuid"], p.get("id"), p.get("name"), len(p.get("components") or ())) for p in pipelines)
    shown = {"pipelines": pipelines, "next": None}
    output.listing(shown, ("uuid", "id", "name", "components"), rows, as_json=as_json)


@app.command()
def show(
    uuid: Annotated[str, typer.Argument(help="The pipeline's uuid.")],
    *,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Show one pipeline."""
    with connect.connect(url, token_file) as client:
        pipeline = client.pipeline(uuid)
    if as_json:
        output.json_line(pipeline)
    else:
        output.fields((name, output.compact(value)) for name, value in pipeline.items())
