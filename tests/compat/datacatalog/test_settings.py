"""Settings under the seed system's names: read at each call, by one module; no default opens anything."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from uuid import UUID

import pytest

import datacatalog
from datacatalog import settings
from datacatalog.settings import SettingError

SOURCE = Path(datacatalog.__file__).parent
USERNAMES = ("TACC_USERNAME", "AGAVE_USERNAME", "JUPYTERHUB_USER", "_abaco_username", "USER")
DEFAULTS = {
    "TACC_API_SERVER": "https://api.sd2e.org/",
    "TACC_PROJECT_NAME": "SD2E-Community",
    "TACC_TENANT": "sd2e",
    "TACC_MANAGER_ACCOUNT": "sd2eadm",
    "STORAGE_SYSTEM": "data-sd2e-community",
    "TYPEDUUID_HASHIDS_SALT": "xCPJ7PKTdp8BYYb4twh9xNYD",
    "UUID_NAMESPACE": UUID("54765aeb-44ca-374a-9a9f-eb4658383ee4"),
    "RECORDS_SOURCE": "testing",
    "MONGO_DELETE_FIELD": "_visible",
    "MAX_INDEX_FILTERS": 100,
    "MAX_INDEX_PATTERNS": 512,
    "ADMIN_TOKEN_LIFETIME": 3600,
    "SALT_LENGTH": 16,
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without any setting."""
    for variable in [name for name in os.environ if name.startswith(("CATALOG_", "TACC_", "_abaco_"))]:
        monkeypatch.delenv(variable)
    for variable in (*USERNAMES, "DNS_DOMAIN"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items())
def test_defaults_are_the_seed_systems(name: str, value: object) -> None:
    assert getattr(settings, name) == value


def test_the_length_of_a_token_is_twice_the_seed_systems() -> None:
    assert settings.TOKEN_LENGTH == 32


def test_each_is_read_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for tenant in ("one", "other", ""):
        monkeypatch.setenv("TACC_TENANT", tenant)
        assert tenant == settings.TACC_TENANT
    monkeypatch.setenv("DNS_DOMAIN", "example.org")
    assert settings.TACC_API_SERVER == "https://api.example.org/"
    monkeypatch.setenv("CATALOG_DNS_DOMAIN", "example.org")
    assert UUID("54765aeb-44ca-374a-9a9f-eb4658383ee4") != settings.UUID_NAMESPACE
    monkeypatch.setenv("CATALOG_MAX_INDEX_FILTERS", "7")
    assert settings.MAX_INDEX_FILTERS == 7


def test_an_unknown_name_is_no_setting() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'JOBS_TOKEN_SALT'"):
        settings.JOBS_TOKEN_SALT  # noqa: B018


@pytest.mark.parametrize("name", ["ADMIN_TOKEN_KEY", "ADMIN_TOKEN_SECRET"])
def test_w06_secrets_have_no_default(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(SettingError, match=f"CATALOG_{name} is not set"):
        getattr(settings, name)
    monkeypatch.setenv(f"CATALOG_{name}", "of this environment")
    assert getattr(settings, name) == "of this environment"


def test_b12_all_settings_are_told_but_the_secret_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_SECRET", "a secret of this environment")
    told = settings.all_settings()
    assert DEFAULTS.items() <= told.items()
    assert "a secret of this environment" not in told.values()
    assert not {"ADMIN_TOKEN_KEY", "ADMIN_TOKEN_SECRET"} & {*told, *dir(settings)}


@pytest.mark.parametrize("number", ["", "many", "-1", "0", "1.5", "٣", "10000000000"])
def test_a_number_is_a_number(monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    monkeypatch.setenv("CATALOG_MAX_INDEX_PATTERNS", number)
    with pytest.raises(SettingError, match="CATALOG_MAX_INDEX_PATTERNS must be a whole number"):
        settings.MAX_INDEX_PATTERNS  # noqa: B018


def test_whose_process_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"No TACC.cloud username"):
        settings.username()
    for variable in reversed(USERNAMES):
        monkeypatch.setenv(variable, f"by {variable}")
        assert settings.username() == f"by {variable}"
    monkeypatch.setenv("TACC_USERNAME", "")
    assert settings.username() == "by AGAVE_USERNAME"
    assert (settings.actor_id(), settings.execution_id()) == (None, None)
    monkeypatch.setenv("_abaco_actor_id", "6rgbzrjRKoBDk")
    monkeypatch.setenv("_abaco_execution_id", "PrAWoVwEY6NA")
    assert (settings.actor_id(), settings.execution_id()) == ("6rgbzrjRKoBDk", "PrAWoVwEY6NA")


def test_one_module_reads_the_environment_and_the_clock() -> None:
    readers = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "utcnow", "now"}
        if isinstance(node.value, ast.Name) and node.value.id in {"os", "datetime"}
    }
    assert readers == {"settings/environment.py"}
