from __future__ import annotations

from pathlib import Path

import pytest

from jobpass.errors import SetupError
from jobpass.settings import (
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
