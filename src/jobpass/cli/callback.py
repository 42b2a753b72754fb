"""``jobpass job callback``: a URL for a sender that can only call one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jobpass.cli import connect, inputs, options, output

if TYPE_CHECKING:
    from jobpass.client.sync import Client


def callback(
    uuid: options.Uuid,
    *,
    events: Annotated[
        list[str], typer.Option("--events", help="What the sender may cause; separated by commas, or given again.")
    ],
    expires: Annotated[
        str, typer.Option("--expires", help="Until then, within 30 days: 10m, 2h, 7d, or a moment of RFC 3339.")
    ],
    cidr: Annotated[
        list[str] | None, typer.Option("--cidr", help="Only from these networks, such as 10.0.0.0/8.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option("--base", help="Where the sender reaches the server; else JOBPASS_PUBLIC_URL, else here."),
    ] = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Print a URL that causes these events of a job, for senders that can only call one. It is a secret."""
    from jobpass.clock import SystemClock
    from jobpass.settings import environment

    ends = inputs.read_moment(expires, "--expires", SystemClock().now(), past=False)
    with connect.connect(url, token_file) as client:
        made = client.callback_url(
            inputs.split(events) or [],
            expires_at=ends,
            cidr=inputs.split(cidr),
            token=_document_token(client, uuid),
            base=base or environment().get("JOBPASS_PUBLIC_URL"),
        )
    output.say({"uuid": uuid, "url": made}, made, as_json=as_json)


def _document_token(client: Client, uuid: str) -> str:
    """The client's own token if it is this job's, else the one that the server gives the job's owner again."""
    from jobpass.tokens.token import parse

    own = client.token
    return own if own is not None and parse(own).identity.job_uuid == uuid else client.job_token(uuid)
