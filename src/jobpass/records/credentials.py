"""Tokens that were issued, and where they come from."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from jobpass.records.accounts import Principal
from jobpass.records.jobs import Event


class Terms(Struct, frozen=True, omit_defaults=True):
    """What a credential was asked for with: names of platforms and actions (None: whatever its kind opens).

    ``mints``: whether it may make others. ``explorer`` is a mark of the contract that means nothing to Jobpass.
    """

    platforms: tuple[str, ...] | None = None
    actions: tuple[str, ...] | None = None
    mints: bool = True
    explorer: bool = False


EndedBy = Literal["revoked", "parent", "owner", "compromised", "deleted"]
"""Why a credential ended by decision: somebody's, its parent's end, its owner's; as leaked; to be forgotten."""


class Credential(Struct, frozen=True):
    """The record of a token that was issued; ``id`` (32 hex characters) is public and opens nothing.

    ``kid`` is the root key that the token was made with. ``parent`` is the credential that it may not outlive,
    ``issuer`` the one with which it was asked for; both None for one that was given for a password. A session's
    credential has ended when an ancestor has: its ``revoked_at``, ``expires_at`` and ``priority`` are then the least of
    its line. ``ended_by`` is set with ``revoked_at``, where that is known.
    """

    id: str
    kind: str
    owner: int
    label: str
    issued_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None
    parent: str | None = None
    last_used_at: datetime | None = None
    uses: int = 0
    number: int = 0
    """The integer id of the contract, given by the store."""
    kid: str = ""
    priority: int = 0
    issuer: str | None = None
    ended_by: EndedBy | None = None
    terms: Terms = Terms()


class Lineage(Struct, frozen=True):
    """Where a credential comes from, the nearest first, and what came of it, in order of issue; both by ``issuer``."""

    ancestors: tuple[Credential, ...]
    descendants: tuple[Credential, ...]


class Touch(Struct, frozen=True):
    """An event that a credential authorised, and whose job it changed."""

    job_uuid: str
    owner: int
    event: Event


class Session(Struct, frozen=True):
    """A credential with the principal whom it speaks for."""

    credential: Credential
    principal: Principal
