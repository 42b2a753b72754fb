"""``jobpass webhook``: have a URL told of events."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobpass.cli import connect, inputs, options, output
from jobpass.cli.files import kept
from jobpass.errors import InvalidInput

if TYPE_CHECKING:
    from jobpass.wire.webhooks import WebhookAnswer

app = options.group("Have a URL told of events.")

Id = Annotated[str, typer.Argument(help="The webhook's id.")]
SecretFile = Annotated[Path | None, options.secret_file("the secret")]


@app.command()
def create(
    to: Annotated[str, typer.Argument(metavar="URL", help="Where it is told; - reads it from stdin.")],
    *,
    job: Annotated[str | None, typer.Option("--job", help="Of the events of this job of yours.")] = None,
    pipeline: Annotated[
        str | None, typer.Option("--pipeline", help="Of those of this pipeline's jobs, as far as you may see them.")
    ] = None,
    events: Annotated[
        list[str] | None, typer.Option("--event", help="Of these only; separated by commas, or given again.")
    ] = None,
    out: SecretFile = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Have a URL told of events from now on; prints the id, and this once the secret that signs."""
    if (job is None) == (pipeline is None):
        raise InvalidInput("Say whose events: either --job UUID or --pipeline UUID.")
    target = inputs.read_text(Path("-"), "URL").strip() if to == "-" else to
    names = inputs.split(events) or []
    with connect.connect(url, token_file) as client:
        _give(
            lambda: client.create_webhook(target, job_uuid=job, pipeline_uuid=pipeline, events=names),
            out,
            as_json=as_json,
        )


@app.command("list")
def list_(
    *,
    limit: options.Limit = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """List webhooks: all of them for an operator, else your own."""
    with connect.connect(url, token_file) as client:
        found = list(islice(client.iter_webhooks(), limit))
    rows = ((one.id, _state(one), one.job_uuid or one.pipeline_uuid, ",".join(one.events), one.url) for one in found)
    output.listing({"webhooks": found}, ("id", "state", "job or pipeline", "events", "url"), rows, as_json=as_json)


@app.command()
def show(
    webhook_id: Id, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Show a webhook, and how much waits for it."""
    with connect.connect(url, token_file) as client:
        found = client.webhook(webhook_id)
    _show(found, as_json=as_json)


@app.command()
def rotate(
    webhook_id: Id,
    *,
    grace_seconds: Annotated[
        int, typer.Option("--grace-seconds", min=0, help="How long the secret before signs too.")
    ] = 86_400,
    out: SecretFile = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Print a new secret, this once; the one before signs too for a while."""
    with connect.connect(url, token_file) as client:
        _give(lambda: client.rotate_webhook(webhook_id, grace_seconds), out, as_json=as_json)


@app.command()
def enable(
    webhook_id: Id, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Have a disabled webhook told of what happens from now on."""
    with connect.connect(url, token_file) as client:
        found = client.enable_webhook(webhook_id)
    output.say(found, f"{found.id} is {_state(found)}.", as_json=as_json)


@app.command()
def ping(
    webhook_id: Id, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """Send something that means nothing, once; what fails is among the dead letters."""
    with connect.connect(url, token_file) as client:
        message = client.ping_webhook(webhook_id)
    output.say({"message_id": message}, f"A ping {message} is on its way.", as_json=as_json)


@app.command("dead-letters")
def dead_letters(
    webhook_id: Id,
    *,
    limit: options.Limit = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """List what was given up, and why."""
    with connect.connect(url, token_file) as client:
        found = list(islice(client.iter_dead_letters(webhook_id), limit))
    rows = ((one.id, one.job_uuid, one.sequence, one.event or "ping", one.attempts, one.last_error) for one in found)
    output.listing(
        {"dead_letters": found}, ("id", "job", "sequence", "event", "attempts", "error"), rows, as_json=as_json
    )


@app.command()
def retry(
    webhook_id: Id,
    *,
    dead: Annotated[list[int] | None, typer.Option("--id", min=1, help="This dead letter; else all.")] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Try again what was given up."""
    with connect.connect(url, token_file) as client:
        count = client.retry_dead_letters(webhook_id, dead)
    output.say({"retried": count}, f"{count} wait to be sent again.", as_json=as_json)


@app.command()
def delete(
    webhook_id: Id, *, url: connect.Url = None, token_file: connect.TokenFile = None, as_json: output.Json = False
) -> None:
    """End a webhook and all that waits for it."""
    with connect.connect(url, token_file) as client:
        client.delete_webhook(webhook_id)
    output.say({"id": webhook_id, "deleted": True}, f"{webhook_id} is gone.", as_json=as_json)


def _give(make: Callable[[], WebhookAnswer], out: Path | None, *, as_json: bool) -> None:
    """Make a webhook or a secret and show it; the secret goes into a file, if there is to be one."""
    made = kept(make, lambda one: str(one.secret), out)
    members = {"id": made.id, "secret": made.secret} if out is None else {"id": made.id, "file": str(out)}
    output.json_line(members) if as_json else output.fields(members.items())


def _state(found: WebhookAnswer) -> str:
    if found.disabled_at is not None:
        return "disabled"
    return "failing" if found.failing_since is not None else "sound"


def _show(found: WebhookAnswer, *, as_json: bool) -> None:
    if not as_json:
        output.fields([("state", _state(found))])
    output.record(found, as_json=as_json, events=", ".join(found.events) or "all")
