"""The stores under test; a further one is a line in ``STORES``."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from jobpass.stores.memory import MemoryStore
from jobpass.stores.postgres import PostgresStore
from jobpass.stores.sqlite import SqliteStore
from jobpass.stores.sqlite.database import APPLICATION_ID
from jobpass.stores.sqlite.queries import MIGRATIONS
from support.postgres import EMPTY, sql

HERE = Path(__file__).parent


async def _memory(_):
    return MemoryStore()


async def _sqlite(request):
    return await SqliteStore.open(request.getfixturevalue("tmp_path") / "store.sqlite")


async def _postgres(request):
    url = request.getfixturevalue("postgres_url")
    await sql(url, EMPTY)
    return await PostgresStore.open(url)


STORES = {"memory": _memory, "sqlite": _sqlite, "postgres": _postgres}


@pytest.fixture(scope="session")
def kit():
    """The module ``kit``, which the tests' own processes import as well."""
    spec = importlib.util.spec_from_file_location("jobpass_tests_store_kit", HERE / "kit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=STORES)
async def store(request):
    """Each store in turn, empty."""
    opened = await STORES[request.param](request)
    yield opened
    await opened.close()


@pytest.fixture
async def postgres(request):
    """A store on PostgreSQL, empty, for what only servers do."""
    opened = await _postgres(request)
    yield opened
    await opened.close()


@pytest.fixture
async def other(postgres, postgres_url):
    """A second node on the database of ``postgres``."""
    opened = await PostgresStore.open(postgres_url)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite(tmp_path):
    """An SQLite store of its own, for what only files do."""
    opened = await SqliteStore.open(tmp_path / "store.sqlite")
    yield opened
    await opened.close()


@pytest.fixture
def older():
    """Makes a database as an earlier Jobpass left it: (path, schema) → a file with rows in its first tables."""

    def make(path, schema):
        with closing(apsw.Connection(str(path))) as connection:
            for migration in MIGRATIONS[:schema]:
                connection.execute(migration)
            connection.execute((HERE / "older.sql").read_text())
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", schema)
        path.chmod(0o600)

    return make


@pytest.fixture
def child():
    """Starts a process of ``children.py``; what still runs at the end of the test is killed."""
    started = []

    def start(what, path, *more, into=subprocess.PIPE):
        process = subprocess.Popen(
            [sys.executable, str(HERE / "children.py"), what, str(path), *map(str, more)],
            stdin=subprocess.PIPE,
            stdout=into,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
