"""SQLite does what memory does, whatever is asked in whatever order."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from jobpass.errors import Conflict
from jobpass.records import RELATIONS, Change, Credential, Details, Linked
from support.twins import Twins, run

UUIDS = st.sampled_from(["a", "b", "c"])
KEYS = st.none() | st.sampled_from(["k1", "k2"])
STATES = st.none() | st.sampled_from(["RUNNING", "FINISHED"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
OWNERS = st.sampled_from([1, 2])
TARGETS = st.lists(st.sampled_from(["t1", "t2", "T1", "t1 ", "\0", "ü"]) | TEXTS, max_size=3).map(tuple)
PATTERNS = st.sampled_from([b"[]", b'["a"]'])
DETAILS = st.none() | st.builds(Details, TARGETS, TARGETS, TARGETS, PATTERNS, PATTERNS)
SYSTEMS = st.none() | st.sampled_from(["s1", "s2"])
PATHS = st.none() | st.sampled_from(["/a", "/a/b", "/a/b/c", "/a/bc", "/a/b0", "/a/b!", "/a/%", "/a/_", "/A/b", "/"])
CONDITIONS = st.builds(Linked, st.sampled_from(RELATIONS), TARGETS)
OPERATIONS = st.one_of(
    st.tuples(st.just("create"), UUIDS, OWNERS, st.integers(0, 2**64 - 1), DETAILS, TARGETS, SYSTEMS, PATHS),
    st.tuples(st.just("misplace"), UUIDS, DETAILS),
    st.tuples(st.just("send"), UUIDS, KEYS, STATES, st.binary(max_size=9)),
    st.tuples(st.just("rewrite"), UUIDS, st.none() | TEXTS, TARGETS, SYSTEMS, PATHS),
    st.tuples(st.just("delete"), UUIDS),
    st.tuples(st.just("refuse"), UUIDS),
    st.tuples(st.just("principal"), st.sampled_from(["x@y", "z@y"])),
    st.tuples(st.just("credential"), st.sampled_from(["c1", "c2"]), OWNERS, st.none() | TEXTS),
    st.tuples(st.just("revoke"), st.sampled_from(["c1", "c2"])),
    st.tuples(st.just("pipeline"), st.sampled_from(["p", "q"]), OWNERS, TEXTS),
)


def _machine(kit):
    def refuse(*_):
        raise Conflict("no")

    async def perform(store, operation):
        what, name, *more = operation
        match what:
            case "create":
                keys = ("owner", "serial", "details", "child_of", "archive_system", "archive_path")
                return await store.apply(name, kit.create(name, **dict(zip(keys, more, strict=True))))
            case "misplace":
                return await store.apply(name, lambda found, _: Change(found, found, None, more[0]))
            case "send":
                key, state, data = more
                return await store.apply(name, kit.send(key=key, state=state, data=data), key)
            case "rewrite":

                def judge(found, _):
                    if found is None:
                        raise Conflict("none")
                    keys = ("session", "child_of", "archive_system", "archive_path")
                    return kit.rewrite(**dict(zip(keys, more, strict=True)))(found, None)

                return await store.apply(name, judge)
            case "delete":
                return await store.apply(name, kit.delete)
            case "refuse":
                return await store.apply(name, refuse)
            case "principal":
                return await store.add_principal(name, "author", "hash", kit.AT)
            case "credential":
                credential = Credential(name, "login", more[0], "", kit.AT, None, parent=more[1])
                return await store.add_credential(credential)
            case "revoke":
                return await store.end_credential(name, kit.AT)
            case "pipeline":
                return await store.put_pipeline(kit.pipeline(name, owner=more[0], name=more[1]))

    async def walk(store, owner, state, linked, limit):
        pages, after = [], None
        while not pages or after is not None:
            filters = {"owner": owner, "state": state, "pipeline_uuid": None, "linked": linked}
            pages.append(await store.list_jobs(**filters, after=after, limit=limit))
            after = pages[-1].next
        return pages

    async def everything(store):
        found = []
        for name in "abc":
            found.append(await store.find_job(name))
            found.append(await store.find_details(name))
            found.append(await store.history(name, 0, 1000))
        for owner, state in ((None, None), (1, None), (2, "RUNNING"), (None, "FINISHED")):
            found += await walk(store, owner, state, (), 2)
        found += [await store.find_login(name) for name in ("x@y", "z@y")]
        found += [await store.find_session(name) for name in ("c1", "c2")]
        return [*found, await store.list_pipelines(after=None, limit=9)]

    class Machine(Twins):
        async def perform(self, store, operation):
            return await perform(store, operation)

        async def everything(self, store):
            return await everything(store)

        @rule(operation=OPERATIONS)
        def one(self, operation):
            self.compare([operation])

        @rule(operations=st.lists(OPERATIONS, min_size=2, max_size=8))
        def one_tick(self, operations):
            self.compare(operations)

        @rule(owner=st.none() | OWNERS, state=STATES, linked=st.lists(CONDITIONS, min_size=1, max_size=3))
        def find_linked(self, owner, state, linked):
            here, there = (self.runner.run(walk(s, owner, state, linked, 1)) for s in (self.sqlite, self.memory))
            assert here == there

        @rule(uuid=UUIDS, system=st.sampled_from(["s1", "s2"]), path=PATHS.filter(bool))
        def find_neighbour(self, uuid, system, path):
            stores = self.sqlite, self.memory
            here, there = (self.runner.run(store.archive_neighbour(uuid, system, path)) for store in stores)
            assert here == there

    return Machine


def test_sqlite_is_the_memory_store_with_a_disk(kit):
    run(_machine(kit))
