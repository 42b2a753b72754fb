from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobpass.errors import SetupError
from jobpass.settings import (
    ArchiveSystem,
    Settings,
    config_path,
    data_path,
    job_environment,
    load,
    user_config_folder,
    user_state_folder,
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "jobpass.toml"
    path.write_text('# ours\nhost = "127.0.0.2"\n\nport = 1111\nlog_level = "error"\n')
    return path


def test_without_anything_the_defaults_hold() -> None:
    loaded = load({})
    assert loaded.settings == Settings()
    assert loaded.settings.host == "127.0.0.1"
    assert loaded.settings.body_limit_bytes == 1024 * 1024
    assert set(loaded.origins.values()) == {"default"}


def test_later_layers_win_and_each_value_knows_its_place(config: Path) -> None:
    environ = {"JOBPASS_PORT": "2222", "JOBPASS_LOG_LEVEL": "warning", "OTHER": "x"}
    loaded = load(environ, data=config.parent, flags={"log_level": "debug", "host": None})
    assert (loaded.settings.host, loaded.settings.port, loaded.settings.log_level) == ("127.0.0.2", 2222, "debug")
    assert loaded.origins["host"] == f"{config} line 2"
    assert loaded.origins["port"] == "environment JOBPASS_PORT"
    assert loaded.origins["log_level"] == "flag --log-level"
    assert loaded.origins["access_log"] == "default"


@pytest.mark.parametrize(("text", "value"), [("true", True), ("0", False), ("false", False), ("1", True)])
def test_the_environment_is_read_as_the_setting_s_type(text: str, value: bool) -> None:
    assert load({"JOBPASS_ACCESS_LOG": text}).settings.access_log is value


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"nowhere\.toml cannot be read"):
        load({}, config=tmp_path / "nowhere.toml")
    assert load({}, data=tmp_path).settings == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('\nhots = "x"\n', r"'hots' \(.*line 2\)"),
        ("port = 1\nport = 2\n", "not TOML"),
        ('port = "8470"\n', r"port \(.*line 1\).*int"),
        ("port = 99999\n", r"port \(.*line 1\)"),
        ("\n\n[server]\nport = 1\n", r"'server' \(.*line 3\)"),
        ('host = ""\n', r"host \(.*line 1\)"),
        ("port = \n", "line 1"),
        ('log_format = "xml"\n', r"log_format \(.*line 1\)"),
    ],
)
def test_a_bad_file_is_refused_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "jobpass.toml").write_text(text)
    with pytest.raises(SetupError, match=message):
        load({}, data=tmp_path)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jobpass.toml").write_bytes(b'host = "\xff"\n')
    with pytest.raises(SetupError, match="not TOML"):
        load({}, data=tmp_path)


@pytest.mark.parametrize(
    ("variable", "text"),
    [("JOBPASS_PROT", "1"), ("JOBPASS_PORT", "tcp://10.0.0.1:8470"), ("JOBPASS_PORT", "-1"), ("JOBPASS_PORT", "")],
)
def test_a_bad_variable_is_refused_by_name(variable: str, text: str) -> None:
    with pytest.raises(SetupError, match=variable):
        load({variable: text})


def test_a_bad_flag_is_refused_by_name() -> None:
    with pytest.raises(SetupError, match="--log-format"):
        load({}, flags={"log_format": "xml"})


def test_an_error_does_not_show_the_value() -> None:
    with pytest.raises(SetupError) as caught:
        load({"JOBPASS_PORT": "jp_doc_canary"})
    assert "canary" not in str(caught.value)


def test_variables_of_the_client_are_not_settings_of_the_server() -> None:
    environ = {"JOBPASS_URL": "u", "JOBPASS_JOB": "j", "JOBPASS_TOKEN": "t", "JOBPASS_KEYRING": "k"}
    assert load(environ).settings == Settings()


def test_the_data_folder_must_be_named() -> None:
    assert data_path({"JOBPASS_DATA": "/a"}) == Path("/a")
    assert data_path({"JOBPASS_DATA": "/a"}, Path("/b")) == Path("/b")
    with pytest.raises(SetupError, match="--data"):
        data_path({"JOBPASS_DATA": ""})


def test_the_settings_file_may_be_named() -> None:
    assert config_path({}) is None
    assert config_path({"JOBPASS_CONFIG": "/a"}) == Path("/a")
    assert config_path({"JOBPASS_CONFIG": "/a"}, Path("/b")) == Path("/b")


def test_the_user_s_folders_follow_xdg() -> None:
    assert user_config_folder({"XDG_CONFIG_HOME": "/c", "HOME": "/h"}) == Path("/c/jobpass")
    assert user_config_folder({"XDG_CONFIG_HOME": "relative", "HOME": "/h"}) == Path("/h/.config/jobpass")
    assert user_state_folder({"HOME": "/h"}) == Path("/h/.local/state/jobpass")


def test_a_job_process_gets_three_variables_and_nothing_else_of_ours() -> None:
    environ = {"PATH": "/bin", "JOBPASS_TOKEN": "login", "JOBPASS_KEYRING": "secret", "JOBPASS_X": "y"}
    assert job_environment(environ, "u", "j", "t") == {
        "PATH": "/bin",
        "JOBPASS_URL": "u",
        "JOBPASS_JOB": "j",
        "JOBPASS_TOKEN": "t",
    }


ARCHIVES = """
default_archive = "disk"

[archives.disk]
url = "file:///srv/archive"

[archives."the.store"]
url = "s3://bucket/jobs"
roots = ["/products", "/uploads/v2"]
options = { key = "canary", secret = "canary" }
"""


def test_archives_are_a_table_by_name(tmp_path: Path) -> None:
    (tmp_path / "jobpass.toml").write_text(ARCHIVES)
    loaded = load({}, data=tmp_path)
    assert loaded.settings.default_archive == "disk"
    assert loaded.settings.archives == {
        "disk": ArchiveSystem("file:///srv/archive", ("/products",)),
        "the.store": ArchiveSystem(
            "s3://bucket/jobs", ("/products", "/uploads/v2"), {"key": "canary", "secret": "canary"}
        ),
    }
    assert loaded.origins["archives"] == f"{tmp_path / 'jobpass.toml'} line 4"


def test_archives_of_the_environment_are_json() -> None:
    text = '{"disk": {"url": "file:///srv/archive", "roots": ["/"]}}'
    loaded = load({"JOBPASS_ARCHIVES": text, "JOBPASS_DEFAULT_ARCHIVE": "disk"})
    assert loaded.settings.archives == {"disk": ArchiveSystem("file:///srv/archive", ("/",))}
    assert loaded.origins["archives"] == "environment JOBPASS_ARCHIVES"


def test_the_options_of_an_archive_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "jobpass.toml").write_text(ARCHIVES)
    settings = load({}, data=tmp_path).settings
    assert settings.shown()["archives"]["the.store"] == {
        "url": "s3://bucket/jobs",
        "roots": ("/products", "/uploads/v2"),
        "options": {"key": "(hidden)", "secret": "(hidden)"},
    }
    assert "canary" not in f"{settings!r} {settings} {settings.shown()}"


@pytest.mark.parametrize(
    "system",
    [
        {},
        {"url": ""},
        {"url": "/srv/archive"},
        {"url": "file://srv/archive"},
        {"url": "file://"},
        {"url": "file:///srv/../etc"},
        {"url": "file:///srv/archive", "options": {"auto_mkdir": True}},
        {"url": "local:///srv/archive"},
        {"url": "sftp://host/srv"},  # has links
        {"url": "simplecache::s3://bucket"},
        {"url": "s3://canary:canary@bucket"},
        {"url": "s3://bucket?key=canary"},
        {"url": "memory://", "roots": []},
        {"url": "memory://", "roots": "/products"},
        {"url": "memory://", "roots": ["products"]},
        {"url": "memory://", "roots": ["/products/"]},
        {"url": "memory://", "roots": ["/products/../x"]},
        {"url": "memory://", "roots": ["/a//b"]},
        {"url": "memory://", "roots": ["/a\nb"]},
        {"url": "memory://", "root": ["/products"]},
        {"url": 1},
        "memory://",
    ],
)
def test_an_archive_that_cannot_be_is_refused_by_name_and_place(system: object) -> None:
    with pytest.raises(SetupError, match=r"archives\.store \(environment JOBPASS_ARCHIVES\)") as caught:
        load({"JOBPASS_ARCHIVES": json.dumps({"store": system})})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', '{"": {"url": "memory://"}}', '{"a b": {"url": "memory://"}}'])
def test_archives_that_are_no_table_are_refused(text: str) -> None:
    with pytest.raises(SetupError, match="JOBPASS_ARCHIVES"):
        load({"JOBPASS_ARCHIVES": text})


@pytest.mark.parametrize(
    ("one", "two", "shared"),
    [
        (("memory://a", "/products"), ("memory://a", "/products"), True),
        (("memory://a", "/products"), ("memory://a/", "/products/v2"), True),
        (("memory://a", "/"), ("memory://a/products", "/x"), True),
        (("file:///srv", "/a/products"), ("file:///srv/a", "/products"), True),
        (("memory://a", "/products"), ("memory://a", "/products2"), False),
        (("memory://a", "/products"), ("memory://ab", "/products"), False),
        (("s3://a", "/products"), ("gs://a", "/products"), False),
    ],
)
def test_two_archives_share_no_directory(one: tuple[str, str], two: tuple[str, str], shared: bool) -> None:
    table = {name: {"url": url, "roots": [root]} for name, (url, root) in (("one", one), ("two", two))}
    environ = {"JOBPASS_ARCHIVES": json.dumps(table)}
    if shared:
        with pytest.raises(SetupError, match="one and two share directories"):
            load(environ)
    else:
        assert set(load(environ).settings.archives) == {"one", "two"}


def test_the_default_archive_must_be_there() -> None:
    with pytest.raises(SetupError, match=r"default_archive \(environment JOBPASS_DEFAULT_ARCHIVE\)"):
        load({"JOBPASS_DEFAULT_ARCHIVE": "none"})
