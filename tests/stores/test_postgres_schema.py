"""The schema: made and recognised, brought up by one of many, older nodes beside it; and where the database is."""

from __future__ import annotations

import asyncio
import os

import pytest

from jobpass.errors import SchemaTooNew, SetupError
from jobpass.stores.postgres import PostgresStore, finish_migration
from jobpass.stores.postgres import schema as schema_module
from jobpass.stores.postgres.codecs import packed, unpacked
from jobpass.stores.postgres.database import Connector
from jobpass.stores.postgres.place import read_place
from jobpass.stores.postgres.queries import MIGRATIONS, QUERIES, Migration
from jobpass.stores.postgres.schema import migrate
from jobpass.urls import MASK, has_password, masked
from support.certificates import certify
from support.postgres import NAMED, SEALED, NoServer, Server, some_database, sql

NEXT = Migration(
    "ALTER TABLE job ADD COLUMN extra text; CREATE TABLE later (a bigint)", "ALTER TABLE later DROP COLUMN a"
)
AFTER_NEXT = Migration("ALTER TABLE job ADD COLUMN more text", None)


@pytest.fixture
def fresh(postgres_server):
    """The URL of a database of its own."""
    with some_database(postgres_server) as url:
        yield url


async def _meta(url):
    return (await sql(url, "SELECT version, min_compatible FROM jobpass.meta"))[0][0]


async def test_of_many_who_open_an_empty_database_one_makes_the_schema(fresh, kit):
    stores = await asyncio.gather(*(PostgresStore.open(fresh) for _ in range(5)))
    await stores[0].apply("job", kit.create())
    assert {(await store.find_job("job")).uuid for store in stores} == {"job"}
    assert await _meta(fresh) == (len(MIGRATIONS), 1)
    await asyncio.gather(*(store.close() for store in stores))


async def test_an_older_node_works_on_beside_a_newer_one_until_the_migration_is_finished(fresh, kit):
    older = await PostgresStore.open(fresh)
    await older.apply("job", kit.create())
    newer = (*MIGRATIONS, NEXT)
    await asyncio.gather(*(migrate(Connector(read_place(fresh)), newer) for _ in range(3)))
    assert await _meta(fresh) == (len(newer), 1)
    assert (await older.apply("job", kit.send())).event.sequence == 2
    again = await PostgresStore.open(fresh)  # as a node of the release before that is started anew
    assert (await again.apply("job", kit.send())).event.sequence == 3
    assert await _meta(fresh) == (len(newer), 1)
    await again.close()
    await older.close()
    assert await finish_migration(fresh, newer) == (len(newer), len(newer))
    assert await finish_migration(fresh, newer) == (len(newer), len(newer))
    with pytest.raises(SchemaTooNew) as refused:
        await PostgresStore.open(fresh)
    assert refused.value.detail == {"found": len(newer), "known": len(MIGRATIONS)}
    assert await sql(fresh, "SELECT count(*) FROM jobpass.job") == [[(1,)]]


async def test_a_finish_takes_away_what_was_not_taken_before_and_nothing_twice(fresh):
    newest = (*MIGRATIONS, NEXT, AFTER_NEXT)
    await migrate(Connector(read_place(fresh)), newest[:-1])
    await migrate(Connector(read_place(fresh)), newest)
    assert await finish_migration(fresh, newest) == (len(newest), len(newest))
    columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'later'"
    assert await sql(fresh, columns) == [[(0,)]]


async def test_a_migration_that_breaks_off_leaves_nothing(fresh):
    broken = (Migration(MIGRATIONS[0].before + "; SELECT 1 / 0", None),)
    with pytest.raises(Exception, match="division"):
        await migrate(Connector(read_place(fresh)), broken)
    assert await sql(fresh, "SELECT count(*) FROM pg_namespace WHERE nspname = 'jobpass'") == [[(0,)]]
    await (await PostgresStore.open(fresh)).close()


async def test_another_programs_schema_is_refused_and_left_alone(fresh, kit):
    await sql(fresh, "CREATE SCHEMA jobpass", "CREATE TABLE jobpass.theirs (a int)")
    with pytest.raises(SetupError, match="another program"):
        await PostgresStore.open(fresh)
    await sql(fresh, "CREATE TABLE jobpass.meta (theirs int)")
    with pytest.raises(SetupError, match="another program"):
        await PostgresStore.open(fresh)
    store = await PostgresStore.open(f"{fresh}?schema=ours")
    await store.apply("job", kit.create())
    assert await sql(fresh, "SELECT count(*) FROM ours.job") == [[(1,)]]
    await store.close()


async def test_two_schemas_of_one_database_are_two_stores(fresh, kit):
    one, two = [await PostgresStore.open(f"{fresh}?schema={name}") for name in ("one", "two")]
    await one.apply("job", kit.create())
    assert await two.find_job("job") is None
    async with one.hold("job"), two.hold("job"), one.chore("x") as first, two.chore("x") as second:
        assert first
        assert second
    await one.close()
    await two.close()


async def test_a_database_without_utf8_is_refused(postgres_server):
    name = "jobpass_test_latin"
    make = f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
    await sql(postgres_server, f"DROP DATABASE IF EXISTS {name}", make)
    try:
        with pytest.raises(SetupError, match="SQL_ASCII"):
            await PostgresStore.open(read_place(postgres_server).url.rpartition("/")[0] + f"/{name}")
    finally:
        await sql(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_role_that_may_make_nothing_is_told(fresh):
    role = (await sql(fresh, "SELECT current_user"))[0][0][0]
    database = (await sql(fresh, "SELECT current_database()"))[0][0][0]
    await sql(
        fresh, f"REVOKE ALL ON DATABASE {database} FROM {role}", f"GRANT CONNECT ON DATABASE {database} TO {role}"
    )
    if (await sql(fresh, "SELECT has_database_privilege(current_database(), 'CREATE')")) == [[(True,)]]:
        pytest.skip("the role of the tests is a superuser's")
    with pytest.raises(SetupError, match="owner"):
        await PostgresStore.open(fresh)


async def test_the_role_needs_no_power(postgres, postgres_url):
    powers = "SELECT rolsuper, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    rows = await sql(postgres_url, powers)
    if rows[0][0][0] and NAMED:
        pytest.skip("the role of the tests is a superuser's")
    assert rows == [[(False, False, False)]]


async def test_reads_of_the_hot_ways_use_indexes(postgres):
    """On a large table; small ones are read whole, and rightly so."""
    async with postgres._pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        for name in ("find_job", "history", "find_session", "find_legacy", "find_login", "audit_head", "next_news"):
            query = QUERIES[name].sql
            values = {1: "'x'", 2: "0", 3: "10"} if name != "next_news" else {1: "10"}
            for number, value in values.items():
                query = query.replace(f"${number}", value)
            plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {query}"))
            assert "Seq Scan" not in plan.replace("Seq Scan on counter", ""), plan


@pytest.mark.parametrize(
    "text", ["", "a", "\0", "\x01", "\x010", "\x011", "\0\0", "a\0b\x01c", "ü€😀", "\n\t", "\x01\x01"], ids=repr
)
def test_texts_come_back_as_they_were(text):
    assert unpacked(packed(text)) == text
    assert "\0" not in packed(text)


def test_packed_texts_are_in_the_order_of_the_texts():
    texts = ["", "\0", "\0\0", "\0a", "\x01", "\x01\0", "\x02", "0", "1", "a", "a\0", "a\x01", "a\x01z", "a\x02", "ü"]
    for one in texts:
        for two in texts:
            assert (packed(one) < packed(two)) == (one < two)
            assert (packed(one) == packed(two)) == (one == two)


SECRET = "s3cr3t-canary"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        (f"postgresql://u:{SECRET}@h:1/d?sslmode=require", f"postgresql://u:{MASK}@h:1/d?sslmode=require"),
        (f"postgresql://h/d?user=u&password={SECRET}", f"postgresql://h/d?user=u&password={MASK}"),
        (f"postgresql://u:a%40{SECRET}@h1,h2/d", f"postgresql://u:{MASK}@h1,h2/d"),
        (f"postgresql://u:a@{SECRET}@h/d", f"postgresql://u:{MASK}@h/d"),
        (f"postgresql://h/d?sslpassword={SECRET}", f"postgresql://h/d?sslpassword={MASK}"),
        (f"postgresql://u:{SECRET}@[::1/d", MASK),
    ],
)
def test_a_password_in_a_url_is_masked(url, shown):
    assert masked(url) == shown
    assert has_password(url) == (SECRET in url)
    if shown == MASK:
        with pytest.raises(SetupError) as refused:
            read_place(url)
        assert SECRET not in f"{refused.value}"
    else:
        assert SECRET not in repr(read_place(url))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://", "mysql://h/d", "h/d", "", "postgresql://u@h/d?pool_size=0", "postgresql://u@h/d?pool_size=x", "postgresql://u@h/d?lanes=0",
        "postgresql://u@h/d?statement_seconds=0", "postgresql://u@h/d?schema=Drop%20table", "postgresql://u@h/d?x",
        "postgresql://u@h,i/d?target_session_attrs=any", "postgresql://u@h,i/d?target_session_attrs=prefer-standby",
        f"postgresql://u:{SECRET}@h:port/d", f"postgresql://u:{SECRET}@h/d?sslmode=perhaps",
    ],
)  # fmt: skip
async def test_a_url_that_names_no_database_is_refused(url):
    with pytest.raises(SetupError) as refused:
        await PostgresStore.open(url)
    assert SECRET not in f"{refused.value} {refused.value.detail}"
    assert refused.value.__cause__ is None


def _server(**more):
    try:
        return Server(**more)
    except NoServer as none:
        pytest.skip(str(none))


@pytest.fixture(scope="module")
def sealed():
    """A server that asks for a password."""
    made = _server()
    yield made
    made.close()


@pytest.fixture
def secured():
    """The same, which speaks TLS; not every build can."""
    made = _server(tls=True)
    certificate, key = certify(made.folder)
    status = made.data.stat()
    os.chown(key, status.st_uid, status.st_gid)
    made.stop()
    made.settings |= {"ssl": "on", "ssl_cert_file": str(certificate), "ssl_key_file": str(key)}
    made.start()
    yield made
    made.close()


def _sealed_url(server, password="", **parameters):
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"postgresql://{SEALED}{password and ':'}{password}@127.0.0.1:{server.port}/{SEALED}?{query}"


async def test_the_password_comes_from_a_file_that_is_private(sealed, tmp_path, monkeypatch, kit):
    file = tmp_path / "passfile"
    file.write_text(f"127.0.0.1:*:*:{SEALED}:{sealed.password}\n")
    file.chmod(0o600)
    store = await PostgresStore.open(_sealed_url(sealed, passfile=file))
    await store.apply("job", kit.create())
    await store.close()
    monkeypatch.setenv("PGPASSFILE", str(file))
    await (await PostgresStore.open(_sealed_url(sealed))).close()


async def test_a_wrong_password_is_told_and_shown_nowhere(sealed, caplog):
    with pytest.raises(SetupError) as failed:
        await PostgresStore.open(_sealed_url(sealed, SECRET))
    assert failed.value.detail == {"reason": "28P01"}
    assert SECRET not in f"{failed.value!r} {failed.value} {failed.value.__cause__!r} {caplog.text}"


async def test_tls_is_used_and_its_certificate_checked(secured, tmp_path):
    url = _sealed_url(secured, secured.password, sslmode="verify-full", sslrootcert=secured.folder / "cert.pem")
    store = await PostgresStore.open(url)
    connection = await store._lanes[0].enter()
    row = await connection.fetchrow("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert row[0]
    assert row[1].startswith("TLSv1.")
    await store.close()
    other, _ = certify(tmp_path)
    with pytest.raises(SetupError, match="certificate does not hold"):
        await PostgresStore.open(_sealed_url(secured, secured.password, sslmode="verify-full", sslrootcert=other))
    (secured.data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
    secured.run_sql("postgres", "SELECT pg_reload_conf()", owner=True)
    with pytest.raises(SetupError, match="sslmode=require"):
        await PostgresStore.open(_sealed_url(secured, secured.password, sslmode="disable"))


async def test_without_tls_there_nothing_is_sent_where_it_is_required(postgres_url):
    if NAMED:
        pytest.skip("whether that server speaks TLS is not known")
    with pytest.raises(SetupError, match="speak TLS"):
        await PostgresStore.open(f"{postgres_url}?sslmode=require")


def test_the_migrations_are_numbered_and_kept_in_the_package():
    assert len(MIGRATIONS) >= 1
    assert all(migration.before.strip() for migration in MIGRATIONS)
    assert schema_module.number_of("a", "b") != schema_module.number_of("ab")
