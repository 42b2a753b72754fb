"""The bodies of the HTTP contract, shared by server and client.

Requests refuse unknown members; answers accept them, so that an older client reads a newer server.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

NULL = Raw(b"null")

# Bounds are in characters. They keep what is stored small; what a text means is judged by the authority.
Object = Annotated[Raw, Meta(extra_json_schema={"type": "object"})]
Email = Annotated[str, Meta(max_length=254)]
Password = Annotated[str, Meta(max_length=1024)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Session = Annotated[str, Meta(max_length=256)]
ArchivePath = Annotated[str, Meta(max_length=4096)]
Array = Annotated[Raw, Meta(extra_json_schema={"type": "array"})]
System = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Parents = Annotated[list[Annotated[str, Meta(min_length=1, max_length=256)]], Meta(max_length=1000)]


class LoginRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/login``."""

    email: Email
    password: Password

    def __repr__(self) -> str:
        return f"LoginRequest(email={self.email!r}, password=…)"


class LoginAnswer(Struct, frozen=True):
    """A login token; ``duration`` in seconds."""

    token: str
    token_type: str
    duration: int
    expires_at: datetime
    user_id: int
    email: str
    is_admin: bool

    def __repr__(self) -> str:
        return f"LoginAnswer(token=…, email={self.email!r}, expires_at={self.expires_at!r})"


class CredentialAnswer(Struct, frozen=True):
    """What can be told of a credential; ``id`` is public and opens nothing."""

    id: str
    kind: str
    expires_at: datetime | None


class MeAnswer(Struct, frozen=True):
    """``GET /api/me``: who the token speaks for."""

    user_id: int
    email: str
    is_admin: bool
    role: str
    credential: CredentialAnswer


class NewJob(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/pipelinejobs``; ``data`` is a JSON object, kept as it came.

    ``uuid`` is given only by those who number their jobs themselves; else it follows from pipeline, parents and data.
    With ``make_archive_path`` the server makes that directory, if it can.
    ``generated_by`` is the pipeline unless given. The patterns are arrays of texts and objects, and ``attributes`` is
    an object, kept as they come.
    """

    pipeline_uuid: Annotated[str, Meta(max_length=64)]
    data: Object
    child_of: Parents = []
    lifecycle: Name = "pipeline"
    archive_path: ArchivePath | None = None
    session: Session | None = None
    uuid: Annotated[str, Meta(max_length=64)] | None = None
    archive_system: System | None = None
    generated_by: Parents = []
    acted_on: Parents = []
    acted_using: Parents = []
    archive_patterns: Array | UnsetType = UNSET
    product_patterns: Array | UnsetType = UNSET
    attributes: Object | UnsetType = UNSET
    make_archive_path: bool = False


class JobSummary(Struct, frozen=True, kw_only=True):
    """What is told of a job wherever it is told of. ``final``: out of its state only events of administrators lead."""

    uuid: str
    lifecycle: str
    state: str
    last_event: str
    sequence: int
    pipeline_uuid: str
    child_of: list[str]
    archive_path: str | None
    session: str | None
    owner: int
    created_at: datetime
    updated_at: datetime
    archive_system: str | None = None
    final: bool = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(uuid={self.uuid!r}, state={self.state!r}, sequence={self.sequence})"


class JobAnswer(JobSummary, frozen=True, kw_only=True):
    """A job. ``token`` is there only where a token is given out, ``data`` and what follows it only where one job is
    asked for.

    ``final``: out of its state only events of administrators lead.
    """

    data: Raw | UnsetType = UNSET
    generated_by: list[str] | UnsetType = UNSET
    acted_on: list[str] | UnsetType = UNSET
    acted_using: list[str] | UnsetType = UNSET
    archive_patterns: Raw | UnsetType = UNSET
    product_patterns: Raw | UnsetType = UNSET
    attributes: Raw | UnsetType = UNSET
    token: str | UnsetType = UNSET


class JobList(Struct, frozen=True):
    """``GET /api/pipelinejobs``; ``next`` is the ``after`` of the next page, null at the end."""

    jobs: list[JobAnswer]
    next: str | None


class NewEvent(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """``POST /api/pipelinejobs/{uuid}/events``; ``data`` is any JSON value, kept as it came."""

    name: str
    data: Raw = field(default_factory=lambda: NULL)  # a default that is a value could not be shown in a schema


class EventAnswer(Struct, frozen=True, gc=False):
    """What an accepted event did."""

    uuid: str
    state: str
    last_event: str
    sequence: int
    event_uuid: str
    token: str | None
    at: datetime

    def __repr__(self) -> str:
        return f"EventAnswer(uuid={self.uuid!r}, state={self.state!r}, sequence={self.sequence})"


class ResetRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST …/reset``; with ``no_clear_path`` the archive directory keeps what is in it."""

    data: Raw = field(default_factory=lambda: NULL)
    no_clear_path: bool = False


class HistoryEntry(Struct, frozen=True):
    """One event of a history; ``hash`` is its link in hex."""

    sequence: int
    event_uuid: str
    name: str
    data: Raw
    at: datetime
    state: str
    credential: str
    hash: str


class HistoryPage(Struct, frozen=True):
    """``GET …/history``; ``next`` is the ``after`` of the next page, null at the end."""

    events: list[HistoryEntry]
    next: int | None


class VerifyAnswer(Struct, frozen=True):
    """``GET …/verify``; ``broken_at`` is the sequence of the first bad or missing link, null if all hold."""

    uuid: str
    events: int
    intact: bool
    broken_at: int | None


class PipelineList(Struct, frozen=True):
    """``GET /api/pipelines``; each is its own members with ``uuid``."""

    pipelines: list[dict[str, Any]]
    next: str | None


class Message(Struct, frozen=True):
    """A plain word: ``/health``, ``/ready``, ``POST /api/logout``."""

    message: str


class Problem(Struct, frozen=True):
    """The one error body: a sentence, a stable ``detail.code``, and the id under which the log knows the request."""

    error: str
    detail: dict[str, Any]
    request_id: str
    message: str | UnsetType = UNSET
