"""An installation whose record is in PostgreSQL: init, serve by several nodes, verify, keys; and what is refused."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import jobpass
from jobpass import compose
from jobpass.cli import exits
from jobpass.errors import InvalidToken, KeyringError, SetupError
from jobpass.settings import load
from support.postgres import SEALED, NoServer, Server, run_sql, some_database

PASSWORD = "correct-horse-battery-staple"
CANARY = "s3cr3t-canary"


@pytest.fixture
def url(postgres_server):
    with some_database(postgres_server) as made:
        yield made


@pytest.fixture
def environ(tmp_path, url):
    """What a node's processes get: the store with its password in the environment."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "JOBPASS_STORE": url,
        "JOBPASS_DATA": str(tmp_path / "data"),
    }


def command(environ, *arguments, stdin=""):
    return subprocess.run(
        [sys.executable, "-m", "jobpass", *map(str, arguments)],
        env=environ, input=stdin, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def commands(environ, *lines):
    """Several at once."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda words: command(environ, *words), lines))


def init(environ, tmp_path):
    (tmp_path / "password").write_text(PASSWORD)
    done = command(environ, "init", "--admin-email", "op@x", "--admin-password-file", tmp_path / "password")
    assert done.returncode == 0, done.stderr
    return done


class Node:
    """A server process of its own data folder."""

    def __init__(self, environ, folder, *arguments):
        self.log = (folder.parent / f"{folder.name}.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jobpass", "serve", "--data", str(folder), "--port", "0", "--json", *arguments],
            env=environ, stdout=subprocess.PIPE, stderr=self.log, text=True,
        )  # fmt: skip
        line = self.process.stdout.readline()
        assert line, self.said()
        self.url = json.loads(line)["url"]

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=20)
        self.log.close()
        return self.process.returncode


@pytest.fixture
def nodes(environ, tmp_path):
    """Starts nodes, each in a folder of its own with the same keyring."""
    init(environ, tmp_path)
    started = []

    def start(name, *arguments, more=None):
        folder = tmp_path / name
        if not folder.exists():
            folder.mkdir()
            shutil.copy(tmp_path / "data" / "keyring.json", folder)
        started.append(Node(environ | (more or {}), folder, *arguments))
        return started[-1]

    yield start
    for node in started:
        node.stop()


@pytest.fixture
def client_of():
    """Makes clients of nodes, logged in unless they have a token."""
    made = []

    def make(node, token=None):
        made.append(jobpass.Client(node.url, token))
        if token is None:
            made[-1].login("op@x", PASSWORD)
        return made[-1]

    yield make
    for client in made:
        client.close()


def pipeline_of(client):
    members = {"id": "p", "name": "A pipeline", "components": [{"id": "c", "image": "i"}], "processing_levels": ["1"]}
    return client.create_pipeline(members)["uuid"]


def test_two_nodes_are_one_installation(nodes, environ, tmp_path, client_of):
    left, right = client_of(nodes("data")), client_of(nodes("second"))
    uuid = left.create_job(pipeline_of(left)).uuid
    assert right.job(uuid).state == "CREATED"
    right.send(uuid, "run")
    left.send(uuid, "update", {"progress": 1}, idempotency_key="k")
    right.send(uuid, "update", {"progress": 1}, idempotency_key="k")
    assert [event.name for event in left.iter_history(uuid)] == ["create", "run", "update"]
    assert right.verify(uuid).intact
    assert left.ready().message == right.ready().message == "ready"
    done = command(environ, "verify", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["jobs"], found["events"], found["broken"]) == (1, 3, [])


def test_a_log_out_on_one_node_ends_the_token_on_the_other_within_a_second(nodes, client_of):
    here, there = nodes("data"), nodes("second")
    client = client_of(here)
    other = client_of(there, client.token)
    for _ in range(3):
        assert other.me().email == "op@x"
    token = client.token
    client.logout()
    ended, deadline = False, time.monotonic() + 1.0
    while not ended and time.monotonic() < deadline:
        try:
            client_of(there, token).me()
        except InvalidToken:
            ended = True
    assert ended


def test_a_node_that_is_killed_leaves_the_rest_to_the_other(nodes, client_of):
    here, there = nodes("data"), nodes("second")
    left, right = client_of(here), client_of(there)
    uuid = left.create_job(pipeline_of(left)).uuid
    left.send(uuid, "run")
    here.process.kill()
    here.process.wait()
    right.send(uuid, "update")
    assert [event.sequence for event in right.iter_history(uuid)] == [1, 2, 3]


def test_a_password_shows_nowhere(nodes, environ, url, tmp_path, client_of):
    """The role of these tests needs none, so that any is right."""
    parts = urlsplit(url)
    user = parts.netloc.partition(":")[0].rpartition("@")[0] or parts.username
    canary = parts._replace(netloc=f"{user}:{CANARY}@{parts.netloc.rpartition('@')[2]}").geturl()
    node = nodes("data", "--log-level", "debug", more={"JOBPASS_STORE": canary})
    client = client_of(node)
    client.create_job(pipeline_of(client))
    audit = [entry for entry in client.audit().entries if entry.name == "server.started"]
    assert "***" in str(audit[0].data["settings"]["store"])
    shown = command(environ | {"JOBPASS_STORE": canary}, "settings", "--json")
    assert "***" in shown.stdout
    command_line = Path(f"/proc/{node.process.pid}/cmdline").read_text()
    assert CANARY not in shown.stdout + node.said() + str(audit) + command_line
    assert CANARY not in repr(load({"JOBPASS_STORE": canary}))


def test_a_password_in_an_argument_is_refused(environ, tmp_path):
    environ.pop("JOBPASS_STORE")
    done = command(environ, "init", "--store", f"postgresql://u:{CANARY}@127.0.0.1:1/d")
    assert done.returncode == exits.SETUP
    assert "PGPASSFILE" in done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert not (tmp_path / "data").exists()


def bare(url):
    """The URL without its password."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}").geturl()


def passfile(url, tmp_path):
    """A file with the password of the URL."""
    file = tmp_path / "passfile"
    file.write_text(f"*:*:*:*:{urlsplit(url).password}")
    file.chmod(0o600)
    return str(file)


def test_the_store_is_named_by_an_argument(environ, url, tmp_path):
    store = bare(environ.pop("JOBPASS_STORE"))
    environ["PGPASSFILE"] = passfile(url, tmp_path)
    made = command(environ, "init", "--store", store, "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["password"]
    assert not (tmp_path / "data" / "jobpass.sqlite").exists()
    for words in (("verify",), ("keys", "list"), ("keys", "rotate"), ("anchor",), ("export",)):
        done = command(environ, *words, "--store", store)
        assert done.returncode == 0, (words, done.stderr)
    assert "no Jobpass data" in command(environ, "verify").stderr


ACCESS = """
host all ghost 127.0.0.1/32 trust
host all barred 127.0.0.1/32 reject
host all guest 127.0.0.1/32 trust
"""


@pytest.fixture(scope="module")
def strict():
    """A server of its own where somebody may do less than the role of the other tests."""
    try:
        made = Server()
    except NoServer as none:
        pytest.skip(str(none))
    file = made.data / "pg_hba.conf"
    file.write_text(ACCESS + file.read_text())
    statements = (
        "CREATE ROLE guest LOGIN",
        "CREATE DATABASE lent OWNER owner",
        "CREATE DATABASE closed OWNER owner",
        "REVOKE CONNECT ON DATABASE closed FROM public",
        "SELECT pg_reload_conf()",
    )
    made.run_sql("postgres", *statements, owner=True)
    yield made
    made.close()


# Whom the URL names, where and what it says more; what is told; with which exit code.
UNOPENED = {
    "another database": ("jobpass@{server}/jobpas", "There is no such database", exits.SETUP),
    "a wrong password": (f"{SEALED}:{CANARY}@{{server}}/{SEALED}", "does not take the role's password", exits.SETUP),
    "no such role": ("ghost@{server}/jobpass", "no such role in the database, or it may not", exits.SETUP),
    "a role that is kept out": ("barred@{server}/jobpass", "does not let this role in", exits.SETUP),
    "a database that is closed": (f"guest:{CANARY}@{{server}}/closed", "may not connect", exits.SETUP),
    "no right to make a schema": ("guest@{server}/lent", "may not make or use the schema jobpass", exits.SETUP),
    "no TLS there": ("jobpass@{server}/jobpass?sslmode=require", "does not speak TLS", exits.SETUP),
    "no server": (f"jobpass:{CANARY}@127.0.0.1:1/jobpass", "No server answers", exits.UNREACHABLE),
    "no such socket": ("jobpass@/jobpass?host=/nowhere", "socket of the server", exits.UNREACHABLE),
}


def test_why_a_database_cannot_be_opened_is_said_in_words(strict, environ, tmp_path):
    """All at once: some of them wait for a server that might come."""
    started = {}
    for number, (what, (rest, _, _)) in enumerate(UNOPENED.items()):
        where = f"postgresql://{rest.format(server=f'127.0.0.1:{strict.port}')}"
        started[what] = subprocess.Popen(
            [sys.executable, "-m", "jobpass", "serve", "--data", str(tmp_path / str(number)), "--port", "0"],
            env=environ | {"JOBPASS_STORE": where}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    for what, (rest, said, code) in UNOPENED.items():
        out, err = started[what].communicate(timeout=60)
        assert (what, started[what].returncode) == (what, code), err
        assert said in err, (what, err)
        assert CANARY not in out + err
        assert err.count("\n") == 1, (what, err)
        if what != "no right to make a schema":
            assert rest.partition("?")[0].rpartition("/")[2] in err, "which database it is about"
    done = command(environ | {"JOBPASS_STORE": strict.url("nope")}, "finish-migration")
    assert done.returncode == exits.SETUP
    assert "There is no such database" in done.stderr


def schemas(url):
    return {name for (name,) in run_sql(url, "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'")[0]}


def test_a_schema_is_made_only_where_that_is_meant(environ, url, tmp_path):
    """A misspelt name makes nothing; another installation beside one that stands is asked for with ``init``."""
    environ["PGPASSFILE"] = passfile(url, tmp_path)
    before = schemas(url)
    for done in commands(environ, ("finish-migration",), ("copy", "--from", bare(url), "--to", tmp_path / "file")):
        assert done.returncode == exits.SETUP, done.stderr
        assert "There is no Jobpass data in" in done.stderr
    assert schemas(url) == before
    init(environ, tmp_path)
    assert schemas(url) == before | {"jobpass"}
    misspelt = environ | {"JOBPASS_STORE": f"{url}?schema=jobpas"}
    copied = ("copy", "--from", f"{bare(url)}?schema=jobpas", "--to", tmp_path / "file")
    for done in commands(misspelt, ("serve", "--port", "0"), ("keys", "list"), ("finish-migration",), copied):
        assert done.returncode == exits.SETUP, done.stderr
        assert "no Jobpass data in the schema jobpas of" in done.stderr
        assert ", but in jobpass:" in done.stderr
    assert schemas(url) == before | {"jobpass"}
    init(misspelt | {"JOBPASS_DATA": str(tmp_path / "second")}, tmp_path)
    assert schemas(url) == before | {"jobpass", "jobpas"}


def test_what_is_initialised_is_left_alone(environ, tmp_path):
    init(environ, tmp_path)
    other = environ | {"JOBPASS_DATA": str(tmp_path / "other")}
    for again in (environ, other):
        done = command(again, "init")
        assert done.returncode == exits.SETUP
        assert "initialised already" in done.stderr
    assert not (tmp_path / "other" / "keyring.json").exists()


def test_of_two_who_initialise_at_once_one_is_told(environ, tmp_path):
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "jobpass", "init", "--data", str(tmp_path / name)],
            env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    ends = [(one.communicate(timeout=60), one.returncode) for one in started]
    assert sorted(code for _, code in ends)[0] == 0, ends
    assert sorted(code for _, code in ends)[1] != 0, ends


async def test_a_database_without_accounts_or_with_another_keyring_is_not_served(url, tmp_path):
    environ = {"JOBPASS_STORE": url}
    folder, other = tmp_path / "data", tmp_path / "other"
    with pytest.raises(KeyringError):
        async with compose.open_authority(folder, environ=environ):
            pass
    await compose.init_data(folder, "op@x", PASSWORD, environ=environ)
    async with compose.open_authority(folder, environ=environ) as authority:
        await authority.check()
    other.mkdir()
    with pytest.raises(KeyringError, match="no keyring"):
        async with compose.open_authority(other, environ=environ):
            pass
    await compose.init_data(tmp_path / "file", "op@x", PASSWORD, environ={})
    shutil.copy(tmp_path / "file" / "keyring.json", other)
    with pytest.raises(KeyringError, match="another keyring"):
        async with compose.open_authority(other, environ=environ):
            pass


async def test_what_only_a_file_has_is_refused_with_the_way_to_do_it(url, tmp_path, monkeypatch):
    monkeypatch.setenv("JOBPASS_STORE", url)
    await compose.init_data(tmp_path / "data", "op@x", PASSWORD)
    with pytest.raises(SetupError, match="pg_dump"):
        await compose.back_up(tmp_path / "data", tmp_path / "copy")
    with pytest.raises(SetupError, match="pg_restore"):
        await compose.restore(tmp_path / "data", tmp_path / "copy", rotate=False)
    with pytest.raises(SetupError, match="file of its own"):
        jobpass.open(f"sqlite://{tmp_path / 'data'}", secret="a-secret-of-some-length-9x7")


def test_a_client_in_process_works_on_the_folders_database(url, tmp_path):
    environ = {"JOBPASS_STORE": url}
    asyncio.run(compose.init_data(tmp_path / "data", "op@x", PASSWORD, environ=environ))
    with jobpass.open(f"sqlite://{tmp_path / 'data'}", environ=environ) as client:
        client.login("op@x", PASSWORD)
        uuid = client.create_job(pipeline_of(client)).uuid
        client.send(uuid, "run")
        for _ in range(20):
            client.send(uuid, "update")
        assert client.job(uuid).last_event == "update"
        assert len(list(client.iter_history(uuid))) == 22
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        for _ in range(3):  # an event that finds no connection makes one
            run_sql(url, f"SELECT pg_terminate_backend(pid) {others}")
            client.send(uuid, "update")
        assert client.job(uuid).sequence == 25


def test_without_the_driver_it_is_told_what_to_install(tmp_path):
    code = (
        "import sys, asyncio; sys.modules['asyncpg'] = None\n"
        "from jobpass.compose.stores import open_store\n"
        "try: asyncio.run(open_store('postgresql://u@127.0.0.1:1/d'))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("SetupError"), done.stderr
    assert "jobpass[postgres]" in done.stdout
