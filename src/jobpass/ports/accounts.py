"""Principals and their credentials."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from jobpass.ports.audit import Note
from jobpass.records import (
    Credential,
    EndedBy,
    Lineage,
    Login,
    Page,
    Principal,
    Profile,
    Renewal,
    Role,
    Session,
    Touch,
)


class Ends(Struct, frozen=True):
    """Which credentials of a principal end with a change: those of the kinds that the pure ``kinds`` says of the
    principal before and after. All end by ``owner`` that were neither revoked nor had expired by ``at``; one that was
    only revoked ends by ``owner`` too."""

    kinds: Callable[[Principal, Principal], Collection[str]]
    at: datetime


class AccountStore(Protocol):
    """Principals and the credentials that were issued to them."""

    async def add_principal(
        self,
        email: str,
        role: Role,
        password_hash: str,
        at: datetime,
        profile: Profile = ...,
        *,
        active: bool = True,
        note: Note[Principal] | None = None,
    ) -> Principal:
        """A new principal; ``AlreadyExists`` when the address is taken."""
        ...

    async def find_login(self, email: str) -> Login | None:
        """The principal of this address (lower case) with the hash of the password."""
        ...

    async def add_credential(
        self,
        credential: Credential,
        *,
        numbered: bool = False,
        password_hash: str | None = None,
        note: Note[Credential] | None = None,
    ) -> Credential:
        """Record a credential durably; returns it with its ``number``.

        What it follows from must stand as it is written: ``RevokedToken`` if its owner is disabled, if a recorded
        credential that it was asked for with has ended by decision (``issuer`` and ``parent``), or if the owner's
        password is not the one of ``password_hash`` any more, where that is given.

        The label of a ``job`` or ``apikey`` credential is its owner's only one of that kind, deleted ones aside: where
        it is taken, ``AlreadyExists``, or with ``numbered`` another one that ends in ``-2``, ``-3`` and so on.
        """
        ...

    async def find_session(self, credential_id: str) -> Session | None:
        """The credential and its principal. May be answered from memory, but never later than one second after a
        change committed by another process, and at once after one of this process.

        What ended an ancestor ended the credential: ``revoked_at`` and ``expires_at`` are the earliest of its line of
        parents. A parent that is not recorded adds nothing.
        """
        ...

    async def find_credential(self, number: int) -> Session | None:
        """As ``find_session``, by the contract's integer id and from the record; None for one that was deleted."""
        ...

    async def list_credentials(
        self,
        kind: str,
        *,
        owner: int | None = None,
        living_at: datetime | None = None,
        revoked: bool = False,
        first: int = 0,
        offset: int = 0,
        limit: int,
    ) -> list[Session]:
        """Credentials of a kind in order of issue, deleted ones aside: of those with the number ``first`` or a higher
        one, from the ``offset``-th on (0 is the first).

        With ``living_at`` those that expired by then do not count, without ``revoked`` those that ended by decision.
        """
        ...

    async def change_credential(
        self,
        credential_id: str,
        change: Callable[[Credential, Credential | None], Credential],
        *,
        note: Note[Credential] | None = None,
    ) -> Credential:
        """Replace the credential by what the pure ``change`` says of it and of its parent, as a session shows that.

        ``change`` refuses by raising; then nothing changes. ``UnknownCredential`` if there is none, ``AlreadyExists``
        for a label as in ``add_credential``. Holds for ``find_session`` before it returns.
        """
        ...

    async def end_credential(
        self,
        credential_id: str,
        at: datetime,
        by: EndedBy = "revoked",
        *,
        issued: bool = False,
        note: Note[list[Credential]] | None = None,
    ) -> list[Credential]:
        """End a credential with all that descends from it by ``parent``, or with ``issued`` by ``issuer``.

        Returns those that lived until now, as they were. What descends from it ends by ``parent``, or as compromised
        too. One that has ended already becomes ``compromised`` or ``deleted`` if that is asked, and stays so. Holds
        before it returns.
        """
        ...

    async def find_lineage(self, credential_id: str, most: int) -> Lineage:
        """Ancestors and descendants by ``issuer``, at most ``most`` of each."""
        ...

    async def touched(self, names: Collection[str], *, job: str | None, after: str | None, limit: int) -> Page[Touch]:
        """The events which credentials of these public names authorised, in order of writing; ``after`` as in
        ``list_jobs``. Without ``job`` (a uuid) it looks at every event there is."""
        ...

    async def find_principal(self, principal_id: int) -> Principal | None:
        """The principal of this id."""
        ...

    async def list_principals(self, *, after: str | None, limit: int) -> Page[Principal]:
        """Principals in order of creation; ``after`` as in ``list_jobs``."""
        ...

    async def disabled_with_waiting(self, limit: int) -> list[int]:
        """The ids of principals who are disabled and have jobs with work that wait, lowest first.

        Looks at everybody.
        """
        ...

    async def change_principal(
        self,
        principal_id: int,
        change: Callable[[Principal], Principal],
        password_hash: str | None = None,
        *,
        ends: Ends | None = None,
        note: Note[Renewal] | None = None,
    ) -> Renewal:
        """Replace the principal by what the pure ``change`` says, and its password if one is given; with ``ends``
        credentials of its end, too.

        ``change`` refuses by raising; then nothing changes. ``UnknownPrincipal`` if there is none, ``AlreadyExists``
        if the address is another's. Holds for ``find_session`` before it returns.
        """
        ...

    async def note_uses(self, uses: Mapping[str, tuple[int, datetime]]) -> None:
        """Add to the counts of uses and move ``last_used_at`` on, by credential id; unknown ids are passed over."""
        ...

    async def count_kids(self, at: datetime | None = None) -> dict[str, int]:
        """How many jobs (by ``kid`` or ``previous_kid``), living credentials and webhooks that are not disabled
        still need each root key, by kid.

        With ``at``, what ended by time before it does not count: expired credentials, previous serials.
        """
        ...
