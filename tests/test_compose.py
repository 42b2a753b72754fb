from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import pytest

import jobpass
from jobpass import compose
from jobpass.errors import InvalidInput, InvalidToken, KeyringError, LoginFailed, SchemaTooNew, SetupError
from jobpass.tokens.keyring import Keyring

PASSWORD = "correct-horse-battery"


def members(name: str = "a") -> dict[str, object]:
    return {"id": name, "name": name, "components": [], "processing_levels": []}


async def make(folder: Path, environ: dict[str, str] | None = None) -> Path:
    await compose.init_data(folder, "operator@localhost", PASSWORD, environ=environ or {})
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_init_makes_a_private_folder(tmp_path: Path) -> None:
    folder = await make(tmp_path / "deep" / "data")
    assert names(folder) == ["jobpass.sqlite", "keyring.json"]
    assert (mode(folder), mode(folder / "keyring.json"), mode(folder / "jobpass.sqlite")) == (0o700, 0o600, 0o600)


async def test_init_again_changes_nothing(tmp_path: Path) -> None:
    folder = await make(tmp_path / "data")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(SetupError, match="initialised already"):
        await make(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


async def test_init_that_fails_leaves_no_database(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for email, password in (("nobody", PASSWORD), ("a@b", "short"), ("", PASSWORD)):
        with pytest.raises(InvalidInput):
            await compose.init_data(folder, email, password, environ={})
        assert names(folder) == ["keyring.json"]
    keyring = (folder / "keyring.json").read_bytes()
    await make(folder)
    assert (folder / "keyring.json").read_bytes() == keyring  # what was there is used, never replaced


async def test_init_goes_on_after_a_crash_in_the_middle(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "jobpass.sqlite.new").write_bytes(b"half a database")
    (folder / "jobpass.sqlite.new-wal").write_bytes(b"half a log")
    await make(folder)
    assert names(folder) == ["jobpass.sqlite", "keyring.json"]


def _init(folder: str, results: multiprocessing.Queue[str]) -> None:
    import asyncio

    try:
        asyncio.run(make(Path(folder)))
        results.put("made")
    except SetupError:
        results.put("told")


def test_of_two_who_initialise_at_once_one_is_told(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[str] = context.Queue()
    processes = [context.Process(target=_init, args=(str(tmp_path / "data"), results)) for _ in range(2)]
    for process in processes:
        process.start()
    answers = sorted(results.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    results.close()
    results.join_thread()
    assert answers == ["made", "told"]


async def opened(folder: Path, environ: dict[str, str] | None = None) -> None:
    async with compose.open_authority(folder, environ=environ or {}) as authority:
        await authority.check()


async def test_a_folder_that_is_not_initialised_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="jobpass init"):
        await opened(tmp_path)
    assert names(tmp_path) == []


async def test_a_missing_keyring_is_never_replaced(tmp_path: Path) -> None:
    folder = await make(tmp_path / "data")
    (folder / "keyring.json").unlink()
    with pytest.raises(KeyringError, match="no keyring"):
        await opened(folder)
    assert not (folder / "keyring.json").exists()


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o601])
async def test_a_keyring_that_others_can_use_is_refused(tmp_path: Path, bits: int) -> None:
    folder = await make(tmp_path / "data")
    (folder / "keyring.json").chmod(bits)
    with pytest.raises(KeyringError, match="chmod 600"):
        await opened(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
async def test_a_keyring_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = await make(tmp_path / "data")
    os.chown(folder / "keyring.json", 65534, -1)
    with pytest.raises(KeyringError, match="another user"):
        await opened(folder)


async def test_a_keyring_that_is_a_link_or_a_folder_is_refused(tmp_path: Path) -> None:
    folder = await make(tmp_path / "data")
    (folder / "keyring.json").rename(tmp_path / "elsewhere")
    (folder / "keyring.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyringError):
        await opened(folder)
    (folder / "keyring.json").unlink()
    (folder / "keyring.json").mkdir(mode=0o700)
    with pytest.raises(KeyringError):
        await opened(folder)


@pytest.mark.parametrize("content", ["", "{}", "null", '{"version":1,"keys":[]}', "\x00" * 40])
async def test_a_keyring_that_cannot_be_read_is_refused(tmp_path: Path, content: str) -> None:
    folder = await make(tmp_path / "data")
    (folder / "keyring.json").write_text(content)
    with pytest.raises(KeyringError):
        await opened(folder)


async def test_the_keyring_may_come_from_the_environment(tmp_path: Path) -> None:
    text = Keyring.generate(bytes(range(4)), bytes(range(32))).dump()
    environ = {"JOBPASS_KEYRING": text}
    folder = await make(tmp_path / "data", environ)
    assert names(folder) == ["jobpass.sqlite"]
    await opened(folder, environ)
    with pytest.raises(KeyringError):
        await opened(folder)
    with pytest.raises(KeyringError):
        await opened(folder, {"JOBPASS_KEYRING": ""})


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    import apsw

    folder = await make(tmp_path / "data")
    with apsw.Connection(str(folder / "jobpass.sqlite")) as connection:
        connection.pragma("user_version", 999)
    connection.close()
    with pytest.raises(SchemaTooNew, match="newer Jobpass"):
        await opened(folder)


def test_in_process_and_in_memory() -> None:
    with jobpass.open("memory:") as client:
        assert client.me().email == "operator@localhost"
        pipeline = client.create_pipeline(members())["uuid"]
        job = client.create_job(pipeline, {"n": 1})
        assert client.send(job.uuid, "run").state == "RUNNING"
        assert client.verify(job.uuid).intact
    with jobpass.open("memory:") as other:
        assert other.pipelines().pipelines == []


async def test_in_process_over_a_folder(tmp_path: Path) -> None:
    folder = await make(tmp_path / "data")
    with jobpass.open(f"sqlite://{folder}") as client:
        with pytest.raises(InvalidToken):
            client.me()
        with pytest.raises(LoginFailed):
            client.login("operator@localhost", "wrong-horse-battery")
        client.login("operator@localhost", PASSWORD)
        uuid = client.create_pipeline(members())["uuid"]
        token = client.token
    with jobpass.open(f"sqlite://{folder / 'jobpass.sqlite'}", token) as client:
        assert client.pipeline(uuid)["id"] == "a"


async def test_a_relative_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await make(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    with jobpass.open("sqlite://data") as client:
        assert client.ready().message


@pytest.mark.parametrize("url", ["", "data", "sqlite:", "sqlite://", "memory", "postgresql://x", "http://127.0.0.1"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="url"):
        jobpass.open(url)


def test_memory_takes_no_token() -> None:
    with pytest.raises(InvalidInput, match="token"):
        jobpass.open("memory:", "jp_log_x")


async def test_a_folder_that_cannot_be_used_is_told_when_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="jobpass init"):
        jobpass.open(f"sqlite://{tmp_path}")


async def test_several_servers_in_this_process_share_a_folder(tmp_path: Path) -> None:
    folder = await make(tmp_path / "data")
    with (
        compose.serving(folder, environ={}) as one,
        compose.serving(folder, environ={}) as two,
        jobpass.Client(one) as first,
        jobpass.Client(two) as second,
    ):
        first.login("operator@localhost", PASSWORD)
        uuid = first.create_pipeline(members())["uuid"]
        second.login("operator@localhost", PASSWORD)
        assert second.pipeline(uuid)["id"] == "a"


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="jobpass init"), compose.serving(tmp_path, environ={}):
        raise AssertionError("it did start")


def test_made_passwords_are_different_and_long_enough() -> None:
    made = {compose.make_password() for _ in range(100)}
    assert len(made) == 100
    assert all(len(password) == 23 for password in made)


def test_write_private_replaces_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    path.chmod(0o644)
    compose.write_private(path, b"after")
    assert path.read_bytes() == b"after"
    assert mode(path) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_public_names() -> None:
    assert set(jobpass.__all__) <= set(dir(jobpass))
    for name in jobpass.__all__:
        assert getattr(jobpass, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        jobpass.nonsense  # noqa: B018
    with pytest.raises(SetupError, match="JOBPASS_URL"):
        jobpass.current_job()


def test_the_version_is_that_of_the_distribution() -> None:
    import tomllib

    project = Path(__file__).parents[1] / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == jobpass.__version__
