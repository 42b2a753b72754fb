"""The URLs of callbacks, made offline."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import jobpass
from jobpass.clock import FixedClock
from jobpass.errors import InvalidInput, MalformedToken, MissingToken, WrongKind
from jobpass.tokens.caveats import Caveat, Cidr, Events, ExpiresAt, Jobs, read_all
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mint import mint_credential, mint_document
from jobpass.tokens.ticket import is_ticket
from jobpass.tokens.token import parse

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
JOB = "1071269f-b251-5a5f-bec1-6d7f77131f3f"
KEYS = Keyring.generate(b"\1\2\3\4", bytes(range(32)))
TOKEN = mint_document(KEYS, KEYS.signing_kid, JOB, 7)
LOGIN = mint_credential(KEYS, "login", "0" * 32)
SERVER = "https://jobs.example.org/behind"


@pytest.fixture
def client() -> Iterator[jobpass.Client]:
    with jobpass.Client(SERVER, TOKEN, clock=FixedClock(NOW)) as made:
        yield made


def caveats(url: str) -> tuple[Caveat, ...]:
    return read_all(parse(url.rpartition("/")[2]).caveats)


def test_a_url_holds_a_ticket(client: jobpass.Client) -> None:
    url = client.callback_url(["finish"], expires_in_seconds=90, cidr=["10.0.0.0/8"])
    assert url.startswith(f"{SERVER}/api/callbacks/jp_doc_")
    assert is_ticket(caveats(url), NOW)
    end = int(NOW.timestamp()) + 90
    assert set(caveats(url)) >= {Jobs((JOB,)), Events(("finish",)), ExpiresAt(end), Cidr(("10.0.0.0/8",))}
    assert url == client.callback_url(["finish"], expires_at=NOW + timedelta(seconds=90), cidr=["10.0.0.0/8"])
    assert url == client.with_token(None).callback_url(
        ["finish"], expires_in_seconds=90, cidr=["10.0.0.0/8"], token=TOKEN
    )


def test_it_begins_where_others_reach_the_server(client: jobpass.Client) -> None:
    told = client.callback_url(["run"], expires_in_seconds=90, base="https://outside.example.org/")
    assert told.startswith("https://outside.example.org/api/callbacks/jp_doc_")
    with jobpass.Client(SERVER, TOKEN, clock=FixedClock(NOW), public_url="https://outside.example.org") as outside:
        assert outside.callback_url(["run"], expires_in_seconds=90) == told
        assert outside.with_token(TOKEN).callback_url(["run"], expires_in_seconds=90, base=SERVER).startswith(SERVER)
    for base in ("http://jobs.example.org", "ftp://x", "jobs.example.org", "https://ann:pw@x", "https://x?y"):
        with pytest.raises(InvalidInput):
            client.callback_url(["run"], expires_in_seconds=90, base=base)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"expires_in_seconds": 0},
        {"expires_in_seconds": -1},
        {"expires_in_seconds": float("inf")},
        {"expires_in_seconds": 30 * 86400 + 1},
        {"expires_in_seconds": 90, "expires_at": NOW + timedelta(seconds=90)},
        {"expires_at": NOW},
        {"expires_at": NOW + timedelta(days=30, seconds=1)},
        {"expires_at": (NOW + timedelta(days=1)).replace(tzinfo=None)},
        {"expires_in_seconds": 90, "cidr": ["everywhere"]},
        {"expires_in_seconds": 90, "cidr": "10.0.0.0/8"},
    ],
    ids=str,
)
def test_what_cannot_be_a_ticket_is_not_made(client: jobpass.Client, more: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        client.callback_url(["run"], **more)


@pytest.mark.parametrize("events", [[], "run", [1]])
def test_it_names_its_events(client: jobpass.Client, events: Any) -> None:
    with pytest.raises(InvalidInput):
        client.callback_url(events, expires_in_seconds=90)


def test_it_is_made_from_a_document_token(client: jobpass.Client) -> None:
    for token, kind in ((LOGIN, WrongKind), ("nonsense", MalformedToken)):
        with pytest.raises(kind) as caught:
            client.callback_url(["run"], expires_in_seconds=90, token=token)
        assert token[7:] not in str(caught.value) or token == "nonsense"
    with pytest.raises(MissingToken):
        client.with_token(None).callback_url(["run"], expires_in_seconds=90)


def test_in_process_no_url_leads_anywhere_unless_it_is_told(tmp_path: Path) -> None:
    secret = "a secret of enough letters"
    for environ, expected in (({}, None), ({"JOBPASS_PUBLIC_URL": SERVER}, SERVER)):
        opened = jobpass.open(f"sqlite://{tmp_path}/data", secret=secret, account="ann@example.org", environ=environ)
        with opened:
            if expected is None:
                with pytest.raises(InvalidInput, match="in process"):
                    opened.callback_url(["run"], expires_in_seconds=90, token=TOKEN)
            else:
                made = opened.callback_url(["run"], expires_in_seconds=90, token=TOKEN)
                assert made.startswith(f"{expected}/api/callbacks/")


async def test_the_asynchronous_client_makes_the_same() -> None:
    async with jobpass.AsyncClient(SERVER, TOKEN, clock=FixedClock(NOW), public_url="https://o.example.org") as client:
        url = client.callback_url(["run"], expires_in_seconds=90)
    assert url.startswith("https://o.example.org/api/callbacks/jp_doc_")
