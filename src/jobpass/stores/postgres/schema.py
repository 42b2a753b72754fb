"""The schema: recognised as ours, brought up to date by one node at a time while older nodes work on.

The table ``meta`` holds the version of the schema and ``min_compatible``, the oldest Jobpass's version that still works
with it. A migration that begins (``before.sql``) only adds what older nodes do not mind. What they need is taken away
later (``after.sql``), by ``finish_migration``, once they are gone.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from asyncpg.exceptions import InsufficientPrivilegeError

from jobpass.errors import SchemaTooNew, SetupError
from jobpass.stores.postgres.database import Connector, persist
from jobpass.stores.postgres.failures import FAILURES
from jobpass.stores.postgres.opening import unopened
from jobpass.stores.postgres.place import Place, read_place
from jobpass.stores.postgres.queries import MIGRATIONS, Migration

LOCK_SECONDS: Final = 30
"""How long one node waits for another that migrates, and a migration for who uses a table."""


def number_of(*parts: str) -> int:
    """The number by which advisory locks know a name: 64 bits, signed."""
    text = "\0".join(("jobpass", *parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big", signed=True)


async def migrate(connector: Connector, migrations: tuple[Migration, ...] = MIGRATIONS, *, make: bool = True) -> None:
    """Make or begin what this Jobpass's schema lacks; what others need is left.

    Raises ``SchemaTooNew`` if this Jobpass is too old for it, ``SetupError`` for a schema that is not ours; without
    ``make`` also for one that is not there.
    """
    await _migrated(connector, migrations, finish=False, make=make)


async def is_made(url: str) -> bool:
    """Whether there is a schema of Jobpass where the URL says; ``SetupError`` if not there, but elsewhere in the
    database: then the name of the schema is misspelt, or ``migrate`` is to be told to make another one."""
    connector = Connector(read_place(url))

    async def look() -> bool:
        connection = await connector.connect()
        try:
            if await _found(connection, connector.place.schema) is not None:
                return True
            if await _others(connection):
                raise await _missing(connection, connector.place)
            return False
        finally:
            await connection.close()

    return await persist(look, lambda error: unopened(error, connector.place))


async def finish_migration(url: str, migrations: tuple[Migration, ...] = MIGRATIONS) -> tuple[int, int]:
    """Take away what only nodes of earlier releases need, which cannot be opened from then on; returns the version
    and what is compatible now. Raises as ``migrate``, and ``StoreUnavailable``."""
    place = read_place(url)
    try:
        return await _migrated(Connector(place), migrations, finish=True, make=False)
    except FAILURES as error:
        raise unopened(error, place) from None


async def _migrated(
    connector: Connector, migrations: tuple[Migration, ...], *, finish: bool, make: bool
) -> tuple[int, int]:
    connection = await connector.connect(lock_timeout=f"{LOCK_SECONDS}s", statement_timeout="0")
    try:
        encoding = await connection.fetchval("SHOW server_encoding")
        if encoding != "UTF8":
            raise SetupError(f"The database has the encoding {encoding}; Jobpass needs UTF8.")
        found = await _found(connection, connector.place.schema)
        if found is None and not make:
            raise await _missing(connection, connector.place)
        if found is not None and found[0] >= len(migrations) and not finish:
            return _compatible(found, migrations)
        await connection.execute("SELECT pg_advisory_lock($1)", number_of("schema", connector.place.schema))
        async with connection.transaction():
            return await _bring(connection, connector.place.schema, migrations, finish=finish)
    except InsufficientPrivilegeError:
        message = f"The role may not make or use the schema {connector.place.schema} in this database."
        raise SetupError(f"{message} Make the database with this role as its owner.") from None
    finally:
        await connection.close()  # and with it the lock


async def _bring(connection: Any, schema: str, migrations: tuple[Migration, ...], *, finish: bool) -> tuple[int, int]:
    found = await _found(connection, schema) or await _begin(connection, schema)
    version, compatible = _compatible(found, migrations)
    for migration in migrations[version:]:
        await connection.execute(migration.before)
    if finish:
        for migration in migrations[compatible:]:  # before the first one there were no nodes
            if migration.after is not None:
                await connection.execute(migration.after)
    done = max(version, len(migrations)), len(migrations) if finish else compatible
    await connection.execute("UPDATE meta SET version = $1, min_compatible = $2", *done)
    return done


async def _found(connection: Any, schema: str) -> tuple[int, int] | None:
    """The version of the schema and what it needs, None if there is none."""
    if await connection.fetchval("SELECT to_regclass($1)", f"{schema}.meta") is None:
        return None
    names = await connection.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = $1 AND table_name = 'meta'", schema
    )
    if not {"version", "min_compatible"} <= {row[0] for row in names}:
        raise SetupError(f"The schema {schema} is of another program.")
    row = await connection.fetchrow("SELECT version, min_compatible FROM meta")
    if row is None:
        raise SetupError(f"The schema {schema} has lost its version.")
    return row[0], row[1]


async def _others(connection: Any) -> list[str]:
    """The schemas of the database that look like ours."""
    rows = await connection.fetch(
        "SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE relname = 'meta' AND relkind = 'r' AND 2 = (SELECT count(*) FROM pg_attribute"
        " WHERE attrelid = pg_class.oid AND attname IN ('version', 'min_compatible')) ORDER BY nspname"
    )
    return [row[0] for row in rows]


async def _missing(connection: Any, place: Place) -> SetupError:
    others = ", ".join(await _others(connection))
    if not others:
        return SetupError(f"There is no Jobpass data in {place.shown}: jobpass init makes it.")
    return SetupError(
        f"There is no Jobpass data in the schema {place.schema} of {place.shown}, but in {others}: correct schema= in "
        "the URL, or make an installation of its own with jobpass init."
    )


async def _begin(connection: Any, schema: str) -> tuple[int, int]:
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    tables = await connection.fetchval("SELECT count(*) FROM pg_class WHERE relnamespace = $1::regnamespace", schema)
    if tables:
        raise SetupError(f"The schema {schema} is of another program: name another one in the URL (schema=…).")
    await connection.execute("CREATE TABLE meta (version bigint NOT NULL, min_compatible bigint NOT NULL)")
    await connection.execute("INSERT INTO meta VALUES (0, 1)")
    return 0, 1


def _compatible(found: tuple[int, int], migrations: tuple[Migration, ...]) -> tuple[int, int]:
    """What was found, if this Jobpass can work with it."""
    if found[1] > max(1, len(migrations)):
        raise SchemaTooNew(
            f"The database has schema {found[0]}, which needs a Jobpass that knows schema {found[1]}, and this one "
            f"knows schemas up to {len(migrations)}: use that one, or restore a backup made before it.",
            found=found[0],
            known=len(migrations),
        )
    return found
