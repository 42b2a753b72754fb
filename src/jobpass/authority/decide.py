"""The whole answer for one access: pure, collects every objection, has no early return.

Only the gate imports this. The answer is a value which the next step needs, so it cannot be dropped.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from jobpass.authority.bearer import Bearer
from jobpass.authority.policy import ANY_JOB_ACTIONS, KIND_ACTIONS, OWN_JOB_ACTIONS, ROLE_ACTIONS
from jobpass.records import Job, Role
from jobpass.tokens import ticket
from jobpass.tokens.access import Access
from jobpass.tokens.verify import check_caveats

Ground = Literal["hidden", "disabled", "ended", "expired", "caveat", "policy"]
"""Why not: the job is not to be seen; the owner is disabled; the token ended by decision; by time; a caveat forbids;
the policy does."""


class Objection(Struct, frozen=True, gc=False):
    """One reason against an access."""

    ground: Ground
    reason: str


class Allowed(Struct, frozen=True, gc=False):
    """Yes; ``credential`` is the public name which the record will show, ``address`` where the access came from."""

    credential: str
    address: str | None = None


class Denied(Struct, frozen=True, gc=False):
    """No, with every reason."""

    objections: tuple[Objection, ...]


def decide(bearer: Bearer, access: Access, job: Job | None, *, admin_only: bool = False) -> Allowed | Denied:
    """Answer whether ``bearer`` may do ``access``.

    ``job`` is the job that the access is about, None if it is about none; ``admin_only`` says that the lifecycle
    reserves the event to admin tokens.
    """
    verified = bearer.verified
    if access.platform is None and job is not None and job.work is not None:  # by whatever way it is asked for
        access = replace(access, platform=job.work.platform)
    objections = [Objection("expired" if o.expired else "caveat", o.sentence) for o in check_caveats(verified, access)]
    if access.action not in KIND_ACTIONS[verified.kind]:
        objections.append(Objection("policy", f"a {verified.kind} token does not open {access.action}"))
    if access.action == ticket.ACTION and not ticket.is_ticket(verified.caveats, access.at):
        objections.append(Objection("policy", "only a ticket may stand in a URL"))
    if admin_only and verified.kind != "admin":
        objections.append(Objection("policy", f"{access.event} needs an administrative token"))
    if verified.kind == "document":
        objections += _about_document(bearer, access, job)
    else:
        objections += _about_session(bearer, access)
        if verified.kind != "admin":  # an admin token opens every job; its own kind bounds what it may do there
            objections += _about_owner(bearer, access, job)
    return Denied(tuple(objections)) if objections else Allowed(bearer.credential, access.address)


def _about_document(bearer: Bearer, access: Access, job: Job | None) -> list[Objection]:
    """A document token opens its own job, as long as the job's row names its serial; that of a lease opens its work."""
    verified = bearer.verified
    objections = []
    if access.job != verified.job_uuid:
        ground: Ground = "policy" if access.job is None else "hidden"
        objections.append(Objection(ground, "a document token opens nothing but its job"))
    if job is not None and not _serial_lives(verified.serial, verified.kid, access, job):
        objections.append(Objection("ended", "the job's row names another serial"))
    return objections


def _serial_lives(serial: int | None, kid: str, access: Access, job: Job) -> bool:
    if access.action == "jobs.work":  # two powers: who owns the job does not work on it, who works on it owns nothing
        return job.work is not None and serial == job.work.lease and kid == job.kid
    if serial == job.serial:
        return kid == job.kid
    until = job.previous_until
    previous = serial == job.previous_serial and kid == job.previous_kid
    return until is not None and previous and access.at < until


def _about_session(bearer: Bearer, access: Access) -> list[Objection]:
    """A credential with a record lives as long as the record and its owner do."""
    session = bearer.session
    if session is None:
        return [Objection("ended", "no record of this credential")]
    credential, principal = session.credential, session.principal
    objections = []
    if credential.kind != bearer.verified.kind or credential.id != bearer.verified.credential_id:
        objections.append(Objection("ended", "the record is of another credential"))
    if credential.revoked_at is not None:
        objections.append(Objection("ended", "the credential was revoked"))
    if credential.expires_at is not None and access.at >= credential.expires_at:
        objections.append(Objection("expired", "the credential expired"))
    if not principal.active:
        objections.append(Objection("disabled", "the owner is disabled"))
    if access.action == "tokens.create" and not credential.terms.mints:
        objections.append(Objection("policy", "the token may make no others"))
    return objections


def _about_owner(bearer: Bearer, access: Access, job: Job | None) -> list[Objection]:
    """A person may do what the role allows, on the jobs that the person may touch."""
    if bearer.session is None:
        return []  # said already
    principal = bearer.session.principal
    role: Role = "author" if bearer.verified.kind == "job" else principal.role
    objections = []
    if access.action not in ROLE_ACTIONS[role]:
        objections.append(Objection("policy", f"the role {role} does not allow {access.action}"))
    if job is not None:
        allowed = on_job_of(principal.id, role, job.owner)
        if "jobs.read" not in allowed:
            objections.append(Objection("hidden", "the job belongs to somebody else"))
        elif access.action not in allowed:
            objections.append(Objection("policy", f"{access.action} on somebody else's job"))
    return objections


def on_job_of(principal_id: int, role: Role, owner: int) -> frozenset[str]:
    """What a principal who acts in this role may do on a job of this owner, as far as the role allows it at all."""
    return OWN_JOB_ACTIONS if owner == principal_id else ANY_JOB_ACTIONS[role]
