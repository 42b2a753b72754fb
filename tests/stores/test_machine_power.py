"""SQLite does what memory does with principals, lines of credentials, admin keys and the audit, in whatever order."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule
from msgspec.structs import replace

from jobpass.errors import Conflict
from jobpass.records import AdminKey, AuditEntry, Credential
from support.twins import Twins, run

NAMES = st.sampled_from(["a", "b", "c", "d"])
OWNERS = st.integers(1, 3)
KINDS = st.sampled_from(["login", "job"])
KIDS = st.sampled_from(["k1", "k2"])
HOURS = st.integers(0, 3)
EMAILS = st.sampled_from(["a@b", "b@b", "c@b"])
OPERATIONS = st.one_of(
    st.tuples(st.just("principal"), EMAILS),
    st.tuples(st.just("change"), OWNERS, EMAILS, st.booleans(), st.none() | st.just("new")),
    st.tuples(st.just("credential"), NAMES, OWNERS, KINDS, st.none() | NAMES, st.none() | HOURS, KIDS),
    st.tuples(st.just("revoke"), NAMES, HOURS),
    st.tuples(st.just("revoke_owned"), OWNERS, st.sets(KINDS), HOURS),
    st.tuples(st.just("uses"), st.dictionaries(NAMES, st.tuples(st.integers(1, 3), HOURS))),
    st.tuples(st.just("job"), NAMES, KIDS, st.none() | KIDS, st.none() | HOURS),
    st.tuples(st.just("request"), NAMES, OWNERS),
    st.tuples(st.just("review"), NAMES, st.sampled_from(["approved", "denied", None])),
    st.tuples(st.just("audit"), st.sampled_from(["n", "m"]), st.lists(st.sampled_from(["x", "y"]), max_size=3), HOURS),
)


def _machine(kit):
    def at(hours):
        return None if hours is None else kit.AT + timedelta(hours=hours)

    def judge(state):
        def judging(found):
            if found is None or state is None:
                raise Conflict("no")
            return replace(found, state=state, reason=f"after {found.state}")

        return judging

    def told(what):
        return kit.note(lambda answer: f"{what} {answer}")

    def placing(node, names, hours):
        def place(sequence, link):
            return [
                AuditEntry(node, number, at(hours), name, hours, None, None, None, link, "k1", bytes([number]) * 32)
                for number, name in enumerate(names, sequence + 1)
            ]

        return place

    async def perform(store, what, *more):
        match what, *more:
            case "principal", email:
                return await store.add_principal(email, "author", "h", kit.AT, note=told("principal"))
            case "change", owner, email, active, password:
                return await store.change_principal(
                    owner, lambda p: replace(p, email=email, active=active), password, note=told("change")
                )
            case "credential", name, owner, kind, parent, hours, kid:
                given = Credential(name, kind, owner, "", kit.AT, at(hours), parent=parent, kid=kid)
                return await store.add_credential(given, note=told("credential"))
            case "revoke", name, hours:
                return await store.end_credential(name, at(hours), note=told("revoke"))
            case "revoke_owned", owner, kinds, hours:
                return await kit.end_owned(store, owner, kinds, at(hours))
            case "uses", uses:
                return await store.note_uses({name: (count, at(hours)) for name, (count, hours) in uses.items()})
            case "job", name, kid, previous, hours:
                fields = {"kid": kid, "previous_kid": previous, "previous_until": at(hours)}
                if await store.find_job(name) is None:
                    return await store.apply(name, kit.create(name, **fields))
                return await store.apply(name, kit.rewrite(**fields))
            case "request", name, owner:
                return await store.add_admin_key(AdminKey(name, "requested", owner, "", "", 1, b"{}", "", kit.AT))
            case "review", name, state:
                return await store.change_admin_key(name, judge(state), note=told("review"))
            case "audit", node, names, hours:
                return await store.append_audit(node, placing(node, names, hours))

    async def everything(store):
        found = [await store.find_session(name) for name in "abcd"]
        found += [await store.find_admin_key(name) for name in "abcd"]
        found += [await store.find_login(email) for email in ("a@b", "b@b", "c@b")]
        found += [await store.count_kids(at(hours)) for hours in (None, 0, 1, 2, 3)]
        found += [await store.list_admin_keys(requester=owner, after=None, limit=2) for owner in (None, 1, 2)]
        found += [await store.list_principals(after=None, limit=2), await store.audit_nodes()]
        for filters in ({}, {"node": "n"}, {"name": "x"}, {"principal": 1}, {"since": at(1), "until": at(3)}):
            page = await store.list_audit(**filters, limit=2)
            found += [page, await store.list_audit(**filters, after=page.next)]
        return found

    class Machine(Twins):
        async def perform(self, store, operation):
            return await perform(store, *operation)

        async def everything(self, store):
            return await everything(store)

        @rule(operation=OPERATIONS)
        def one(self, operation):
            self.compare([operation])

        @rule(operations=st.lists(OPERATIONS.filter(lambda operation: operation[0] != "job"), min_size=2, max_size=8))
        def one_tick(self, operations):
            self.compare(operations)

    return Machine


def test_sqlite_keeps_power_as_memory_does(kit):
    run(_machine(kit))
