"""``jobpass token``: make, see and end job tokens; look into any token, make it narrower."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobpass.cli import connect, exits, inputs, job_tokens, options, output
from jobpass.errors import InvalidInput, MalformedToken

if TYPE_CHECKING:
    from jobpass.client.results import Introspection
    from jobpass.tokens.caveats import Caveat

app = options.group("Make, see and end job tokens; look into any token, make it narrower.")
job_tokens.add_to(app)

File = Annotated[
    Path | None,
    typer.Option("--file", help="The token (- is stdin); else JOBPASS_TOKEN, else stdin. Never an argument."),
]
UNREADABLE = "a condition that this release cannot read: the token opens nothing here"


@app.command()
def inspect(
    *,
    file: File = None,
    server: Annotated[bool, typer.Option("--server", help="Ask the server, too, what the token is now.")] = False,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> int:
    """Show what a token says it is; whether that is true, the server alone can tell (exit code 1: it is not active)."""
    from jobpass.tokens.token import parse

    text = inputs.read_token(file, "JOBPASS_TOKEN", "token")
    shown = _described(parse(text).prefix, text)
    told: Introspection | None = None
    if server:
        with connect.connect(url, token_file) as client:
            told = client.introspect(text)
    if as_json:
        output.json_line(shown | ({"server": told} if told is not None else {}))
    else:
        conditions = shown.pop("conditions")
        output.fields((name, value) for name, value in shown.items() if value is not None)
        for condition in conditions:
            output.line(f"condition: {output.printable(condition)}")
        if told is not None:
            output.fields(_told(told))
    return exits.NO if told is not None and not told.active else exits.OK


@app.command()
def attenuate(
    *,
    events: Annotated[list[str] | None, options.several("--events", "these events")] = None,
    states: Annotated[
        list[str] | None,
        typer.Option("--states", help="STATE=EVENT,EVENT: only these events from this state; may be given again."),
    ] = None,
    actions: Annotated[list[str] | None, options.several("--actions", "these actions, such as jobs.read")] = None,
    jobs: Annotated[list[str] | None, options.several("--jobs", "these jobs (uuids)")] = None,
    platforms: Annotated[list[str] | None, options.several("--platforms", "these platforms")] = None,
    cidr: Annotated[
        list[str] | None, options.several("--cidr", "callers from these networks, such as 10.0.0.0/8")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="Until then: 30s, 10m, 2h, 7d, or a moment of RFC 3339.")
    ] = None,
    file: File = None,
    as_json: output.Json = False,
) -> None:
    """Make a narrower token, without asking the server; nothing turns it back. Reads stdin, writes stdout."""
    from jobpass.client.narrow import narrow
    from jobpass.clock import SystemClock

    now = SystemClock().now()
    ends = None if expires is None else inputs.read_moment(expires, "--expires", now, past=False)
    token = narrow(
        inputs.read_token(file, "JOBPASS_TOKEN", "token"),
        now,
        expires_at=ends,
        jobs=inputs.split(jobs),
        events=inputs.split(events),
        states=None if states is None else _states(states),
        actions=inputs.split(actions),
        platforms=inputs.split(platforms),
        cidr=inputs.split(cidr),
    )
    output.say({"token": token}, token, as_json=as_json)


def _states(texts: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        state, equals, events = text.partition("=")
        if not equals or not state or state in found:
            raise InvalidInput(f"--states: write STATE=EVENT,EVENT, each state once: {text}")
        found[state] = inputs.split([events]) or []
    return found


def _described(prefix: str, text: str) -> dict[str, Any]:
    """What a token says of itself."""
    from jobpass.tokens.caveats import earliest_expiry, moment, read_all
    from jobpass.tokens.token import ADMIN_KEY_PREFIX, parse

    token = parse(text)
    identity = token.identity
    caveats: list[Caveat] = []
    conditions = []
    for raw in token.caveats:
        try:
            read = read_all([raw])
        except MalformedToken:
            conditions.append(UNREADABLE)
            continue
        caveats += read
        conditions += [in_words(caveat) for caveat in read]
    ends = earliest_expiry(caveats)
    return {
        "kind": "admin key" if prefix == ADMIN_KEY_PREFIX else identity.kind,
        "kid": identity.kid,
        "job": identity.job_uuid,
        "credential": identity.credential_id,
        "lifetime_seconds": identity.lifetime_seconds,
        "expires_at": None if ends is None else f"{moment(ends):%Y-%m-%dT%H:%M:%SZ}",
        "conditions": conditions,
    }


def in_words(caveat: Caveat) -> str:
    """A condition as a person would say it."""
    from jobpass.tokens import caveats

    if isinstance(caveat, caveats.ExpiresAt):
        return f"until {caveats.moment(caveat.at):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(caveat, caveats.States):
        each = [f"from {state} only {_listed(events)}" for state, events in caveat.allowed.items()]
        return "; ".join(each or ["no events"]) + "; from other states none"
    names = {
        "jobs": "about the jobs",
        "events": "the events",
        "actions": "the actions",
        "platforms": "on the platforms",
    }
    what = names.get(caveat.code, "from the networks")
    return f"only {what} {_listed(getattr(caveat, 'allowed', ()))}"


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words) if words else "(none)"


def _told(told: Introspection) -> list[tuple[str, Any]]:
    """What the server says."""
    from jobpass.tokens.caveats import moment

    if not told.active:
        return [("the server says", "not active, or not your business")]
    ends = None if told.exp is None else f"{moment(told.exp):%Y-%m-%d %H:%M:%S} UTC"
    pairs = [("the server says", "active"), ("subject", told.sub), ("ends", ends), ("scope", told.scope)]
    return [(name, value) for name, value in pairs if value]
