"""Credentials in PostgreSQL; the hot way to a session is in ``sessions.py``.

Whoever adds, changes or ends credentials holds their counter: nobody else does so meanwhile, on any node.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from jobpass.ports import Note
from jobpass.records import Credential, EndedBy, Lineage, Page, Session, Touch
from jobpass.stores.labels import LastNumbers, exclusive, label_taken, numbering, with_number
from jobpass.stores.listing import CREDENTIAL_FILTERS, chosen, no_cursor
from jobpass.stores.postgres.accounts import standing_principal
from jobpass.stores.postgres.codecs import packed_all
from jobpass.stores.postgres.part import Part, filtered
from jobpass.stores.postgres.queries import QUERIES, TEXTS, compiled
from jobpass.stores.postgres.statements import many, one, rows, run, take
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

_OF_JOB: Final = {"job": " AND job.uuid = :job"}
# A place among all events: when it was, the number of the job's row, and the sequence.
_PLACE: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,18})-([0-9]{1,18})", re.ASCII)


class Credentials(Part):
    """The credentials of ``ports.AccountStore`` but for ``find_session``."""

    def __init__(self, pool: Any, writers: Any) -> None:
        super().__init__(pool, writers)
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

        async def add(connection: Any) -> Credential:
            await _check_roots(connection, credential, password_hash)
            if await one(connection, "has_credential", credential.id) is not None:
                raise id_taken("A credential")
            labelled = credential
            if numbered:
                labelled = await self._numbered(connection, credential)
            else:
                await _check_label(connection, credential)
            number = await take(connection, "credential")
            await run(connection, "add_credential", number, *credential_row(labelled))
            return replace(labelled, number=number)

        return await self._write(add, "credential", note=note)

    async def find_credential(self, number: int) -> Session | None:
        """As ``ports.AccountStore``."""
        row = await self._one("find_credential", number)
        return None if row is None else (await self._lined([row]))[0]

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
            place = await self._named(filtered("place_credential", CREDENTIAL_FILTERS, values), bindings)
            if not place:
                return []
            bindings["first"] = place[0][0]
        return await self._lined(await self._named(filtered("list_credentials", CREDENTIAL_FILTERS, values), bindings))

    async def change_credential(
        self,
        credential_id: str,
        change: Callable[[Credential, Credential | None], Credential],
        *,
        note: Note[Credential] | None = None,
    ) -> Credential:
        """As ``ports.AccountStore``."""

        async def put(connection: Any) -> Credential:
            standing = await _recorded(connection, credential_id)
            if standing is None:
                raise unknown_credential(credential_id)
            parent = None if standing.parent is None else await _recorded(connection, standing.parent)
            if parent is not None:
                (line,) = await rows(connection, "find_lines", packed_all([parent.id]))
                parent = with_line(parent, line[1:])
            changed = change(standing, parent)
            check_replacement(changed, standing)
            await _check_label(connection, changed)
            await run(connection, "change_credential", *credential_change(changed))
            return changed

        return await self._write(put, "credential", note=note, changes_sessions=True)

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

        async def end(connection: Any) -> list[Credential]:
            rows_found = await rows(connection, "by_issuer" if issued else "by_parent", credential_id, None)
            found = [credential_from(row) for row in rows_found]
            after = [ended(one, at, by, itself=one.id == credential_id) for one in found]
            changed = [credential_change(new) for old, new in zip(found, after, strict=True) if new is not old]
            await many(connection, "change_credential", changed)
            return [one for one in found if one.revoked_at is None]

        return await self._write(end, "credential", note=note, changes_sessions=True)

    async def find_lineage(self, credential_id: str, most: int) -> Lineage:
        """As ``ports.AccountStore``."""
        above = await self._rows(QUERIES["issuers"], credential_id, most)
        below = await self._rows(QUERIES["by_issuer"], credential_id, most + 1)
        return lineage_from(credential_id, above, below)

    async def touched(self, names: Collection[str], *, job: str | None, after: str | None, limit: int) -> Page[Touch]:
        """As ``ports.AccountStore``; in the order of the times that the nodes gave the events."""
        at, number, sequence = (0, 0, 0) if after is None else _read_place(after, await self._newest("job"))
        bindings = {"names": packed_all(names), "job": job, "limit": limit + 1}
        bindings |= {"at": at, "job_number": number, "sequence": sequence}
        query = compiled(TEXTS["touched"].replace("{filters}", chosen(_OF_JOB, {"job": job})))
        found = await self._named(query, bindings)
        shown = found[:limit]
        more = len(found) > len(shown) > 0
        return Page([touch_from(row[3:]) for row in shown], "-".join(map(str, shown[-1][:3])) if more else None)

    async def _numbered(self, connection: Any, credential: Credential) -> Credential:
        """The credential with a number behind its label, if it needs one."""
        asking = numbering(self._last_numbers.hint(credential))
        number = next(asking)
        try:
            while True:
                holder = await _holder(connection, credential, with_number(credential.label, number))
                number = asking.send(holder is not None)
        except StopIteration as found:
            return self._last_numbers.put(credential, found.value)

    async def _lined(self, found: list[Row]) -> list[Session]:
        """The sessions of rows, as their lines leave them."""
        sessions = [session_from(row) for row in found]
        children = [one.credential.id for one in sessions if one.credential.parent is not None]
        if not children:
            return sessions
        lines = {row[0]: row[1:] for row in await self._rows(QUERIES["find_lines"], packed_all(children))}
        return [
            Session(with_line(one.credential, lines[one.credential.id]), one.principal)
            if one.credential.id in lines
            else one
            for one in sessions
        ]


def _read_place(after: str, newest_job: int) -> tuple[int, int, int]:
    found = _PLACE.fullmatch(after)
    if found is None or int(found[2]) > newest_job:
        raise no_cursor()
    return int(found[1]), int(found[2]), int(found[3])


async def _check_roots(connection: Any, credential: Credential, password_hash: str | None) -> None:
    """Return if what the credential follows from stands."""
    owner = await standing_principal(connection, credential.owner)
    login = None if password_hash is None else await one(connection, "find_login", owner.email)
    roots = {credential.issuer, credential.parent} - {None}
    recorded = [await _recorded(connection, str(root)) for root in roots]
    check_roots(owner, recorded, password_hash, None if login is None else login[-1])


async def _recorded(connection: Any, credential_id: str) -> Credential | None:
    row = await one(connection, "read_credential", credential_id)
    return None if row is None else credential_from(row)


async def _holder(connection: Any, credential: Credential, label: str) -> str | None:
    """The id of the credential that has the label which this one would like, if that is its owner's only one."""
    row = await one(connection, "label_taken", credential.owner, credential.kind, label)
    return None if row is None else str(row[0])


async def _check_label(connection: Any, credential: Credential) -> None:
    """Return if the credential can have its label; ``AlreadyExists`` if not."""
    if exclusive(credential) and await _holder(connection, credential, credential.label) not in (None, credential.id):
        raise label_taken(credential.label)
