"""How SQLite finds jobs by their links, and what hangs on a job's row goes with it."""

from __future__ import annotations

import re

import apsw
import pytest

from jobpass.records import Details, Linked
from jobpass.stores.sqlite import SqliteStore, restore_database
from jobpass.stores.sqlite import links as links_module
from jobpass.stores.sqlite.database import open_both
from jobpass.stores.sqlite.links import linked_jobs
from jobpass.stores.sqlite.queries import QUERIES

MANY = 20_000

FILL = """
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :many)
INSERT INTO job (uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at,
                 updated_at, child_of)
SELECT 'job-' || n, 'pipeline', 'CREATED', 'create', 1, zeroblob(32), 'k1', n, iif(n % 5000 = 7, 2, 1), 'pipe', 0, 0,
       '[]'
  FROM n;
INSERT INTO job_link SELECT id, 'generated_by', 'pipe' FROM job;
INSERT INTO job_link SELECT id, 'acted_on', 'even' FROM job WHERE id % 2 = 0;
INSERT INTO job_link SELECT id, 'child_of', 'rare' FROM job WHERE id IN (5, :many - 5);
"""


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """A connection to a database of many jobs; ``generated_by`` pipe are all, ``child_of`` rare only two."""
    path = tmp_path_factory.mktemp("crowded") / "store.sqlite"
    connection, reader = open_both(path)
    reader.close()
    with connection:
        connection.execute(FILL, {"many": MANY})
    yield connection
    connection.close()


def _values(**given):
    return {"owner": None, "state": None, "pipeline_uuid": None, "after": 0, "limit": 101} | given


CASES = {
    "a rare link": ([("child_of", ("rare",))], {}, 2),
    "a rare link among unknown ones": ([("child_of", ("rare", *(f"unknown-{n}" for n in range(23))))], {}, 2),
    "a rare and a common one": ([("generated_by", ("pipe",)), ("child_of", ("rare",))], {}, 2),
    "a common one": ([("generated_by", ("pipe",))], {}, 101),
    "a common one among unknown ones": ([("generated_by", ("pipe", *(f"unknown-{n}" for n in range(23))))], {}, 101),
    "a common one, the last page": ([("generated_by", ("pipe",))], {"after": MANY - 50}, 50),
    "two common ones": ([("generated_by", ("pipe",)), ("acted_on", ("even",))], {}, 101),
    "a common one of a rare owner": ([("generated_by", ("pipe",))], {"owner": 2}, 4),
    "a common one of nobody": ([("generated_by", ("pipe",))], {"owner": 3}, 0),
    "a rare one of a common owner": ([("child_of", ("rare",))], {"owner": 1}, 2),
    "no target": ([("generated_by", ()), ("child_of", ("rare",))], {}, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_a_page_reads_no_more_than_it_needs(crowded, case):
    """Counted in instructions of SQLite's machine, which are the same on every machine."""
    linked, given, expected = CASES[case]
    steps = 0

    def count():
        nonlocal steps
        steps += 1
        return False

    crowded.set_progress_handler(count, 100)
    try:
        rows = linked_jobs(crowded.cursor(), [Linked(*condition) for condition in linked], *_filters(given))
    finally:
        crowded.set_progress_handler(None)
    assert len(rows) == expected
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert steps * 100 < 2 * MANY, "a look at each job takes ten instructions or more"


def _filters(given):
    texts = {"owner": " AND owner = :owner"}
    return "".join(text for name, text in texts.items() if name in given), _values(**given)


def _plan(connection, sql):
    names = re.findall(r":(\w+)", sql)
    bindings = dict.fromkeys(names, "1") if names else ("1",) * sql.count("?")
    return [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + sql, bindings)]


def test_links_and_neighbours_are_found_by_indexes(crowded):
    filters = " AND owner = :owner AND state = :state AND pipeline_uuid = :pipeline_uuid"
    names = ("list_linked", "list_owned", "count_linked", "count_owned", "archive_around", "archive_inside")
    for name in (*names, "find_details", "delete_links"):
        sql = QUERIES[name].replace("{n}", "0")
        plan = _plan(crowded, sql.replace("{filters}", filters + links_module._LINKED.replace("{n}", "1")))
        assert any(step.startswith("SEARCH job") for step in plan), (name, plan)
        scanned = [step.split()[1] for step in plan if step.startswith("SCAN")]
        assert not {"job", "job_link", "job_detail"} & set(scanned), (name, plan)
        assert not any("TEMP B-TREE" in step for step in plan), (name, plan)


def _fill_row(connection, table, number):
    """A row of any table that hangs on the job of this number."""
    row = {}
    for _, column, kind, needed, _, _ in connection.execute(f"PRAGMA table_info({table})"):
        if column == "job":
            row[column] = number
        elif needed:
            row[column] = {"INTEGER": 1, "TEXT": "x", "BLOB": b"x"}[kind]
    marks = ", ".join(f":{column}" for column in row)
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)


def _hanging_on_jobs(connection):
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {
        table: key[6]  # ON DELETE
        for table in tables
        for key in connection.execute(f"PRAGMA foreign_key_list({table})")
        if key[2] == "job"
    }


async def test_a_deletion_takes_everything_that_hangs_on_the_job(sqlite, tmp_path, kit):
    """Whatever table a later migration hangs on it as well."""
    for name in ("job", "other"):
        await sqlite.apply(name, kit.create(name, details=Details(acted_on=("x",)), child_of=("p",)))
    connection = apsw.Connection(str(tmp_path / "store.sqlite"))
    hanging = _hanging_on_jobs(connection)
    assert {"event", "job_detail", "job_link"} <= set(hanging)
    assert {table for table, action in hanging.items() if action != "CASCADE"} == {"event"}
    for table in set(hanging) - {"event", "job_detail", "job_link"}:
        for number in (1, 2):
            _fill_row(connection, table, number)
    await sqlite.apply("job", kit.delete)
    for table in hanging:
        owners = {row[0] for row in connection.execute(f"SELECT job FROM {table}")}
        assert owners == {2}, table
        plan = _plan(connection, f"DELETE FROM {table} WHERE job = ?")
        assert all(step.startswith("SEARCH") for step in plan), (table, plan)
    assert "job" not in {parent for _, _, parent, _ in connection.execute("PRAGMA foreign_key_check")}
    connection.close()


async def test_a_copy_holds_details_and_links(sqlite, tmp_path, kit):
    details = Details(generated_by=("g",), attributes=b'{"a":1}')
    await sqlite.apply("job", kit.create(details=details, archive_system="s", archive_path="/a"))
    await sqlite.backup(tmp_path / "copy")
    await sqlite.apply("job", kit.delete)
    restore_database(tmp_path / "copy", tmp_path / "restored")
    restored = await SqliteStore.open(tmp_path / "restored")
    assert await restored.find_details("job") == details
    linked = [Linked("generated_by", ("g",))]
    page = await restored.list_jobs(owner=None, state=None, pipeline_uuid=None, linked=linked, after=None, limit=9)
    assert [job.uuid for job in page.items] == ["job"]
    assert await restored.archive_neighbour("me", "s", "/a/b") == "job"
    await restored.close()
