"""``jobpass import`` and ``jobpass export`` as processes: killed, repeated, beside a server, on a terminal."""

from __future__ import annotations

import gzip
import json
import signal
import time
from typing import Any

import pytest

from support.catalogue import Catalogue, array, lines, old_token, write
from support.terminal import on_terminal


@pytest.fixture
def data(shell: Any, password: str) -> Any:
    (shell.home / "password").write_text(password)
    shell.good("init", "--data", "data", "--admin-password-file", "password")
    return shell.home / "data"


def counts(done: Any) -> Any:
    return json.loads(done.stdout)["files"][0]


def bring(shell: Any, *arguments: object, **options: Any) -> Any:
    return shell("import", "datacatalog", *arguments, "--data", "data", "--json", **options)


@pytest.mark.parametrize("name", ["jobs.json", "jobs.json.gz"])
def test_lines_an_array_and_stdin_plain_and_packed(shell, data, name) -> None:
    catalogue = Catalogue()
    first, second, third = ([catalogue.job()] for _ in range(3))
    write(shell.home / name, lines(first))
    write(shell.home / f"array-{name}", array(second))
    done = bring(shell, name, f"array-{name}", "-", stdin=lines(third).decode())
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout)["files"]
    assert [(one["file"], one["jobs"]["imported"]) for one in files] == [(name, 1), (f"array-{name}", 1), ("-", 1)]


def test_what_is_refused_has_a_line_a_reason_a_file_and_a_code(shell, data) -> None:
    catalogue = Catalogue()
    write(shell.home / "jobs.json", lines([catalogue.job()]) + b'{"broken\n' + lines([catalogue.job()]))
    done = bring(shell, "jobs.json", "--refused", "refused.jsonl")
    assert done.returncode == 10
    assert "jobs.json:2: no uuid: is not JSON" in done.stderr
    (told,) = map(json.loads, (shell.home / "refused.jsonl").read_text().splitlines())
    assert (told["line"], told["uuid"], told["kind"]) == (2, None, "others")
    again = bring(shell, "jobs.json", "--refused", "refused.jsonl")
    assert (again.returncode, "refused.jsonl cannot be made" in again.stderr) == (2, True)


def test_an_import_that_is_killed_goes_on_and_its_counts_add_up(shell, data) -> None:
    catalogue = Catalogue()
    broken = [document for _, document in catalogue.broken()]
    documents = [*catalogue.pipelines, *broken, *catalogue.jobs(6_000)]
    write(shell.home / "jobs.json", lines(documents))
    killed = shell.start("import", "datacatalog", "jobs.json", "--data", "data", "--json")
    database = data / "jobpass.sqlite-wal"
    deadline = time.monotonic() + 60
    while not (database.exists() and database.stat().st_size > 2_000_000):
        assert time.monotonic() < deadline
        assert killed.poll() is None, killed.stderr.read()
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    killed.stderr.close()
    done = bring(shell, "jobs.json")
    assert done.returncode == 10, done.stderr
    assert "goes on behind document" in done.stderr
    found = counts(done)
    assert found["jobs"] == {"read": 6016, "imported": 6000, "unchanged": 0, "moved_on": 0, "refused": 16}
    assert found["pipelines"]["imported"] == 5
    assert found["others"] == {"read": 1, "imported": 0, "unchanged": 0, "moved_on": 0, "refused": 1}
    assert shell.json("verify", "--data", "data")["jobs"] == 6000
    # Having ended, the next one begins anew.
    again = counts(bring(shell, "jobs.json"))
    assert (again["jobs"]["unchanged"], again["jobs"]["refused"]) == (6000, 16)


def test_another_file_of_the_same_name_does_not_go_on(shell, data) -> None:
    catalogue = Catalogue()
    documents = list(catalogue.jobs(600))
    text = array(documents)
    write(shell.home / "jobs.json", text[:-200])  # the array breaks off
    broken = bring(shell, "jobs.json")
    assert (broken.returncode, "breaks off" in broken.stderr) == (2, True)
    write(shell.home / "jobs.json", array(documents[1:]))
    refused = bring(shell, "jobs.json")
    assert (refused.returncode, "--restart" in refused.stderr) == (2, True)
    anew = counts(bring(shell, "jobs.json", "--restart"))["jobs"]
    assert anew["read"] == 599
    assert anew["imported"] + anew["unchanged"] == 599
    assert anew["refused"] == 0


def test_beside_a_server_which_sees_the_jobs_and_takes_their_old_tokens(shell, serve, data) -> None:
    import jobpass

    document = Catalogue().job(1)
    write(shell.home / "jobs.json", lines([document, *Catalogue(3).jobs(1_000)]))
    server = serve(data)
    done = bring(shell, "jobs.json", "--legacy-tokens-until", "1h")
    assert (done.returncode, counts(done)["legacy"]) == (0, 1001), done.stderr
    with jobpass.Client(server.url, old_token(document)) as client:
        assert client.send(document["uuid"], "run").state == "RUNNING"
        with pytest.raises(jobpass.errors.Denied):
            client.cancel_job(document["uuid"])
    assert shell.json("import", "legacy-tokens", "--data", data) == {"living": 1001}
    assert shell.json("import", "legacy-tokens", "--data", data, "--end") == {"ended": 1001}
    with jobpass.Client(server.url, old_token(document)) as client, pytest.raises(jobpass.errors.InvalidToken):
        client.job(document["uuid"])
    moved = counts(bring(shell, "jobs.json"))["jobs"]
    assert (moved["moved_on"], moved["unchanged"]) == (1, 1000)
    assert old_token(document) not in "".join(server.log)


def test_an_old_token_works_in_process_too(shell, data) -> None:
    import jobpass

    document = Catalogue().job(1)
    write(shell.home / "jobs.json", lines([document]))
    assert bring(shell, "jobs.json", "--legacy-tokens-until", "1h").returncode == 0
    with jobpass.open(f"sqlite://{data}", token=old_token(document)) as client:
        answer = client.send(document["uuid"], "run")
        assert (answer.state, answer.token) == ("RUNNING", old_token(document))
        assert [one.credential for one in client.iter_history(document["uuid"])][1:] == [f"legacy:{document['uuid']}"]
        assert old_token(document) not in repr(client)


@pytest.mark.parametrize("until", ["2020-01-01T00:00:00Z", "400d", "0s", "soon", "2099-01-01"])
def test_a_date_for_old_tokens_lies_in_the_coming_year(shell, data, until) -> None:
    write(shell.home / "jobs.json", lines([Catalogue().job()]))
    done = bring(shell, "jobs.json", "--legacy-tokens-until", until)
    assert (done.returncode, "--legacy-tokens-until" in done.stderr) == (2, True)
    assert shell.json("verify", "--data", data)["jobs"] == 0


def test_a_dry_run_leaves_the_database_as_it_is(shell, data) -> None:
    write(shell.home / "jobs.json", lines(Catalogue().jobs(20)))
    shell.good("export", "--data", "data", "--output", "before")
    entries = shell.json("verify", "--data", data)["audit_entries"]
    done = bring(shell, "jobs.json", "--dry-run")
    assert counts(done)["jobs"]["imported"] == 20
    found = shell.json("verify", "--data", data)
    assert (found["jobs"], found["audit_entries"]) == (0, entries)


def test_what_is_exported_comes_in_elsewhere_and_out_the_same(shell, data, password) -> None:
    catalogue = Catalogue()
    write(shell.home / "jobs.json", lines([*catalogue.pipelines, *catalogue.jobs(50)]))
    bring(shell, "jobs.json")
    shell.good("export", "--data", "data", "--output", "one.jsonl.gz", "--gzip")
    shell.good("init", "--data", "other", "--admin-password-file", "password")
    shell.good("import", "datacatalog", "one.jsonl.gz", "--data", "other")
    out = shell.good("export", "--data", "other")
    assert out == gzip.decompress((shell.home / "one.jsonl.gz").read_bytes()).decode()
    assert (shell.home / "one.jsonl.gz").stat().st_mode & 0o077 == 0
    assert "_salt" not in out
    assert shell("export", "--data", "data", "--output", "one.jsonl.gz").returncode == 2


def test_a_terminal_sees_a_bar_and_a_table(shell, data) -> None:
    write(shell.home / "jobs.json", lines(Catalogue().jobs(1_200)))
    shown = on_terminal(shell, 100, "import", "datacatalog", str(shell.home / "jobs.json"), "--data", str(data))
    assert any("━" in line for line in shown), shown
    assert "1200" in shown[-1], shown
