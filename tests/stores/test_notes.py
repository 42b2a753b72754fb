"""What the audit is told of a write stands with it, or not at all."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from jobpass.errors import AlreadyExists, Conflict, Denied, StoreUnavailable, UnknownPrincipal
from jobpass.ports import Ends
from jobpass.records import AdminKey, Credential, Platform, Principal, Renewal, Webhook
from jobpass.stores.sqlite import SqliteStore

CHILD = Path(__file__).parent / "notes_child.py"


async def _subjects(store):
    return [entry.subject for entry in (await store.list_audit(node="n")).items]


def _refuse(*_):
    raise Denied(reasons=["no"])


def _webhook(kit, **fields):
    plain = {"job_uuid": "job", "pipeline_uuid": None, "events": (), "kid": "k1", "secret_number": 1}
    return Webhook(**({"id": "h", "owner": 1, "url": "https://a", "created_at": kit.AT} | plain | fields))


def _writes(store, kit):
    """Each write that can be noted, in an order in which each of them is done, and what it answers."""
    credential = Credential("c", "job", 1, "label", kit.AT, None, kid="k1")
    key = AdminKey("k", "requested", 1, "why", "where", 60, b"{}", "hash", kit.AT)
    platform = Platform("p", "sim:a", "", "simulator", "available", kit.AT)
    hook = _webhook(kit)
    return {
        "add_credential": lambda note: store.add_credential(credential, note=note),
        "change_credential": lambda note: store.change_credential(
            "c", lambda one, _: replace(one, priority=3), note=note
        ),
        "change_principal": lambda note: store.change_principal(
            1, lambda one: replace(one, role="operator"), note=note
        ),
        "end_credential": lambda note: store.end_credential("c", kit.AT, note=note),
        "add_admin_key": lambda note: store.add_admin_key(key, note=note),
        "change_admin_key": lambda note: store.change_admin_key(
            "k", lambda one: replace(one, state="denied"), note=note
        ),
        "add_platform": lambda note: store.add_platform(platform, note=note),
        "change_platform": lambda note: store.change_platform(
            "sim:a", lambda one: replace(one, description="d"), note=note
        ),
        "add_webhook": lambda note: store.add_webhook(hook, 9, note=note),
        "change_webhook": lambda note: store.change_webhook("h", lambda one: replace(one, url="u"), kit.AT, note=note),
        "delete_webhook": lambda note: store.delete_webhook("h", note=note),
    }


async def test_each_write_is_noted_once_with_its_answer(store, kit):
    owner = await store.add_principal("a@b", "author", "h", kit.AT, note=kit.note(lambda one: f"made {one.id}"))
    expected = ["made 1"]
    seen = []

    def text(name):
        def told(answer):
            seen.append((name, answer))
            return name

        return kit.note(told)

    for name, write in _writes(store, kit).items():
        await write(text(name))
        expected.append(name)
        assert await _subjects(store) == expected
    answers = dict(seen)
    assert answers["add_credential"].number == 1
    assert answers["change_credential"].priority == 3
    assert answers["change_principal"] == Renewal(owner, replace(owner, role="operator"), 0)
    assert [one.id for one in answers["end_credential"]] == ["c"]
    assert answers["change_admin_key"].state == "denied"
    assert answers["delete_webhook"] is True
    entries = (await store.list_audit(node="n")).items
    assert [entry.sequence for entry in entries] == list(range(1, len(expected) + 1))
    assert [entry.data for entry in entries[1:]] == [entry.link for entry in entries[:-1]]


async def test_what_is_not_noted_writes_no_entry(store, kit):
    await store.add_principal("a@b", "author", "h", kit.AT)
    for write in _writes(store, kit).values():
        await write(lambda _: None)
    assert await _subjects(store) == []


async def test_a_note_that_fails_leaves_nothing_of_the_write(store, kit):
    def broken(_):
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await store.add_principal("x@y", "author", "h", kit.AT, note=broken)
    owner = await store.add_principal("a@b", "author", "h", kit.AT)
    fine = kit.note(lambda _: "fine")
    for name, write in _writes(store, kit).items():
        if name.startswith("add_"):
            with pytest.raises(KeyError):
                await write(broken)
        await write(fine)  # an add would be refused if anything stood
    found = await store.list_principals(after=None, limit=9)
    assert [one.email for one in found.items] == [owner.email]


async def test_what_is_refused_is_not_noted(store, kit):
    await store.add_principal("a@b", "author", "h", kit.AT)
    note = kit.note(lambda _: "never")
    writes = _writes(store, kit)
    refused = [
        store.add_principal("a@b", "author", "h", kit.AT, note=note),
        store.change_principal(9, lambda one: one, note=note),
        store.change_principal(1, _refuse, note=note),
        store.change_admin_key("k", _refuse, note=note),
    ]
    for call in refused:
        with pytest.raises((AlreadyExists, UnknownPrincipal, Denied)):
            await call
    for name in ("add_credential", "add_admin_key", "add_platform"):
        await writes[name](None)
        with pytest.raises(AlreadyExists):
            await writes[name](note)
    for number in range(2):
        await store.add_webhook(_webhook(kit, id=f"h{number}"), 2)
    with pytest.raises(Conflict):
        await store.add_webhook(_webhook(kit, id="h2"), 2, note=note)
    assert await _subjects(store) == []


async def test_writes_of_one_tick_are_noted_in_their_order(store, kit):
    await store.add_principal("a@b", "author", "h", kit.AT)
    note = kit.note(lambda one: one.label)

    def add(number):
        given = Credential(f"c{number}", "job", 1, f"{number}", kit.AT, None, kid="k1")
        return store.add_credential(given, note=note)

    answers = await asyncio.gather(*(add(number % 20) for number in range(30)), return_exceptions=True)
    assert sum(isinstance(one, AlreadyExists) for one in answers) == 10
    assert await _subjects(store) == [str(number) for number in range(20)]


async def test_an_owner_is_disabled_and_told_of_with_all_that_ends(store, kit):
    await store.add_principal("c@d", "author", "h", kit.AT)
    for kind in ("login", "job"):
        await store.add_credential(Credential(kind, kind, 1, kind, kit.AT, None, kid="k1"))

    def kinds(before: Principal, after: Principal):
        assert (before.active, after.active) == (True, False)
        return ("login", "job")

    note = kit.note(lambda done: f"{done.before.active} {done.after.active} {done.ended}")
    ends = Ends(kinds, kit.AT)
    done = await store.change_principal(1, lambda one: replace(one, active=False), ends=ends, note=note)
    assert (done.after.active, done.ended) == (False, 2)
    assert await _subjects(store) == ["True False 2"]
    assert {(await store.find_session(name)).credential.ended_by for name in ("login", "job")} == {"owner"}


async def test_a_closed_store_notes_nothing(store, kit):
    await store.add_principal("a@b", "author", "h", kit.AT)
    await store.close()
    for write in _writes(store, kit).values():
        with pytest.raises(StoreUnavailable):
            await write(kit.note(lambda _: "late"))


def _approve(path, turn):
    """Approve some keys, until a kill at any moment after so many."""
    command = [sys.executable, str(CHILD), str(path), str(turn)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        for _ in range(10 + 13 * turn):
            child.stdout.readline()
        child.kill()


async def test_whoever_is_killed_leaves_no_power_without_its_entry(tmp_path, kit):
    """Keys are approved as fast as can be by a process that is killed, again and again."""
    path = tmp_path / "store.sqlite"
    store = await SqliteStore.open(path)
    await store.add_principal("a@b", "author", "h", kit.AT)
    await store.close()
    for turn in range(6):
        await asyncio.to_thread(_approve, path, turn)
    store = await SqliteStore.open(path)
    told, after = set(), None
    while entries := (await store.list_audit(node="n", after=after, limit=1000)).items:
        told |= {entry.subject for entry in entries}
        after = str(int(after or 0) + len(entries))
    keys, after = {}, None
    while True:
        page = await store.list_admin_keys(requester=None, after=after, limit=1000)
        keys |= {key.id: key.state for key in page.items}
        after = page.next
        if after is None:
            break
    await store.close()
    approved = {key for key, state in keys.items() if state == "approved"}
    assert len(approved) >= 6
    assert told == approved
