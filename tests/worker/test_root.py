"""Which files jobs see, and which directories are covered: what is reckoned, apart from the mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobpass.errors import SetupError
from jobpass.worker.sandbox.root import covers, visible_paths, within


def test_a_path_is_shown_by_its_name_and_by_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    shown = visible_paths([f"{tmp_path}/link", f"{tmp_path}/a/b", f"{tmp_path}/a/../a", f"{tmp_path}/missing"])
    assert shown == [f"{tmp_path}/a", f"{tmp_path}/link"]


def test_names_that_only_begin_alike_are_not_within() -> None:
    assert within("/a/b", "/a")
    assert within("/a", "/a")
    assert within("/a", "/")
    assert not within("/ab", "/a")


def test_what_is_not_shown_needs_no_cover(tmp_path: Path) -> None:
    (tmp_path / "shown").mkdir()
    (tmp_path / "key").touch()
    assert covers([f"{tmp_path}/shown"], [f"{tmp_path}/key"]) == []


def test_a_hidden_file_is_covered_with_its_directory_also_if_it_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    assert covers([str(tmp_path)], [f"{tmp_path}/keys/apikey"]) == [f"{tmp_path}/keys"]


def test_a_hidden_file_that_a_link_leads_to_is_covered_as_well(tmp_path: Path) -> None:
    for name in ("keys", "real"):
        (tmp_path / name).mkdir()
    (tmp_path / "real" / "apikey").touch()
    (tmp_path / "keys" / "apikey").symlink_to("../real/apikey")
    assert covers([str(tmp_path)], [f"{tmp_path}/keys/apikey"]) == [f"{tmp_path}/keys", f"{tmp_path}/real"]


@pytest.mark.parametrize("hidden", ["shown/apikey", "shown", "."])
def test_what_jobs_read_cannot_be_hidden(tmp_path: Path, hidden: str) -> None:
    (tmp_path / "shown").mkdir()
    with pytest.raises(SetupError, match="keep it in a directory of its own"):
        covers([f"{tmp_path}/shown"], [f"{tmp_path}/{hidden}"])
