"""``jobpass import`` and ``jobpass export`` as processes: killed, repeated, beside a server, on a terminal."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from resource import RLIMIT_FSIZE, setrlimit
from shutil import copytree
from threading import Thread
from typing import Any

import pytest

import jobpass
from cli.conftest import Shell
from jobpass.compose import dump
from support.catalogue import Catalogue, array, lines, old_token, write
from support.terminal import on_terminal


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, password: str) -> Path:
    """A data folder with nothing in it, for copies."""
    home = tmp_path_factory.mktemp("made")
    (home / "password").write_text(password)
    Shell(home).good("init", "--data", "data", "--admin-password-file", "password")
    return home / "data"


@pytest.fixture
def data(shell: Any, made: Path) -> Path:
    return Path(copytree(made, shell.home / "data"))


def counts(done: Any) -> Any:
    return json.loads(done.stdout)["files"][0]


def bring(shell: Any, *arguments: object, **options: Any) -> Any:
    return shell("import", "datacatalog", *arguments, "--data", "data", "--json", **options)


class Fed:
    """An import of a file that does not end until it is told."""

    def __init__(self, shell: Any, name: str, text: bytes) -> None:
        (shell.home / "fed").mkdir()
        os.mkfifo(shell.home / "fed" / name)
        self.process = shell.start(
            "import", "datacatalog", f"fed/{name}", "--data", "data", "--json", start_new_session=True
        )
        self._file = (shell.home / "fed" / name).open("wb", buffering=0)  # when the other side has opened it
        self._feeding = Thread(target=self._feed, args=(text,))
        self._feeding.start()
        self._database = shell.home / "data" / "jobpass.sqlite"

    def _feed(self, text: bytes) -> None:
        with suppress(BrokenPipeError):
            self._file.write(text)

    def wait(self) -> None:
        """Until something is imported."""
        with closing(sqlite3.connect(self._database)) as connection:
            deadline = time.monotonic() + 30
            while not connection.execute("SELECT * FROM import_progress").fetchall():
                assert time.monotonic() < deadline
                assert self.process.poll() is None, self.process.stderr.read()
                time.sleep(0.01)

    @property
    def reader(self) -> int:
        """The process that reads."""
        (pid,) = map(int, Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split())
        return pid

    def end(self) -> tuple[int, str]:
        """Its exit code, and what it said; nothing of it is left."""
        self.process.wait(30)
        self._file.close()
        _, said = self.process.communicate(timeout=30)
        self._feeding.join(10)
        assert not self._feeding.is_alive()
        return self.process.returncode, said


def test_lines_an_array_and_stdin_plain_and_packed(shell, data) -> None:
    catalogue = Catalogue()
    names = []
    for form, ending in ((lines, "json"), (lines, "json.gz"), (array, "json"), (array, "json.gz")):
        names.append(f"{form.__name__}.{ending}")
        write(shell.home / names[-1], b"\xef\xbb\xbf" + form([catalogue.job()]).replace(b"\n", b"\r\n"))
    done = bring(shell, *names, "-", stdin=lines([catalogue.job()]).decode())
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout)["files"]
    assert [(one["file"], one["jobs"]["imported"]) for one in files] == [(name, 1) for name in (*names, "-")]


def test_what_is_refused_has_a_line_a_reason_a_file_and_a_code(here, data) -> None:
    catalogue = Catalogue()
    write(here.home / "jobs.json", lines([catalogue.job()]) + b'{"broken\n' + lines([catalogue.job()]))
    done = bring(here, "jobs.json", "--refused", "refused.jsonl")
    assert done.returncode == 10
    assert "jobs.json:2: no uuid: is not JSON" in done.stderr
    (told,) = map(json.loads, (here.home / "refused.jsonl").read_text().splitlines())
    assert (told["line"], told["uuid"], told["kind"]) == (2, None, "others")
    again = bring(here, "jobs.json", "--refused", "refused.jsonl")
    assert (again.returncode, "refused.jsonl cannot be made" in again.stderr) == (2, True)


def test_an_import_that_is_killed_goes_on_and_its_counts_add_up(shell, here, data) -> None:
    catalogue = Catalogue()
    broken = [document for _, document in catalogue.broken()]
    text = lines([*catalogue.pipelines, *broken, *catalogue.jobs(1_500)])
    write(shell.home / "jobs.json", text)
    fed = Fed(shell, "jobs.json", text)
    fed.wait()
    fed.process.send_signal(signal.SIGKILL)
    assert fed.end()[0] == -signal.SIGKILL
    done = bring(here, "jobs.json")
    assert done.returncode == 10, done.stderr
    assert "goes on behind document" in done.stderr
    found = counts(done)
    assert found["jobs"] == {"read": 1516, "imported": 1500, "unchanged": 0, "moved_on": 0, "refused": 16}
    assert found["pipelines"]["imported"] == 5
    assert found["others"] == {"read": 1, "imported": 0, "unchanged": 0, "moved_on": 0, "refused": 1}
    assert here.json("verify", "--data", "data")["jobs"] == 1500
    # Having ended, the next one begins anew.
    again = counts(bring(here, "jobs.json"))
    assert (again["jobs"]["unchanged"], again["jobs"]["refused"]) == (1500, 16)


def test_ctrl_c_ends_it_in_silence_and_the_next_one_goes_on(shell, here, data) -> None:
    text = lines(Catalogue().jobs(1_500))
    write(shell.home / "jobs.json", text)
    fed = Fed(shell, "jobs.json", text)
    fed.wait()
    reader = fed.reader
    os.killpg(fed.process.pid, signal.SIGINT)  # as a terminal does: to all of them
    assert fed.end() == (130, "")
    assert not Path(f"/proc/{reader}").exists()
    done = bring(here, "jobs.json")
    assert "goes on behind document" in done.stderr
    assert counts(done)["jobs"] == {"read": 1500, "imported": 1500, "unchanged": 0, "moved_on": 0, "refused": 0}


def test_the_end_of_the_process_that_reads_is_told_and_loses_nothing(shell, here, data) -> None:
    text = lines(Catalogue().jobs(1_500))
    write(shell.home / "jobs.json", text)
    fed = Fed(shell, "jobs.json", text)
    fed.wait()
    os.kill(fed.reader, signal.SIGKILL)
    code, said = fed.end()
    assert (code, "The process that reads the dump has ended with status -9." in said) == (8, True), said
    assert "Traceback" not in said
    assert counts(bring(here, "jobs.json"))["jobs"]["imported"] == 1500


def test_the_process_that_reads_has_neither_key_nor_database_open(shell, data) -> None:
    fed = Fed(shell, "jobs.json", lines(Catalogue().jobs(1_500)))
    fed.wait()
    files = [str(entry.readlink()) for entry in Path(f"/proc/{fed.reader}/fd").iterdir()]
    arguments = Path(f"/proc/{fed.reader}/cmdline").read_text()
    modules = Path(f"/proc/{fed.reader}/maps").read_text()
    os.killpg(fed.process.pid, signal.SIGINT)
    fed.end()
    assert [file for file in files if file.startswith(str(data))] == []
    assert str(shell.home / "fed" / "jobs.json") in files
    assert "keyring" not in arguments
    assert "apsw" not in modules


@pytest.mark.parametrize(("between", "reason"), [
    (b"x" * (dump.MAX_DOCUMENT_BYTES + 1), "is longer than"),
    (b'{"a":' * 100_000, "must not be nested deeper"),
    (b"\0\xff\x1f\x8b", "is not UTF-8"),
], ids=["long", "deep", "binary"])  # fmt: skip
def test_a_line_that_is_no_document_is_passed_over(here, data, between, reason) -> None:
    good = lines([Catalogue().job()])
    write(here.home / "jobs.json", good + between + b"\n" + good)
    done = bring(here, "jobs.json")
    assert (done.returncode, f"jobs.json:2: no uuid: {reason}" in done.stderr) == (10, True), done.stderr
    assert (counts(done)["jobs"]["imported"], counts(done)["jobs"]["unchanged"]) == (1, 1)


@pytest.mark.parametrize(("broken", "reason"), [
    (lambda good: b"[" + good + b"] []", "something stands behind its end"),
    (lambda good: gzip.compress(good)[:-4], "is a broken gzip file"),
    (lambda good: gzip.compress(good) + b"junk", "is a broken gzip file"),
], ids=["array and more", "gzip cut off", "gzip and more"])  # fmt: skip
def test_a_file_that_breaks_off_is_told_and_goes_on_when_it_is_whole(here, data, broken, reason) -> None:
    good = lines([Catalogue().job()])
    write(here.home / "jobs.json", broken(good))
    done = bring(here, "jobs.json")
    assert (done.returncode, reason in done.stderr) == (2, True), done.stderr
    write(here.home / "jobs.json", good)
    assert counts(bring(here, "jobs.json"))["jobs"]["imported"] == 1


def test_a_full_disk_ends_it_and_the_next_one_goes_on(shell, here, data) -> None:
    write(shell.home / "jobs.json", lines(Catalogue().jobs(1_500)))
    most = (data / "jobpass.sqlite").stat().st_size + 1_500_000
    failed = shell.start(
        "import", "datacatalog", "jobs.json", "--data", "data", preexec_fn=lambda: setrlimit(RLIMIT_FSIZE, (most, most))
    )
    _, said = failed.communicate(timeout=60)
    assert (failed.returncode, "The database cannot be written" in said) == (6, True), said
    assert "Traceback" not in said
    done = bring(here, "jobs.json")
    assert done.returncode == 0, done.stderr
    found = counts(done)["jobs"]
    assert (found["read"], found["imported"] + found["unchanged"]) == (1_500, 1_500)
    assert here.json("verify", "--data", "data")["jobs"] == 1_500


def test_another_file_of_the_same_name_does_not_go_on(here, data) -> None:
    catalogue = Catalogue()
    documents = list(catalogue.jobs(600))
    text = array(documents)
    write(here.home / "jobs.json", text[:-200])  # the array breaks off
    broken = bring(here, "jobs.json")
    assert (broken.returncode, "breaks off" in broken.stderr) == (2, True)
    write(here.home / "jobs.json", array(documents[1:]))
    refused = bring(here, "jobs.json")
    assert (refused.returncode, "--restart" in refused.stderr) == (2, True)
    anew = counts(bring(here, "jobs.json", "--restart"))["jobs"]
    assert anew["read"] == 599
    assert anew["imported"] + anew["unchanged"] == 599
    assert anew["refused"] == 0


def test_beside_a_server_which_sees_the_jobs_and_takes_their_old_tokens(shell, here, serve, data) -> None:
    import jobpass

    document = Catalogue().job(1)
    write(shell.home / "jobs.json", lines([document, *Catalogue(3).jobs(600)]))
    server = serve(data)
    done = bring(shell, "jobs.json", "--legacy-tokens-until", "1h")
    assert (done.returncode, counts(done)["legacy"]) == (0, 601), done.stderr
    with jobpass.Client(server.url, old_token(document)) as client:
        assert client.send(document["uuid"], "run").state == "RUNNING"
        with pytest.raises(jobpass.errors.Denied):
            client.cancel_job(document["uuid"])
    assert here.json("import", "legacy-tokens", "--data", data) == {"living": 601}
    assert here.json("import", "legacy-tokens", "--data", data, "--end") == {"ended": 601}
    with jobpass.Client(server.url, old_token(document)) as client, pytest.raises(jobpass.errors.InvalidToken):
        client.job(document["uuid"])
    moved = counts(bring(here, "jobs.json"))["jobs"]
    assert (moved["moved_on"], moved["unchanged"]) == (1, 600)
    assert old_token(document) not in "".join(server.log)


def test_an_old_token_works_in_process_too(here, data) -> None:
    import jobpass

    document = Catalogue().job(1)
    write(here.home / "jobs.json", lines([document]))
    assert bring(here, "jobs.json", "--legacy-tokens-until", "1h").returncode == 0
    with jobpass.open(f"sqlite://{data}", token=old_token(document)) as client:
        answer = client.send(document["uuid"], "run")
        assert (answer.state, answer.token) == ("RUNNING", old_token(document))
        assert [one.credential for one in client.iter_history(document["uuid"])][1:] == [f"legacy:{document['uuid']}"]
        assert old_token(document) not in repr(client)


@pytest.mark.parametrize("until", ["2020-01-01T00:00:00Z", "400d", "0s", "soon", "2099-01-01"])
def test_a_date_for_old_tokens_lies_in_the_coming_year(here, data, until) -> None:
    write(here.home / "jobs.json", lines([Catalogue().job()]))
    done = bring(here, "jobs.json", "--legacy-tokens-until", until)
    assert (done.returncode, "--legacy-tokens-until" in done.stderr) == (2, True)
    assert here.json("verify", "--data", data)["jobs"] == 0


def test_a_dry_run_leaves_the_database_as_it_is(here, data) -> None:
    write(here.home / "jobs.json", lines(Catalogue().jobs(20)))
    here.good("export", "--data", "data", "--output", "before")
    entries = here.json("verify", "--data", data)["audit_entries"]
    done = bring(here, "jobs.json", "--dry-run")
    assert counts(done)["jobs"]["imported"] == 20
    found = here.json("verify", "--data", data)
    assert (found["jobs"], found["audit_entries"]) == (0, entries)


def test_what_is_exported_comes_in_elsewhere_and_out_the_same(here, data, made) -> None:
    catalogue = Catalogue()
    write(here.home / "jobs.json", lines([*catalogue.pipelines, *catalogue.jobs(50)]))
    bring(here, "jobs.json")
    here.good("export", "--data", "data", "--output", "one.jsonl.gz", "--gzip")
    copytree(made, here.home / "other")
    here.good("import", "datacatalog", "one.jsonl.gz", "--data", "other")
    out = here.good("export", "--data", "other")
    assert out == gzip.decompress((here.home / "one.jsonl.gz").read_bytes()).decode()
    assert (here.home / "one.jsonl.gz").stat().st_mode & 0o077 == 0
    assert "_salt" not in out
    assert here("export", "--data", "data", "--output", "one.jsonl.gz").returncode == 2


def test_what_is_exported_comes_in_again_where_it_stands_and_changes_nothing(here, data, password) -> None:
    with jobpass.open(f"sqlite://{data}", environ={}) as client:
        client.login("operator@localhost", password)
        pipeline = client.create_pipeline({"id": "p", "name": "P", "components": [], "processing_levels": []})["uuid"]
        first = client.create_job(pipeline, {"x": 1})
        second = client.create_job(pipeline, {"x": 2}, child_of=[first.uuid], attributes={"k": [1]})
        client.send(second.uuid, "run")
    here.good("export", "--data", "data", "--output", "own")
    done = bring(here, "own")
    assert done.returncode == 0, done.stderr
    found = counts(done)
    assert (found["jobs"]["unchanged"], found["pipelines"]["unchanged"]) == (2, 1)
    here.good("export", "--data", "data", "--output", "again")
    assert (here.home / "again").read_bytes() == (here.home / "own").read_bytes()


def test_a_terminal_sees_a_bar_and_a_table(shell, data) -> None:
    write(shell.home / "jobs.json", lines(Catalogue().jobs(1_200)))
    shown = on_terminal(shell, 100, "import", "datacatalog", str(shell.home / "jobs.json"), "--data", str(data))
    assert any("━" in line for line in shown), shown
    assert "1200" in shown[-1], shown
