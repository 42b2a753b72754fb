"""Everything that a store holds as plain rows, so that one store can be copied into another, whatever keeps them.

A row is a tuple of integers, texts, bytes and None, in the order of its table's columns. ``news`` are those events that
nobody has looked at for webhooks yet; ``event`` has all others. The ``since`` of a webhook counts how many of the news
it is too late for. ``number`` has the highest number ever given to each kind of row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

Row = tuple[Any, ...]
Key = tuple[Any, ...]


class Table(NamedTuple):
    """A table: its columns, of which the first ``keys`` are unique together and put its rows in order.

    More than ``most`` of its rows are never read at once.
    """

    name: str
    columns: tuple[str, ...]
    keys: int = 1
    most: int = 1000


_EVENT: Final = "job sequence uuid name data at state credential key kid link address"
_JOB: Final = (
    "id uuid lifecycle state last_event sequence head kid serial owner pipeline_uuid created_at updated_at child_of"
    " archive_path session previous_serial previous_until previous_kid archive_system work"
)
_ADMIN_KEY: Final = (
    "number id state requester use_case storage lifetime_seconds scope request_hash requested_at reviewer reviewed_at"
    " reason collected_at revoked_at"
)
_WEBHOOK: Final = (
    "number id owner url job_uuid pipeline_uuid events kid secret_number created_at previous_kid previous_until"
    " failing_since disabled_at reason since"
)


_CREDENTIAL: Final = (
    "number id kind owner label issued_at expires_at revoked_at parent last_used_at uses kid priority issuer ended_by"
    " terms"
)
_PLATFORM: Final = (
    "number id name description type status created_at max_shots max_duration_seconds constraints specs perfs"
    " maintenance_start_at maintenance_end_at seen_at retired_at presence"
)
_WORK: Final = (
    "job owner platform priority created_at token job_group process_id payload results state seconds leased_until"
)


def _table(name: str, columns: str, keys: int = 1, most: int = 1000) -> Table:
    return Table(name, tuple(columns.split()), keys, most)


TABLES: Final = (
    _table("principal", "id email role active created_at password_hash profile"),
    _table("pipeline", "id uuid name body owner created_at updated_at"),
    _table("job", _JOB),
    _table("job_detail", "job generated_by acted_on acted_using archive_patterns product_patterns attributes"),
    _table("job_link", "job relation target", 3),
    _table("event", _EVENT, 2),
    _table("news", f"place {_EVENT}"),
    _table("blob", "number made_at uses"),
    _table("blob_chunk", "blob place chunk", 2, 32),
    _table("work", _WORK),
    _table("platform", _PLATFORM),
    _table("credential", _CREDENTIAL),
    _table("admin_key", _ADMIN_KEY),
    _table("audit", "id node sequence at name principal credential address subject data kid link"),
    _table("webhook", _WEBHOOK),
    _table("delivery", "id webhook job sequence message made_at attempts next_at dead_at last_error"),
    _table("legacy_token", "job serial kid salt fields until"),
    _table("import_progress", "source documents digest counts"),
    _table("file_run", "job run begun_at ended_at total_files total_bytes files bytes error sources", 2),
    _table("file", "id job run seen path uuid kind level size modified_at digest sources indexed_at"),
    _table("file_orphan", "job"),
    _table("number", "name value"),
)
"""In an order in which each row finds those that it refers to."""

NUMBERED: Final = ("admin_key", "credential", "delivery", "file", "job", "pipeline", "platform", "principal", "webhook")
"""The kinds of rows that have numbers which are never given twice; an audit's are never taken away."""

PROGRESS: Final = "jobpass copy"
"""Where ``import_progress`` says how far a copy into this store came; that row is not copied."""


class Mark(NamedTuple):
    """Another one means that somebody has written.

    ``lasting`` can be kept; of what takes no number, such as counted uses, only ``passing`` tells, which counts within
    one opening.
    """

    lasting: str
    passing: int


class Source(Protocol):
    """What is copied; nothing may write to it meanwhile."""

    async def mark(self) -> Mark:
        """What tells whether others have written since the last time."""
        ...

    async def rows(self, table: Table, after: Key | None, limit: int) -> list[Row]:
        """The next rows in the order of their keys."""
        ...

    async def count(self, table: Table) -> int:
        """How many rows there are."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class Target(Source, Protocol):
    """Where it is copied to."""

    async def put(self, table: Table, rows: Sequence[Row], progress: bytes) -> None:
        """Write the rows and the progress durably, in one piece."""
        ...

    async def progress(self) -> bytes | None:
        """How far a copy came that has not ended."""
        ...

    async def end(self) -> None:
        """The copy has ended."""
        ...
