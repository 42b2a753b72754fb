"""A server process with an operator and two authors, and the objects of ``steps`` for them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

from jobpass.clock import SystemClock
from jobpass.stores.sqlite.store import SqliteStore
from jobpass.tokens.keyring import Keyring
from steps.api.cloud_objects.cloud_token import LoginToken
from steps.api.cloud_objects.cloud_user import User
from steps.api.utils import CloudContext
from support.process import Folder, process
from support.site import PASSWORD, Owned, make_site

_numbers = count()


class Cloud(NamedTuple):
    """A running cloud, as somebody sees it who has its URL and the operator's password."""

    context: CloudContext
    folder: Path

    def admin(self) -> User:
        """The operator, logged in."""
        return self.login(User(email="rex@example.org", password=PASSWORD))

    def user(self, **profile: object) -> User:
        """A user of its own, made by the operator and logged in."""
        user = User("Ann", "Other", f"user{next(_numbers)}@example.org", PASSWORD, **profile)  # type: ignore[arg-type]
        user.create(self.context, self.admin())
        return self.login(user)

    def login(self, user: User) -> User:
        """The user, with a login token."""
        LoginToken().create(self.context, user)
        return user


async def make_cloud(folder: Path) -> Folder:
    """A data folder with an operator."""
    keyring = Keyring.generate(secrets.token_bytes(4), secrets.token_bytes(32))
    (folder / "keyring.json").write_text(keyring.dump())
    site = make_site(await SqliteStore.open(folder / "jobpass.sqlite"), SystemClock(), keyring)
    login = await site.login("rex", "operator")
    await site.authority.close()
    return Folder(folder, login, Owned("", ""))


@contextmanager
def running(folder: Folder) -> Iterator[Cloud]:
    """The cloud over this folder, while it runs."""
    with process(folder) as (_server, url), CloudContext(url) as context:
        yield Cloud(context, folder.path)
