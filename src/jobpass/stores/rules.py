"""What every store checks in the same way, so that they cannot drift apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from jobpass.errors import (
    AlreadyExists,
    Conflict,
    JobExists,
    RevokedToken,
    StoreUnavailable,
    UnknownCredential,
    UnknownJob,
    UnknownPrincipal,
)
from jobpass.records import (
    AdminKey,
    AuditEntry,
    Change,
    Credential,
    Details,
    EndedBy,
    Event,
    ImportBatch,
    Job,
    LegacyToken,
    Pipeline,
    Platform,
    Principal,
    Relation,
    Replayed,
    Standing,
    Webhook,
    Work,
)

_Replaced = Principal | AdminKey | Webhook | Credential | Platform

FINAL: Final = ("compromised", "deleted")
"""Ends that go before others, and that nothing takes back."""


def check_answer(
    answer: Change | Replayed, uuid: str, job: Job | None, standing: Event | None, key: str | None
) -> None:
    """Return if a judge's answer fits the job that was judged; else the judge is wrong: ``TypeError``, ``ValueError``.

    ``standing`` is the event that was found under the idempotency key ``key``. What passes here cannot break
    a unique index, so that one caller's mistake never spoils the group that it is written with.
    """
    if type(answer) is Replayed:
        return
    if type(answer) is not Change:
        raise TypeError("a judge answers a Change or a Replayed")
    before, after, event = answer.before, answer.after, answer.event
    if before is not job and before != job:
        raise ValueError("the change was made for another state of the job")
    if job is not None and (answer.details is not None or answer.most is not None):
        raise ValueError("only a job that is made comes with details, or counts against a limit")
    if after is None:
        if job is None:
            raise ValueError("there is no job to delete")
        return
    if after.uuid != uuid:
        raise ValueError("the change is for another job")
    if job is not None and (after.work is None) != (job.work is None):
        raise ValueError("a job gets its work when it is made, and keeps it")
    if event is None:
        return
    if event.sequence != after.sequence or (job is not None and event.sequence <= job.sequence):
        raise ValueError("the event is out of sequence")
    if event.key is not None and (event.key != key or standing is not None):
        raise ValueError("the event's idempotency key was not looked up, or is taken")


def only_change(answer: Change | Replayed) -> Change:
    """What the judge of a job that waits answers: nothing was looked up that it could repeat; else ``TypeError``."""
    if not isinstance(answer, Change):
        raise TypeError("the judge of a job that waits answers a Change")
    return answer


def seconds_of(work: Work) -> int:
    """The whole seconds between the last start of the work and its end; 0 if it has not both."""
    if work.started_at is None or work.ended_at is None:
        return 0
    return max(0, int((work.ended_at - work.started_at).total_seconds()))


def check_import(batch: ImportBatch, standing: Mapping[str, Standing], known: Mapping[str, Pipeline]) -> None:
    """Return if the batch only adds, and each job's row follows on its history; else ``ValueError``."""
    uuids = [one.job.uuid for one in batch.jobs] + [pipeline.uuid for pipeline in batch.pipelines]
    if len(set(uuids)) != len(uuids) or any(uuid in standing or uuid in known for uuid in uuids):
        raise ValueError("an import does not replace what stands")
    for one in batch.jobs:
        if not one.events or one.events[-1].sequence != len(one.events) or one.job.sequence != len(one.events):
            raise ValueError("the history of an imported job is out of sequence")


def still_stands_for(legacy: LegacyToken, job: Job) -> bool:
    """Whether the job has the serial and root key that it was imported with."""
    return (legacy.serial, legacy.kid) == (job.serial, job.kid)


def links(job: Job, details: Details) -> dict[Relation, frozenset[str]]:
    """What the job is linked to, by relation; a target that is named twice is one link."""
    return {
        "child_of": frozenset(job.child_of),
        "generated_by": frozenset(details.generated_by),
        "acted_on": frozenset(details.acted_on),
        "acted_using": frozenset(details.acted_using),
    }


def around(path: str) -> list[str]:
    """``path`` and the directories that contain it: ``/a/b``, ``/a``, ``/``."""
    names = path.split("/")
    return ["/".join(names[:end]) or "/" for end in range(len(names), 0, -1)]


def within(path: str) -> tuple[str, str]:
    """The texts between which lie all paths in the directory ``path``, and no others: ``0`` follows on ``/``."""
    names = path.rstrip("/")
    return f"{names}/", f"{names}0"


def archive_taken() -> JobExists:
    """The error of a job whose directory would have to do with another owner's; it names nothing of that job."""
    message = "The archive path is the same as that of another owner's job, contains it, or lies in it."
    return JobExists(message, field="archive_path")


def swept() -> Conflict:
    """The error of every call that goes on with a blob which nobody named in time."""
    return Conflict("What was sent before this is not there any more: send it again.")


def held(name: str) -> Conflict:
    """The error of every call that wants to hold what somebody else holds."""
    return Conflict("Somebody works on this already.", name=name)


def check_replacement(answer: _Replaced, standing: _Replaced | None) -> None:
    """Return if ``answer`` can take the place of the record that stands: ``TypeError`` or ``ValueError`` if not."""
    if standing is None:
        raise ValueError("there is no record to change")
    if type(answer) is not type(standing):
        raise TypeError(f"the change of a {type(standing).__name__} answers one")
    if answer.id != standing.id:
        raise ValueError("the change is for another record")


def ended(credential: Credential, at: datetime, by: EndedBy, *, itself: bool) -> Credential:
    """The credential once it, or with ``itself`` False an ancestor of its, has ended ``by`` something."""
    wanted: EndedBy = by if itself or by == "compromised" else "parent"
    if credential.ended_by == "deleted" or (credential.ended_by == "compromised" and wanted != "deleted"):
        return credential
    if credential.revoked_at is not None and wanted not in FINAL:
        return credential
    return replace(credential, revoked_at=credential.revoked_at or at, ended_by=wanted)


def check_roots(
    owner: Principal, recorded: Iterable[Credential | None], expected: str | None, password_hash: str | None
) -> None:
    """``RevokedToken`` unless the owner is active, nothing of what is recorded has ended by decision, and the password
    is the ``expected`` one, if one is."""
    ended = any(one is not None and one.revoked_at is not None for one in recorded)
    if ended or not owner.active or (expected is not None and expected != password_hash):
        raise RevokedToken("What the token was asked for with has ended.")


def lives(credential: Credential, at: datetime | None) -> bool:
    """Whether the credential was neither revoked nor, by ``at``, expired; None: time ends nothing."""
    if credential.revoked_at is not None:
        return False
    return at is None or credential.expires_at is None or credential.expires_at > at


def unknown_credential(credential_id: str) -> UnknownCredential:
    """The error of every call that needs a credential which is not there."""
    return UnknownCredential("There is no such credential.", id=credential_id)


def name_taken(name: str) -> AlreadyExists:
    """The error of every call that wants to add a platform whose name or id is another's."""
    return AlreadyExists("There is a platform of this name already.", name=name)


def check_placed(entries: list[AuditEntry], node: str, sequence: int) -> None:
    """Return if the entries follow on the node's ``sequence`` without a gap; else ``ValueError``."""
    for expected, entry in enumerate(entries, sequence + 1):
        if entry.node != node or entry.sequence != expected:
            raise ValueError("the entry is out of its place in the audit")


def unknown_principal(principal_id: int) -> UnknownPrincipal:
    """The error of every call that needs a principal who is not there."""
    return UnknownPrincipal("There is no such principal.", id=principal_id)


def address_taken() -> AlreadyExists:
    """The error of every call that wants another's address."""
    return AlreadyExists("This address has an account already.")


def id_taken(what: str) -> AlreadyExists:
    """The error of every call that wants to record ``what`` under an id that is recorded already."""
    return AlreadyExists(f"{what} of this id is recorded already.")


def gone(job: Job) -> UnknownJob:
    """The error of every call that is about a job which was deleted."""
    return UnknownJob(job.uuid)


def closed() -> StoreUnavailable:
    """The error of every call on a store that was closed."""
    return StoreUnavailable("The store is closed.", reason="closed")


def crowded(most: int) -> Conflict:
    """The error of every call that would give somebody more webhooks than are allowed."""
    return Conflict(f"Nobody has more than {most} webhooks: delete one.", most=most)
