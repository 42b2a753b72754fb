"""Credentials in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from jobpass.ports import Note
from jobpass.records import Credential, EndedBy, Lineage, Page, Session, Touch
from jobpass.stores.labels import exclusive, label_taken, numbered, with_number
from jobpass.stores.listing import read_cursor
from jobpass.stores.memory.part import Part, page
from jobpass.stores.rules import (
    check_replacement,
    check_roots,
    ended,
    id_taken,
    unknown_credential,
)


class Credentials(Part):
    """The credentials of ``ports.AccountStore``."""

    async def add_credential(
        self,
        credential: Credential,
        *,
        numbered: bool = False,
        password_hash: str | None = None,
        note: Note[Credential] | None = None,
    ) -> Credential:
        """As ``ports.AccountStore``."""
        self._check_open()
        owner = self._principal(credential.owner)
        roots = [self._credentials.get(one or "") for one in (credential.issuer, credential.parent)]
        check_roots(owner, roots, password_hash, self._logins[owner.id].password_hash)
        if credential.id in self._credentials:
            raise id_taken("A credential")
        labelled = self._labelled(credential, renumber=numbered)
        recorded = replace(labelled, number=len(self._credentials) + 1)
        self._credentials[credential.id] = self._note(note, recorded)
        return recorded

    async def find_session(self, credential_id: str) -> Session | None:
        """As ``ports.AccountStore``."""
        self._check_open()
        credential = self._credentials.get(credential_id)
        return None if credential is None else self._session(credential)

    async def find_credential(self, number: int) -> Session | None:
        """As ``ports.AccountStore``."""
        self._check_open()
        found = (one for one in self._credentials.values() if one.number == number and one.ended_by != "deleted")
        credential = next(found, None)
        return None if credential is None else self._session(credential)

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
        """As ``ports.AccountStore``."""
        self._check_open()
        found = [
            one
            for one in self._credentials.values()
            if one.kind == kind
            and one.number >= first
            and one.ended_by != "deleted"
            and (owner is None or one.owner == owner)
            and (living_at is None or one.expires_at is None or one.expires_at > living_at)
            and (revoked or one.revoked_at is None)
        ]
        return [self._session(one) for one in found[offset : offset + limit]]

    async def change_credential(
        self,
        credential_id: str,
        change: Callable[[Credential, Credential | None], Credential],
        *,
        note: Note[Credential] | None = None,
    ) -> Credential:
        """As ``ports.AccountStore``."""
        self._check_open()
        standing = self._credentials.get(credential_id)
        if standing is None:
            raise unknown_credential(credential_id)
        parent = self._credentials.get(standing.parent or "")
        changed = change(standing, None if parent is None else self._session(parent).credential)
        check_replacement(changed, standing)
        self._credentials[credential_id] = self._note(note, self._labelled(changed, renumber=False))
        return changed

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
        self._check_open()
        found = self._below(credential_id, issued=issued)
        answer = self._note(note, [one for one in found if one.revoked_at is None])
        for one in found:
            self._credentials[one.id] = ended(one, at, by, itself=one.id == credential_id)
        return answer

    async def find_lineage(self, credential_id: str, most: int) -> Lineage:
        """As ``ports.AccountStore``."""
        self._check_open()
        above: dict[str, Credential] = {}
        one = self._credentials.get(credential_id)
        while one is not None and (one := self._credentials.get(one.issuer or "")) is not None and one.id not in above:
            above[one.id] = one
        below = [one for one in self._below(credential_id, issued=True) if one.id != credential_id]
        return Lineage(tuple(above.values())[:most], tuple(below)[:most])

    async def touched(self, names: Collection[str], *, job: str | None, after: str | None, limit: int) -> Page[Touch]:
        """As ``ports.AccountStore``."""
        self._check_open()
        rows = [
            (number, Touch(uuid, self._jobs[uuid][1].owner, event))
            for number, (uuid, event) in enumerate(self._news, 1)
            if event is not None and event.credential in names and job in (None, uuid)
        ]
        return page(rows, read_cursor(after, len(self._news)), limit)

    async def note_uses(self, uses: Mapping[str, tuple[int, datetime]]) -> None:
        """As ``ports.AccountStore``."""
        self._check_open()
        for name, (count, at) in uses.items():
            if name in self._credentials:
                credential = self._credentials[name]
                last = max(credential.last_used_at or at, at)
                self._credentials[name] = replace(credential, uses=credential.uses + count, last_used_at=last)

    def _session(self, credential: Credential) -> Session:
        line = self._line(credential)
        least = replace(
            credential,
            expires_at=_earliest(member.expires_at for member in line),
            revoked_at=_earliest(member.revoked_at for member in line),
            priority=min(member.priority for member in line),
        )
        return Session(least, self._principal(credential.owner))

    def _line(self, credential: Credential) -> list[Credential]:
        """The credential and its ancestors, as far as they are recorded."""
        line = {credential.id: credential}
        while (parent := credential.parent) in self._credentials and parent not in line:
            credential = line[parent] = self._credentials[parent]
        return list(line.values())

    def _below(self, credential_id: str, *, issued: bool) -> list[Credential]:
        """The credential and all that descends from it, in order of issue; also from one that is not recorded."""
        found: set[str] = set()
        generation = {credential_id}
        while generation:
            found |= generation
            above = generation
            generation = {
                one.id for one in self._credentials.values() if (one.issuer if issued else one.parent) in above
            } - found
        below = sorted((self._credentials[one] for one in found & self._credentials.keys()), key=lambda one: one.number)
        return sorted(below, key=lambda one: one.id != credential_id)

    def _labelled(self, credential: Credential, *, renumber: bool) -> Credential:
        """The credential with a label that it can have; ``AlreadyExists`` if it cannot have its own."""
        if not exclusive(credential):
            return credential
        labels = {
            one.label
            for one in self._credentials.values()
            if (one.owner, one.kind) == (credential.owner, credential.kind)
            and one.ended_by != "deleted"
            and one.id != credential.id
        }
        if renumber:
            number = numbered(lambda number: with_number(credential.label, number) in labels)
            return replace(credential, label=with_number(credential.label, number))
        if credential.label in labels:
            raise label_taken(credential.label)
        return credential


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
