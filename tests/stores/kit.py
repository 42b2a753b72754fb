"""Records and judges for the tests of the stores, and for the processes that they start."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from jobpass.errors import Conflict, UnknownJob
from jobpass.ports import Ends, Placement
from jobpass.records import AuditEntry, Blob, Change, Details, Event, Job, Pipeline, Replayed, Work

AT = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def job(uuid="job", **fields):
    """A job as it stands after ``create``."""
    plain = {
        "lifecycle": "pipeline",
        "state": "CREATED",
        "last_event": "create",
        "sequence": 1,
        "head": bytes([1]) * 32,
        "kid": "k1",
        "serial": 2**64 - 1,
        "owner": 1,
        "pipeline_uuid": "pipe",
        "created_at": AT,
        "updated_at": AT,
    }
    return Job(uuid=uuid, **(plain | fields))


def event(sequence, name="update", *, data=b"null", state="CREATED", key=None):
    """An entry of a history."""
    at = AT + timedelta(seconds=sequence)
    return Event(sequence, f"event-{sequence}", name, data, at, state, "doc:1", key, "k1", bytes([sequence % 256]) * 32)


def create(uuid="job", *, details=None, **fields):
    """A judge that makes the job, or refuses with ``Conflict``."""

    def judge(found, _):
        if found is not None:
            raise Conflict("there is one")
        made = job(uuid, **fields)
        return Change(None, made, event(1, "create", state=made.state), details)

    return judge


def send(name="update", *, data=b"null", state=None, key=None, **fields):
    """A judge that adds an event; ``state`` None keeps the state, ``fields`` are changed in the row as well."""

    def judge(found, standing):
        if found is None:
            raise UnknownJob("job")
        if standing is not None:
            return Replayed(found, standing)
        entry = event(found.sequence + 1, name, data=data, state=state or found.state, key=key)
        after = replace(
            found,
            state=entry.state,
            last_event=name,
            sequence=entry.sequence,
            head=entry.link,
            updated_at=entry.at,
            **fields,
        )
        return Change(found, after, entry)

    return judge


def win(winner):
    """A judge that moves a CREATED job to RUNNING and puts the winner's name into the event; only one can."""

    def judge(found, _):
        if found.state != "CREATED":
            raise Conflict("too late")
        return send("run", state="RUNNING", data=winner.encode())(found, None)

    return judge


def delete(found, _):
    """A judge that deletes the job with its history."""
    if found is None:
        raise UnknownJob("job")
    return Change(found, None, None)


def rewrite(**fields):
    """A judge that changes the row without an event."""
    return lambda found, _: Change(found, replace(found, **fields), None)


def note(text, *, node="n"):
    """What tells the audit of a write: an entry whose subject is ``text(answer)``."""

    def noting(answer):
        def place(sequence, link):
            said = text(answer), link
            return [AuditEntry(node, sequence + 1, AT, "noted", None, None, None, said[0], said[1], "k1", b"l" * 32)]

        return Placement(node, place)

    return noting


async def end_owned(store, owner, kinds, at):
    """End the owner's credentials of these kinds; how many they were."""
    return (await store.change_principal(owner, lambda one: one, ends=Ends(lambda *_: kinds, at))).ended


def pipeline(uuid="pipe", **fields):
    """A pipeline."""
    plain = {"name": "a pipeline", "body": b'{"id":"a"}', "owner": 1, "created_at": AT, "updated_at": AT}
    return Pipeline(uuid=uuid, **(plain | fields))


async def blob(store, chunk, at):
    """A new blob; its number."""
    number = secrets.randbelow(2**63 - 1) + 1
    await store.add_blob(number, chunk, at)
    return number


def work(payload=1, **fields):
    """What makes a job one for a worker; ``payload`` is the number of a blob."""
    return Work(**({"platform": "sim:a", "platform_id": "pipe", "payload": Blob(payload, 2, "00")} | fields))


def submit(uuid, blob, *, most=None, owner=1, created_at=AT, **fields):
    """A judge that makes a job that waits for a worker."""

    def judge(found, _):
        if found is not None:
            raise Conflict("there is one")
        plain = {"lifecycle": "compute", "state": "waiting", "owner": owner, "created_at": created_at}
        made = job(uuid, work=work(blob, **fields), **plain)
        return Change(None, made, event(1, "create", state="waiting"), Details(), most)

    return judge


def move(name, state, **fields):
    """A judge that moves a job with work; ``fields`` are of its work."""

    def judge(found, _):
        if found is None:
            raise UnknownJob("job")
        return send(name, state=state, work=replace(found.work, **fields))(found, None)

    return judge


def lease(worker="w", until=AT):
    """A judge that gives a waiting job to a worker."""

    def judge(found, _):
        assert found.state == "waiting"
        return move("lease", "running", worker=worker, leased_until=until, attempts=found.work.attempts + 1)(found, _)

    return judge
