"""Several real processes on one file, and one that is killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time

import pytest

from jobpass.errors import UnknownJob
from jobpass.records import Credential
from jobpass.stores.sqlite import SqliteStore


@pytest.mark.parametrize("senders", [1, 16])
def test_what_was_acknowledged_survives_sigkill(tmp_path, child, kit, senders):
    path = tmp_path / "store.sqlite"
    asyncio.run(_make_jobs(path, kit))
    acknowledged, said = [], tmp_path / "acknowledged"
    for _ in range(5):
        with said.open("wb") as into:  # a pipe would fill and stop the load
            process = child("load", path, senders, into=into)
        while said.stat().st_size == 0:
            time.sleep(0.001)
        time.sleep(random.uniform(0.05, 0.25))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        lines = said.read_text().split("\n")[:-1]
        acknowledged += [line.split() for line in lines]
        asyncio.run(_find_all(path, acknowledged))
    assert len(acknowledged) > 100


async def _make_jobs(path, kit):
    store = await SqliteStore.open(path)
    for n in range(5):
        await store.apply(f"job-{n}", kit.create(f"job-{n}"))
    await store.close()


async def _find_all(path, acknowledged):
    """Each acknowledged event stands once, at its place; rows and histories agree."""
    store = await SqliteStore.open(path)
    standing = {}
    for n in range(5):
        uuid = f"job-{n}"
        history = await store.history(uuid, 0, 1_000_000)
        found = await store.find_job(uuid)
        assert [entry.sequence for entry in history] == list(range(1, found.sequence + 1))
        assert (found.head, found.state, found.last_event) == (history[-1].link, history[-1].state, history[-1].name)
        keys = [entry.key for entry in history[1:]]
        assert len(set(keys)) == len(keys)
        standing |= {(uuid, entry.key): entry.sequence for entry in history}
    for uuid, sequence, key in acknowledged:
        assert standing[uuid, key] == int(sequence)
    await store.close()


async def test_two_processes_race_and_exactly_one_wins_each_time(sqlite, tmp_path, child, kit):
    rounds = 60
    for n in range(rounds):
        await sqlite.apply(f"race-{n}", kit.create(f"race-{n}"))
    racers = {name: child("race", tmp_path / "store.sqlite", name, rounds) for name in ("one", "two")}
    answers = await asyncio.to_thread(_run_together, racers)
    won = {name: {int(line.split()[1]) for line in lines if line.startswith("won")} for name, lines in answers.items()}
    lost = {
        name: {int(line.split()[1]) for line in lines if line.endswith("conflict")} for name, lines in answers.items()
    }
    assert won["one"] | won["two"] == set(range(rounds))
    assert not won["one"] & won["two"]
    assert (lost["one"], lost["two"]) == (won["two"], won["one"])
    for n in range(rounds):
        history = await sqlite.history(f"race-{n}", 0, 9)
        assert len(history) == 2
        assert n in won[history[1].data.decode()]


async def test_processes_that_write_to_one_job_leave_one_sequence(sqlite, tmp_path, child, kit):
    await sqlite.apply("job", kit.create())
    counters = {name: child("count", tmp_path / "store.sqlite", "job", 100) for name in "ab"}
    answers = asyncio.create_task(asyncio.to_thread(_run_together, counters))
    for _ in range(50):
        await sqlite.apply("job", kit.send())
        await asyncio.sleep(0.002)
    await answers
    history = await sqlite.history("job", 0, 1000)
    assert [entry.sequence for entry in history] == list(range(1, 252))
    assert (await sqlite.find_job("job")).sequence == 251


def _run_together(processes):
    """Let all start once all are ready; what each said, by name."""
    for process in processes.values():
        assert process.stdout.readline() == "ready\n"
    for process in processes.values():
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = {name: process.stdout.read().splitlines() for name, process in processes.items()}
    for process in processes.values():
        process.wait()
    assert {process.returncode for process in processes.values()} == {0}
    return answers


async def test_a_revocation_by_another_process_holds_at_once(sqlite, tmp_path, child, kit):
    owner = await sqlite.add_principal("a@b", "author", "h", kit.AT)
    await sqlite.add_credential(Credential("c1", "login", owner.id, "", kit.AT, None))
    for _ in range(3):
        assert (await sqlite.find_session("c1")).credential.revoked_at is None
    process = child("revoke", tmp_path / "store.sqlite", "c1")
    assert await asyncio.to_thread(process.stdout.readline) == "True\n"
    assert (await sqlite.find_session("c1")).credential.revoked_at == kit.AT


async def test_sessions_stay_cached_while_only_this_process_writes(sqlite, kit):
    owner = await sqlite.add_principal("a@b", "author", "h", kit.AT)
    await sqlite.add_credential(Credential("c1", "login", owner.id, "", kit.AT, None))
    await sqlite.apply("job", kit.create())
    first = await sqlite.find_session("c1")
    for _ in range(20):
        await asyncio.gather(*(sqlite.apply("job", kit.send()) for _ in range(3)))
        assert await sqlite.find_session("c1") is first


async def test_a_job_changed_by_another_connection_is_judged_as_it_stands(tmp_path, kit):
    one = await SqliteStore.open(tmp_path / "store.sqlite")
    two = await SqliteStore.open(tmp_path / "store.sqlite")
    await one.apply("job", kit.create())
    for turn in range(20):
        store = (one, two)[turn % 2]
        assert (await store.apply("job", kit.send())).event.sequence == turn + 2
        assert (await one.find_job("job")) == (await two.find_job("job"))
    await two.apply("job", kit.delete)
    with pytest.raises(UnknownJob):
        await one.apply("job", kit.send())
    await two.apply("job", kit.create(serial=5))
    assert (await one.apply("job", kit.send())).before.serial == 5
    await one.close()
    await two.close()


async def test_a_job_that_was_read_is_read_anew_once_another_connection_has_changed_it(tmp_path, kit):
    one = await SqliteStore.open(tmp_path / "store.sqlite")
    two = await SqliteStore.open(tmp_path / "store.sqlite")
    await two.apply("job", kit.create())
    for sequence in range(2, 12):
        for _ in range(2):
            assert (await one.find_job("job")).sequence == sequence - 1
        await two.apply("job", kit.send())
    assert (await one.apply("job", kit.send())).event.sequence == 12
    assert (await one.find_job("job")).sequence == 12
    await two.apply("job", kit.delete)
    assert await one.find_job("job") is None
    await two.apply("job", kit.create(serial=5))
    assert (await one.find_job("job")).serial == 5
    await one.close()
    await two.close()


def test_processes_that_open_a_new_file_at_once_all_succeed(tmp_path, child):
    for turn in range(3):
        processes = [child("unlock", tmp_path / f"store-{turn}.sqlite") for _ in range(4)]
        assert [process.communicate(timeout=30)[0] for process in processes] == ["open\n"] * 4
        assert {process.returncode for process in processes} == {0}
