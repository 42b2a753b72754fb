"""Reset through real servers on real directories: as a client sees it, by two servers at once, and across SIGKILL."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import jobpass
from jobpass import compose
from jobpass.client.exchange import ONCE
from jobpass.errors import ArchiveFailed, Conflict, ServerUnavailable
from jobpass.tokens.attenuate import admin_token

EMAIL, PASSWORD = "operator@localhost", "correct-horse-battery"
PIPELINE = {"id": "p", "name": "p", "components": [], "processing_levels": []}
FILES = 2000


class Installation(NamedTuple):
    """A data folder, an archive, a job with a directory in it, and the tokens of its owner and of an admin."""

    data: Path
    archive: Path
    uuid: str
    owner: str
    key: str

    @property
    def directory(self) -> Path:
        """The job's."""
        return self.archive / "products" / "a"

    def fill(self) -> None:
        """Put files there."""
        for number in range(FILES):
            folder = self.directory / str(number % 50)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / str(number)).write_bytes(b"")

    @property
    def left(self) -> int:
        """How many files lie there."""
        return sum(len(files) for _, _, files in os.walk(self.directory))

    def kill_once(self, server: subprocess.Popen[str], most: int) -> None:
        """Kill the server once no more than ``most`` of the job's fifty folders are left."""
        until = time.monotonic() + 20
        while len(os.listdir(self.directory)) > most and time.monotonic() < until:  # noqa: PTH208 - the fastest way
            pass
        server.kill()

    @property
    def environ(self) -> dict[str, str]:
        """Of a server."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("JOBPASS_")}
        archives = {"lab": {"url": self.archive.as_uri(), "roots": ["/products"]}}
        return plain | {"JOBPASS_ARCHIVES": json.dumps(archives), "JOBPASS_DEFAULT_ARCHIVE": "lab"}

    @contextmanager
    def served(self) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """A server process and its URL; killed at the end if it still runs."""
        command = [sys.executable, "-m", "jobpass", "serve", "--data", str(self.data), "--port", "0", "--json"]
        log = (self.data / "log").open("a")
        with log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=self.environ) as server:
            try:
                assert server.stdout is not None
                yield server, json.loads(server.stdout.readline())["url"]
            finally:
                if server.poll() is None:
                    server.kill()

    def admin(self, url: str, **more: Any) -> jobpass.Client:
        """A client with an admin token."""
        from jobpass.clock import SystemClock

        return jobpass.Client(url, admin_token(self.key, SystemClock().now()), **more)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    data, archive = tmp_path / "data", tmp_path / "archive"
    (archive / "products").mkdir(parents=True)
    asyncio.run(compose.init_data(data, EMAIL, PASSWORD, single_operator=True, environ={}))
    made = Installation(data, archive, "", "", "")
    with jobpass.open(f"sqlite://{data}", environ=made.environ) as client:
        client.login(EMAIL, PASSWORD)
        asked = client.request_admin_key("repair", "a vault")
        client.approve_admin_key(asked.id, asked.request_hash)
        job = client.create_job(client.create_pipeline(PIPELINE)["uuid"], archive_path="/products/a")
        assert (job.archive_system, client.token is not None) == ("lab", True)
        made = made._replace(uuid=job.uuid, owner=str(client.token), key=client.collect_admin_key(asked.id))
    made.fill()
    return made


def test_a_directory_is_made_by_the_sdk_and_by_the_command_line(installation: Installation) -> None:
    with installation.served() as (_, url), jobpass.Client(url, installation.owner) as owner:
        pipeline = owner.job(installation.uuid).pipeline_uuid
        owner.create_job(pipeline, {"n": 1}, archive_path="/products/b/c")
        assert not (installation.archive / "products/b").exists()
        owner.create_job(pipeline, {"n": 1}, archive_path="/products/b/c", make_archive_path=True)
        assert (installation.archive / "products/b/c").is_dir()
        token = installation.data / "token"
        token.write_text(installation.owner)
        command = [sys.executable, "-m", "jobpass", "job", "create", "--url", url, "--token-file", str(token)]
        command += ["--pipeline", pipeline, "--data", '{"n": 2}', "--make-archive-path", "--archive-path"]
        (installation.archive / "products/link").symlink_to(installation.data)
        for path, there in (("/products/d", True), ("/products/link/e", False)):
            done = subprocess.run([*command, path], env=installation.environ, text=True, capture_output=True)
            assert (done.returncode, "jp_doc_" in done.stdout) == (0, True), done.stderr
            assert (installation.archive / path[1:]).is_dir() is there
            command[command.index("--data") + 1] = '{"n": 3}'
    assert "was not made: The path leads through a link" in (installation.data / "log").read_text()
    assert "jp_doc_" not in (installation.data / "log").read_text()


def test_a_reset_by_the_sdk_and_by_the_command_line(installation: Installation) -> None:
    with installation.served() as (_, url), installation.admin(url) as admin:
        owner = admin.with_token(installation.owner)
        owner.send(installation.uuid, "run")
        answer = admin.reset_job(installation.uuid, {"why": "again"})
        assert (answer.state, answer.last_event, answer.sequence, answer.token) == ("CREATED", "ready", 4, None)
        assert (installation.left, installation.directory.is_dir()) == (0, True)
        installation.fill()
        admin.reset_job(installation.uuid, no_clear_path=True)
        assert installation.left == FILES
        assert [event.data for event in owner.iter_history(installation.uuid)][-2:] == [{"no_clear_path": True}, None]

        token = installation.data / "admin-token"
        token.write_text(str(admin.token))
        command = [sys.executable, "-m", "jobpass", "job", "reset", installation.uuid, "--url", url]
        by_admin = ["--token-file", str(token)]

        def run(*more: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [*command, *more], env=installation.environ, text=True, capture_output=True, stdin=subprocess.DEVNULL
            )

        assert run(*by_admin).returncode == 2  # nobody there to say yes
        assert installation.left == FILES
        kept = run(*by_admin, "--no-clear-path", "--json")
        assert (kept.returncode, json.loads(kept.stdout)["state"], installation.left) == (0, "CREATED", FILES)
        done = run(*by_admin, "--yes", "--data", '{"n": 1}')
        assert (done.returncode, "CREATED" in done.stdout, installation.left) == (0, True, 0)
        token.write_text(installation.owner)
        assert run(*by_admin, "--yes").returncode == 3
        token.write_text(str(admin.token))
        installation.archive.rename(installation.archive.with_name("away"))
        failed = run(*by_admin, "--yes")
        assert failed.returncode == 5
        assert "not there" in failed.stderr
        with pytest.raises(ArchiveFailed) as refused:
            admin.send(installation.uuid, "ready")
        assert refused.value.detail["reason"] in failed.stderr
        assert str(installation.archive) not in failed.stderr + repr(refused.value.detail)
        assert owner.job(installation.uuid).state == "RESET"


def test_a_job_is_canceled_from_the_command_line(installation: Installation) -> None:
    with installation.served() as (_, url), jobpass.Client(url, installation.owner) as client:
        pipeline = client.job(installation.uuid).pipeline_uuid
        other = client.create_job(pipeline, {"n": 1}, child_of=["103246e1-bcdf-5b6e-a8dc-4c7e81b91141"])
        token = installation.data / "token"
        token.write_text(str(other.token))

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "jobpass", "job", *words, "--url", url, "--token-file", str(token)]
            return subprocess.run(command, env=installation.environ, text=True, capture_output=True)

        listed = run("list", "--child-of", "103246e1-bcdf-5b6e-a8dc-4c7e81b91141", "--json")
        assert [job["uuid"] for job in json.loads(listed.stdout)["jobs"]] == [other.uuid]
        assert "generated_by" in run("show", other.uuid).stdout
        assert run("cancel", other.uuid).stdout == f"{other.uuid} is canceled.\n"
        assert run("cancel", other.uuid).returncode == 4
        token.write_text(installation.owner)
        client.send(installation.uuid, "run")
        assert run("cancel", installation.uuid).returncode == 5


def test_of_two_servers_on_one_database_one_removes(installation: Installation) -> None:
    """Both are asked at once, again and again: one does it, and the other says that somebody does, or has it to do."""
    with installation.served() as (_, one), installation.served() as (_, two):
        for _ in range(3):
            installation.fill()
            before = _sequence(installation, one)
            outcomes: list[str] = []

            def reset(url: str, outcomes: list[str] = outcomes) -> None:
                with installation.admin(url) as admin:
                    try:
                        outcomes.append(admin.reset_job(installation.uuid).state)
                    except Conflict as refused:
                        outcomes.append(refused.code)

            threads = [threading.Thread(target=reset, args=(url,)) for url in (one, two)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            done = outcomes.count("CREATED")
            assert sorted(outcomes) in (["CREATED", "conflict"], ["CREATED", "CREATED"])
            assert installation.left == 0
            assert _sequence(installation, one) == before + 2 * done


def _sequence(installation: Installation, url: str) -> int:
    with jobpass.Client(url, installation.owner) as client:
        return client.job(installation.uuid).sequence


@pytest.mark.timeout(180)
def test_a_server_killed_in_the_middle_leaves_what_can_be_gone_on_with(installation: Installation) -> None:
    found = set()
    for most in (49, 35, 20, 5):
        installation.fill()
        with installation.served() as (server, url), installation.admin(url, retries=ONCE) as admin:
            before = _sequence(installation, url)
            killer = threading.Thread(target=installation.kill_once, args=(server, most))
            killer.start()
            try:
                admin.reset_job(installation.uuid, idempotency_key=f"at-{most}")
            except ServerUnavailable:
                server.wait(20)
            killer.join()
        left = installation.left
        with installation.served() as (_, url), installation.admin(url) as admin:
            owner = admin.with_token(installation.owner)
            state = owner.job(installation.uuid).state
            assert state in ("CREATED", "RESET")
            found.add((state, 0 < left < FILES))
            answer = admin.reset_job(installation.uuid, idempotency_key=f"at-{most}")
            assert (answer.state, installation.left) == ("CREATED", 0)
            events = [event.name for event in owner.iter_history(installation.uuid, after=before)]
            assert events == ["reset", "ready"]
            assert owner.verify(installation.uuid).intact
    assert ("RESET", True) in found  # at least one died with the directory half empty
