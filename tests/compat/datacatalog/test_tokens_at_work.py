"""An administrative token made here opens an installation of the same secret and key, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from time import sleep, time

import pytest

import jobpass
from datacatalog.tokens import get_admin_token, get_token, validate_token
from jobpass.errors import InvalidToken

SECRET = "v9Tq2LxKe7wUo4Rz1NcYb6Hd8MfGs3Pa"
KEY = "STbmczGuxqvQSN6YCaA2CmHbpet2tZHc"
OTHER_KEY = "q8Wn5XcRt2Vb7Lm4Kj9Hg1Fd6Sa3Po0I"
PIPELINE = {"id": "p1", "name": "p1", "components": [{"uri": "https://example.org/"}], "processing_levels": ["1"]}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_SECRET", SECRET)
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_KEY", KEY)
    monkeypatch.delenv("CATALOG_ADMIN_TOKEN_LIFETIME", raising=False)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URL of an installation that was opened with the key, and the uuid of a job in it."""
    url = f"sqlite://{tmp_path_factory.mktemp('jobs')}"
    with jobpass.open(url, secret=SECRET, account="author@localhost", admin_key=KEY) as client:
        pipeline = client.create_pipeline(PIPELINE)["uuid"]
        yield url, client.create_job(pipeline).uuid


def reset(installation: tuple[str, str], token: str) -> str:
    """The state that the job is in after the token's holder has reset it and made it ready."""
    url, job = installation
    with jobpass.open(url, str(token), secret=SECRET) as client:
        client.send(job, "reset")
        return client.send(job, "ready").state


@pytest.mark.parametrize("lifetime", ["60", "3600", "604800"])
def test_the_token_of_the_environments_key_opens_it(
    installation: tuple[str, str], monkeypatch: pytest.MonkeyPatch, lifetime: str
) -> None:
    if (remaining := 60 - time() % 60) < 5:  # the window before must not end meanwhile
        sleep(remaining)
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_LIFETIME", lifetime)
    assert reset(installation, get_admin_token(KEY)) == "CREATED"
    assert reset(installation, get_admin_token(KEY, previous=True)) == "CREATED"


def test_a_token_that_ended_opens_nothing(installation: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_LIFETIME", "1")
    token = get_admin_token(KEY)
    sleep(2)
    assert not validate_token(token)
    with pytest.raises(InvalidToken):
        reset(installation, token)


def test_another_keys_token_opens_nothing(installation: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidToken):
        reset(installation, get_admin_token(OTHER_KEY))
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_SECRET", SECRET[::-1])
    with pytest.raises(InvalidToken):
        reset(installation, get_admin_token(KEY))


def test_a_text_of_salt_and_fields_opens_nothing(installation: tuple[str, str]) -> None:
    with pytest.raises(InvalidToken):
        reset(installation, get_token("a salt", installation[1]))
