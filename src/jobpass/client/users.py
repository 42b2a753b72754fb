"""The operations about accounts. One is made once: that is not sent again once it was sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import UNSET, UnsetType

from jobpass.client.asking import Asking, Stream, pages, path_of, to_body
from jobpass.client.exchange import Operation
from jobpass.client.narrow import texts
from jobpass.errors import UnknownPrincipal
from jobpass.wire import paths
from jobpass.wire.power import NewPassword, NewUser, UserAnswer, UserList, UserUpdate

Role = Literal["author", "operator"]


class Users(Asking):
    """What operators do with accounts, and everybody with the own password."""

    def create_user(
        self,
        email: str,
        password: str,
        role: Role = "author",
        *,
        first_name: str = "",
        last_name: str = "",
        priority: int = 2,
        company_id: int | None = None,
        platform_ids: Iterable[str] | None = None,
        active: bool = True,
        max_jobs_in_queue: int = 50,
        max_concurrent_jobs: int = 5,
    ) -> Operation[UserAnswer]:
        """Make an account.

        ``priority`` is the highest that its tokens may have; ``platform_ids`` are ids (not names) of the platforms that
        it may use, None for all.
        """
        new = NewUser(
            email,
            password,
            role,
            first_name=first_name,
            last_name=last_name,
            priority=priority,
            company_id=company_id,
            platform_ids=None if platform_ids is None else list(texts(platform_ids, "json.platform_ids")),
            active=active,
            max_jobs_in_queue=max_jobs_in_queue,
            max_concurrent_jobs=max_concurrent_jobs,
        )
        return (yield from self._ask("POST", paths.USERS, UserAnswer, body=to_body(new), again="unsent"))

    def update_user(
        self,
        user_id: int,
        *,
        email: str | UnsetType = UNSET,
        role: Role | UnsetType = UNSET,
        active: bool | UnsetType = UNSET,
        first_name: str | UnsetType = UNSET,
        last_name: str | UnsetType = UNSET,
        priority: int | UnsetType = UNSET,
        company_id: int | UnsetType | None = UNSET,
        platform_ids: Iterable[str] | UnsetType | None = UNSET,
        max_jobs_in_queue: int | UnsetType = UNSET,
        max_concurrent_jobs: int | UnsetType = UNSET,
    ) -> Operation[UserAnswer]:
        """Change an account; what is not given stays.

        Without ``active``, or as an operator who becomes an author, its tokens end at once, for good.
        """
        ids = (
            platform_ids if platform_ids is None or platform_ids is UNSET else texts(platform_ids, "json.platform_ids")
        )
        changes = UserUpdate(
            email=email,
            role=role,
            active=active,
            first_name=first_name,
            last_name=last_name,
            priority=priority,
            company_id=company_id,
            platform_ids=list(ids) if isinstance(ids, tuple) else ids,
            max_jobs_in_queue=max_jobs_in_queue,
            max_concurrent_jobs=max_concurrent_jobs,
        )
        return (yield from self._ask("PUT", _of(paths.USER, user_id), UserAnswer, body=to_body(changes)))

    def user(self, user_id: int) -> Operation[UserAnswer]:
        """An account."""
        return (yield from self._ask("GET", _of(paths.USER, user_id), UserAnswer))

    def users(self, *, after: str | None = None, limit: int | None = None) -> Operation[UserList]:
        """One page of accounts, in order of creation."""
        return (yield from self._ask("GET", paths.USERS, UserList, after=after, limit=limit))

    def iter_users(self, *, limit: int | None = None) -> Stream[UserAnswer]:
        """All accounts, ``limit`` a request."""
        return pages(lambda after: self.users(after=after, limit=limit), lambda page: page.users)

    def disable_user(self, user_id: int) -> Operation[UserAnswer]:
        """Disable an account; all its tokens and API keys end at once, for good."""
        return (yield from self._ask("POST", _of(paths.USER_DISABLE, user_id), UserAnswer))

    def enable_user(self, user_id: int) -> Operation[UserAnswer]:
        """Enable an account again; its old tokens stay dead."""
        return (yield from self._ask("POST", _of(paths.USER_ENABLE, user_id), UserAnswer))

    def set_password(self, user_id: int, password: str, present: str | None = None) -> Operation[UserAnswer]:
        """Set a password, which ends the account's log-ins; for an own one, ``present`` is the one that holds now."""
        path, body = _of(paths.USER_PASSWORD, user_id), to_body(NewPassword(password, present))
        return (yield from self._ask("POST", path, UserAnswer, body=body, again="unsent"))


def _of(template: str, user_id: int) -> str:
    return path_of(template, user_id, UnknownPrincipal, "account")
