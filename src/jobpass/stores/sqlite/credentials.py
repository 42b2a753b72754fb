"""Credentials in SQLite; the hot way to a session is the store's own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import apsw
from msgspec.structs import replace

from jobpass.ports import Note
from jobpass.records import Credential, EndedBy, Lineage, Page, Session, Touch
from jobpass.stores.labels import LastNumbers, exclusive, label_taken, numbered, with_number
from jobpass.stores.listing import CREDENTIAL_FILTERS, chosen, page, read_cursor
from jobpass.stores.rows.columns import Row, micro
from jobpass.stores.rows.credentials import (
    credential_change,
    credential_from,
    credential_row,
    lineage_from,
    session_from,
    touch_from,
    with_line,
)
from jobpass.stores.rules import check_replacement, check_roots, ended, id_taken, unknown_credential
from jobpass.stores.sqlite.accounts import standing_principal
from jobpass.stores.sqlite.part import Part, array, filtered
from jobpass.stores.sqlite.queries import QUERIES

EVERYTHING: Final = -1
"""For SQLite a limit below 0 is none."""


class Credentials(Part):
    """The credentials of ``ports.AccountStore`` but for ``find_session``."""

    def __init__(self, path: Path, writer: apsw.Connection, reader: apsw.Connection) -> None:
        super().__init__(path, writer, reader)
        self._last_numbers = LastNumbers()

    async def add_credential(
        self,
        credential: Credential,
        *,
        numbered: bool = False,
        password_hash: str | None = None,
        note: Note[Credential] | None = None,
    ) -> Credential:
        """As ``ports.AccountStore``."""

        def add(cursor: apsw.Cursor) -> Credential:
            _check_roots(cursor, credential, password_hash)
            labelled = self._numbered(cursor, credential) if numbered else _labelled(cursor, credential)
            number: int | None = cursor.execute(QUERIES["add_credential"], credential_row(labelled)).get
            if number is None:
                raise id_taken("A credential")
            return replace(labelled, number=number)

        return await self._write(add, note=note)

    async def find_credential(self, number: int) -> Session | None:
        """As ``ports.AccountStore``."""
        row = self._one("find_credential", number)
        return None if row is None else self._lined(session_from(row))

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
        """As ``ports.AccountStore``; the way to the page is counted in an index, which holds nothing else."""
        values: dict[str, Any] = {
            "owner": owner,
            "living_at": micro(living_at),
            "unrevoked": None if revoked else True,
        }
        bindings = values | {"kind": kind, "offset": offset, "limit": limit, "first": first}
        if offset:
            place = self._rows(filtered("place_credential", CREDENTIAL_FILTERS, values), bindings)
            if not place:
                return []
            bindings["first"] = place[0][0]
        rows = self._rows(filtered("list_credentials", CREDENTIAL_FILTERS, values), bindings)
        return [self._lined(session_from(row)) for row in rows]

    async def change_credential(
        self,
        credential_id: str,
        change: Callable[[Credential, Credential | None], Credential],
        *,
        note: Note[Credential] | None = None,
    ) -> Credential:
        """As ``ports.AccountStore``."""

        def put(cursor: apsw.Cursor) -> Credential:
            standing = _recorded(cursor, credential_id)
            if standing is None:
                raise unknown_credential(credential_id)
            parent = None if standing.parent is None else _recorded(cursor, standing.parent)
            if parent is not None:
                parent = with_line(parent, cursor.execute(QUERIES["find_line"], (parent.id,)).get)
            changed = change(standing, parent)
            check_replacement(changed, standing)
            _labelled(cursor, changed)
            cursor.execute(QUERIES["change_credential"], credential_change(changed))
            return changed

        return await self._write(put, note=note, changes_sessions=True)

    async def end_credential(
        self,
        credential_id: str,
        at: datetime,
        by: EndedBy = "revoked",
        *,
        issued: bool = False,
        note: Note[list[Credential]] | None = None,
    ) -> list[Credential]:
        """As ``ports.AccountStore``."""

        def end(cursor: apsw.Cursor) -> list[Credential]:
            query = QUERIES["by_issuer" if issued else "by_parent"]
            found = [credential_from(row) for row in cursor.execute(query, (credential_id, EVERYTHING)).fetchall()]
            after = [ended(one, at, by, itself=one.id == credential_id) for one in found]
            changed = [credential_change(new) for old, new in zip(found, after, strict=True) if new is not old]
            cursor.executemany(QUERIES["change_credential"], changed)
            return [one for one in found if one.revoked_at is None]

        return await self._write(end, note=note, changes_sessions=True)

    async def find_lineage(self, credential_id: str, most: int) -> Lineage:
        """As ``ports.AccountStore``."""
        above = self._rows(QUERIES["issuers"], (credential_id, most))
        below = self._rows(QUERIES["by_issuer"], (credential_id, most + 1))
        return lineage_from(credential_id, above, below)

    async def touched(self, names: Collection[str], *, job: str | None, after: str | None, limit: int) -> Page[Touch]:
        """As ``ports.AccountStore``; in a thread, as it may look at every event."""
        filters = {"job": " AND event.job = (SELECT id FROM job WHERE uuid = :job)"}
        values: dict[str, Any] = {
            "job": job,
            "names": array(names),
            "after": read_cursor(after, self._newest("newest_event")),
            "limit": limit + 1,
        }
        rows = await self._rows_aside(QUERIES["touched"].replace("{filters}", chosen(filters, values)), values)
        return page(rows, limit, touch_from)

    def _numbered(self, cursor: apsw.Cursor, credential: Credential) -> Credential:
        """The credential with a number behind its label, if it needs one."""

        def taken(number: int) -> bool:
            return _holder(cursor, credential, with_number(credential.label, number)) is not None

        return self._last_numbers.put(credential, numbered(taken, self._last_numbers.hint(credential)))

    def _lined(self, session: Session) -> Session:
        """The session as its line leaves it."""
        credential = session.credential
        if credential.parent is None:
            return session
        return Session(with_line(credential, self._line(credential.id)), session.principal)

    def _line(self, credential_id: str) -> Row:
        return self._rows(QUERIES["find_line"], (credential_id,))[0]


def _check_roots(cursor: apsw.Cursor, credential: Credential, password_hash: str | None) -> None:
    """Return if what the credential follows from stands."""
    owner = standing_principal(cursor, credential.owner)
    login = None if password_hash is None else cursor.execute(QUERIES["find_login"], (owner.email,)).get
    roots = {credential.issuer, credential.parent} - {None}
    recorded = [_recorded(cursor, str(one)) for one in roots]
    check_roots(owner, recorded, password_hash, None if login is None else login[-1])


def _recorded(cursor: apsw.Cursor, credential_id: str) -> Credential | None:
    row = cursor.execute(QUERIES["read_credential"], (credential_id,)).fetchone()
    return None if row is None else credential_from(row)


def _holder(cursor: apsw.Cursor, credential: Credential, label: str) -> str | None:
    """The id of the credential that has the label which this one would like, if that is its owner's only one."""
    found: str | None = cursor.execute(QUERIES["label_taken"], (credential.owner, credential.kind, label)).get
    return found


def _labelled(cursor: apsw.Cursor, credential: Credential) -> Credential:
    """The credential, if it can have its label; ``AlreadyExists`` if not."""
    if exclusive(credential) and _holder(cursor, credential, credential.label) not in (None, credential.id):
        raise label_taken(credential.label)
    return credential
