"""The operations about power: document tokens, admin keys, lifecycles, the audit, introspection and revocation.

What a second try could spoil (a key is shown once, a request is made once) is not sent again once it was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from jobpass.client.asking import FORM, Asking, Stream, form, items, of_job, pages, path_of, rfc3339, to_body, to_json
from jobpass.client.exchange import Operation, Sleep
from jobpass.client.results import AuditEntry, AuditEntryPage, Introspection
from jobpass.errors import UnknownCredential
from jobpass.wire import paths
from jobpass.wire.power import (
    AdminKeyAnswer,
    AdminKeyList,
    Approval,
    CollectedKey,
    DeletedAnswer,
    Denial,
    LifecycleAnswer,
    LifecycleList,
    LifetimeAnswer,
    NewAdminKey,
    Nothing,
    Revocation,
    RotateRequest,
    TokenAnswer,
)

FOLLOW_SECONDS: Final = 1.0


class Power(Asking):
    """The operations that give, take and show power."""

    def job_token(self, uuid: str) -> Operation[str]:
        """The job's document token again: the same text until it is rotated."""
        answer = yield from self._ask("POST", of_job(paths.JOB_TOKEN, uuid), TokenAnswer)
        return answer.token

    def rotate_job_token(self, uuid: str, grace_seconds: int = 0) -> Operation[str]:
        """A new document token; the one before lives ``grace_seconds`` on (0 to 86,400)."""
        path, body = of_job(paths.JOB_ROTATE, uuid), to_body(RotateRequest(grace_seconds))
        answer = yield from self._ask("POST", path, TokenAnswer, body=body, again="unsent")
        return answer.token

    def delete_job(self, uuid: str) -> Operation[None]:
        """Take a job and its history away; only an admin token may."""
        yield from self._ask("DELETE", of_job(paths.JOB, uuid), DeletedAnswer, again="unsent")

    def request_admin_key(
        self,
        use_case: str,
        storage: str,
        *,
        lifetime_seconds: int | None = None,
        scope: Mapping[str, Any] | None = None,
    ) -> Operation[AdminKeyAnswer]:
        """Ask for an admin key: what for, and how it will be kept. An operator other than the requester reviews it.

        ``scope`` narrows it from the start, an object of caveats by name: ``{"jobs": [...], "cidr": [...]}``.
        """
        body = _request(use_case, storage, lifetime_seconds, scope)
        return (yield from self._ask("POST", paths.ADMIN_KEYS, AdminKeyAnswer, body=body, again="unsent"))

    def change_admin_key(
        self,
        key_id: str,
        use_case: str,
        storage: str,
        *,
        lifetime_seconds: int | None = None,
        scope: Mapping[str, Any] | None = None,
    ) -> Operation[AdminKeyAnswer]:
        """Ask for something else under the same id, which needs a new review."""
        body = _request(use_case, storage, lifetime_seconds, scope)
        return (yield from self._ask("PUT", _of_key(paths.ADMIN_KEY, key_id), AdminKeyAnswer, body=body))

    def admin_key(self, key_id: str) -> Operation[AdminKeyAnswer]:
        """A request for an admin key, and what became of it."""
        return (yield from self._ask("GET", _of_key(paths.ADMIN_KEY, key_id), AdminKeyAnswer))

    def admin_keys(self, *, after: str | None = None, limit: int | None = None) -> Operation[AdminKeyList]:
        """One page of requests: all for an operator, one's own for an author."""
        return (yield from self._ask("GET", paths.ADMIN_KEYS, AdminKeyList, after=after, limit=limit))

    def iter_admin_keys(self, *, limit: int | None = None) -> Stream[AdminKeyAnswer]:
        """All requests, ``limit`` a question."""
        return pages(lambda after: self.admin_keys(after=after, limit=limit), lambda page: page.admin_keys)

    def approve_admin_key(self, key_id: str, request_hash: str) -> Operation[AdminKeyAnswer]:
        """Approve exactly the request that ``request_hash`` names; ``Conflict`` if it is another one by now."""
        path, body = _of_key(paths.ADMIN_KEY_APPROVE, key_id), to_body(Approval(request_hash))
        return (yield from self._ask("POST", path, AdminKeyAnswer, body=body, again="unsent"))

    def deny_admin_key(self, key_id: str, reason: str) -> Operation[AdminKeyAnswer]:
        """Refuse a request, with the reason that the requester will read."""
        path, body = _of_key(paths.ADMIN_KEY_DENY, key_id), to_body(Denial(reason))
        return (yield from self._ask("POST", path, AdminKeyAnswer, body=body, again="unsent"))

    def collect_admin_key(self, key_id: str) -> Operation[str]:
        """The key, once, for its requester. It is kept nowhere else: if the answer is lost, ask for another one."""
        path = _of_key(paths.ADMIN_KEY_COLLECT, key_id)
        answer = yield from self._ask("POST", path, CollectedKey, again="unsent")
        return answer.key

    def revoke_admin_key(self, key_id: str, reason: str | None = None) -> Operation[AdminKeyAnswer]:
        """End a key and every token made from it, at once."""
        path, body = _of_key(paths.ADMIN_KEY_REVOKE, key_id), to_body(Revocation(reason))
        return (yield from self._ask("POST", path, AdminKeyAnswer, body=body, again="unsent"))

    def admin_lifetime(self) -> Operation[int]:
        """L in seconds, of an admin key that asks for no other: its tokens live more than L and at most 2 L."""
        answer = yield from self._ask("GET", paths.ADMIN_LIFETIME, LifetimeAnswer)
        return answer.lifetime_seconds

    def lifecycles(self) -> Operation[list[LifecycleAnswer]]:
        """The lifecycles that the server knows, as data."""
        answer = yield from self._ask("GET", paths.LIFECYCLES, LifecycleList)
        return answer.lifecycles

    def audit(
        self,
        *,
        name: str | None = None,
        principal: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Operation[AuditEntryPage]:
        """One page of the audit, for an operator; ``since`` inclusive, ``until`` exclusive.

        ``next`` is None only for an empty page: from any other the reader can follow what is yet to come.
        """
        return (
            yield from self._ask(
                "GET",
                paths.AUDIT,
                AuditEntryPage,
                name=name,
                principal=principal,
                since=rfc3339(since, "since"),
                until=rfc3339(until, "until"),
                after=after,
                limit=limit,
            )
        )

    def iter_audit(
        self,
        *,
        name: str | None = None,
        principal: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        follow: bool = False,
        limit: int | None = None,
    ) -> Stream[AuditEntry]:
        """The entries of the audit, ``limit`` a request; with ``follow`` for ever, as they come."""
        after: str | None = None
        while True:
            page = yield from self.audit(
                name=name, principal=principal, since=since, until=until, after=after, limit=limit
            )
            yield from items(page.entries)
            after = page.next or after
            if not page.entries:
                if not follow:
                    return
                yield Sleep(FOLLOW_SECONDS)

    def introspect(self, token: str) -> Operation[Introspection]:
        """What ``token`` is (RFC 7662); of one that is not active, or not this caller's business, only that."""
        return (
            yield from self._ask("POST", paths.INTROSPECT, Introspection, body=form(token=token), content_type=FORM)
        )

    def revoke(self, token: str) -> Operation[None]:
        """End ``token`` (RFC 7009); nothing tells whether there was such a one.

        A document token ends by a new serial of its job, a token of an admin key with its key.
        """
        yield from self._ask("POST", paths.REVOKE, Nothing, body=form(token=token), content_type=FORM)


def _request(use_case: str, storage: str, lifetime_seconds: int | None, scope: Mapping[str, Any] | None) -> bytes:
    members = None if scope is None else dict(scope)
    to_json(members, "json.scope")  # msgspec would write what JSON has not, such as a date
    return to_body(NewAdminKey(use_case, storage, lifetime_seconds, members))


def _of_key(template: str, key_id: str) -> str:
    return path_of(template, key_id, UnknownCredential, "admin key")
