"""``jobpass audit``."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobpass.cli import connect, inputs, options, output

if TYPE_CHECKING:
    from jobpass.client.results import AuditEntry

COLUMNS = ("at", "node", "number", "name", "principal", "credential", "address", "subject", "data")


def audit(
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes.")] = False,
    name: Annotated[str | None, typer.Option("--name", help="Only entries of this name, such as login.")] = None,
    principal: Annotated[int | None, typer.Option("--principal", help="Only what this account did (id).")] = None,
    since: Annotated[str | None, typer.Option("--since", help="From then on: 2h ago, or a moment of RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Before then; likewise.")] = None,
    limit: options.Limit = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Show the audit: log-ins, reviews, revocations, refusals with their true reason. For operators."""
    from jobpass.clock import SystemClock

    now = SystemClock().now()

    def moment(text: str | None, option: str) -> datetime | None:
        return None if text is None else inputs.read_moment(text, option, now, past=True)

    with connect.connect(url, token_file) as client:
        entries = client.iter_audit(
            name=name,
            principal=principal,
            since=moment(since, "--since"),
            until=moment(until, "--until"),
            follow=follow,
            limit=None if limit is None else min(limit, 1000),
        )
        chosen = islice(entries, limit)
        if as_json or follow:
            for entry in chosen:
                output.json_line(entry) if as_json else output.line("\t".join(map(output.printable, _row(entry))))
        else:
            output.table(COLUMNS, (_row(entry) for entry in chosen))


def _row(entry: AuditEntry) -> tuple[Any, ...]:
    who = (entry.principal, entry.credential, entry.address, entry.subject)
    return (output.moment(entry.at), entry.node, entry.sequence, entry.name, *who, output.compact(entry.data, 400))
