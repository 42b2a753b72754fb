"""Processes that fork while they keep jobs in a folder: what a child has recorded is there, whoever ends first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import jobpass

SECRET = "a secret of this test's own"
BEGIN = """
import json, os, sys, threading, time
import jobpass
def opened():
    return jobpass.open(f"sqlite://{sys.argv[1]}", secret=sys.argv[2], account="ann@localhost", environ={})
client = opened()
members = {"id": "p", "name": "p", "components": [], "processing_levels": []}
job = client.create_job(client.create_pipeline(members)["uuid"]).uuid
def child(number):
    own = opened()
    for n in range(10):
        own.send(job, "update", {"child": number, "n": n})
"""
OUTLIVES = """
inner, outer = os.pipe()
ready, told = os.pipe()
if os.fork() == 0:
    own = opened()
    own.send(job, "update", {"before": 1})
    os.write(told, b".")
    os.read(inner, 1)  # until the parent has ended
    child(0)
    own.close()
    os._exit(0)
os.read(ready, 1)
client.close()
os.write(outer, b".")
os.wait()
print(job)
"""
BUSY = """
ended = False
def write():
    while not ended:
        client.send(job, "update", {"parent": 1})
threads = [threading.Thread(target=write) for _ in range(2)]
for thread in threads:
    thread.start()
children = []
for number in range(5):
    pid = os.fork()
    if pid == 0:
        try:
            child(number)
        except BaseException as error:
            print("failed", repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    children.append(pid)
failed = [pid for pid in children if os.waitpid(pid, 0)[1]]
ended = True
for thread in threads:
    thread.join()
client.send(job, "update", {"parent": 2})
client.close()
print(job)
"""


def history(folder: Path, script: str) -> list[Any]:
    """The data of all events of the job whose uuid the script prints, once it has run."""
    command = [sys.executable, "-c", BEGIN + script, str(folder), SECRET]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    with jobpass.open(f"sqlite://{folder}", secret=SECRET, account="ann@localhost", environ={}) as client:
        assert client.verify(done.stdout.strip()).intact
        return [event.data for event in client.iter_history(done.stdout.strip())]


def test_what_a_child_records_after_its_parent_has_closed_is_there(tmp_path: Path) -> None:
    found = history(tmp_path / "jobs", OUTLIVES)
    assert found[1:] == [{"before": 1}, *({"child": 0, "n": n} for n in range(10))]


def test_children_of_a_parent_at_work_can_work_too(tmp_path: Path) -> None:
    found = history(tmp_path / "jobs", BUSY)
    of_children = [json.dumps(data) for data in found if "child" in data]
    assert len(set(of_children)) == len(of_children) == 50
    assert found[-1] == {"parent": 2}


def test_a_second_opening_of_a_file_takes_no_lock_away(tmp_path: Path) -> None:
    if not Path("/proc/locks").exists():
        pytest.skip("locks are looked up in /proc")
    folder = tmp_path / "jobs"

    def locks() -> int:
        inode = os.stat(folder / "jobpass.sqlite").st_ino  # noqa: PTH116
        return sum(f":{inode} " in line for line in Path("/proc/locks").read_text().splitlines())

    def opened() -> jobpass.Client:
        return jobpass.open(f"sqlite://{folder}", secret=SECRET, account="ann@localhost", environ={})

    with opened():
        assert locks() == 1
        with opened():
            assert locks() == 1
        assert locks() == 1
    assert locks() == 0


def test_who_was_forked_off_in_the_middle_of_a_write_is_refused_and_disturbs_nothing(tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from jobpass.errors import StoreUnavailable
from jobpass.stores.sqlite.database import open_both
path = Path(sys.argv[1])
writer, reader = open_both(path)
writer.execute("BEGIN IMMEDIATE")
writer.execute("CREATE TABLE kept (n INTEGER)")
pid = os.fork()
if pid == 0:
    try:
        open_both(path)
    except StoreUnavailable as error:
        os._exit(0 if error.detail["reason"] == "forked" else 2)
    os._exit(1)
assert os.waitpid(pid, 0)[1] == 0
writer.execute("INSERT INTO kept VALUES (7)")
writer.execute("COMMIT")
again, reading = open_both(path)
assert again.execute("SELECT n FROM kept").get == reading.execute("SELECT n FROM kept").get == 7
assert again.pragma("integrity_check") == "ok"
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "x.sqlite")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
