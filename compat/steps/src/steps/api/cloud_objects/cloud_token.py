"""Job tokens for programs, login tokens for people, and API keys for workers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Final, Self

from steps.api.cloud_objects.cloud_base import (
    NEW,
    ACloudObject,
    TokenType,
    members,
    need_admin,
    need_token,
    require,
)
from steps.api.cloud_objects.cloud_user import User
from steps.api.secrecy import Guarded
from steps.api.utils import Api, CloudContext

DURATION: Final = 99999
"""Seconds that a token lives unless told."""
_LIMITS: Final = ("priority", "platforms", "actions", "may_mint")
"""Additional attributes of a job token that go into its making."""


class JobToken(ACloudObject):
    """A token for the programs of a user. ``token`` is its text in the object that made it, and empty in all others."""

    DURATION_KEY: ClassVar = "duration"
    LABEL_KEY: ClassVar = "label"
    label: str | None = None
    token_id: int
    user_id: int = NEW
    duration: int = DURATION
    token: str = ""

    _fields = ("label", "duration", "token_id", "user_id", "token")
    _secrets = ("token",)

    def __init__(
        self,
        label: str | None = None,
        duration: int = DURATION,
        token_id: int = NEW,
        user_id: int = NEW,
        token: str = "",
        **kwargs: Any,
    ) -> None:
        """``kwargs`` are additional attributes.

        Of these ``priority``, ``platforms``, ``actions`` and ``may_mint`` limit the token when it is made.
        ``TypeError`` for the name of something that the class has.
        """
        self.label = label
        self.token_id = token_id
        self.user_id = user_id
        self.duration = duration
        self.token = token
        for name, value in kwargs.items():
            if name.startswith("_") or hasattr(type(self), name):
                raise TypeError(f"{name} is no additional attribute")
            setattr(self, name, value)

    @classmethod
    def get_object_name(cls) -> str:
        """As ``ACloudObject``."""
        return "job token"

    @classmethod
    def get_endpoint(cls) -> str:
        """As ``ACloudObject``."""
        return "/api/tokens"

    def create(self, context: CloudContext, user: User) -> None:
        """Make this token for ``user``, who is logged in; sets what the server decided, label and duration too.

        Without a label it gets a numbered one. ``AssertionError`` without a login token, ``RuntimeError`` if it fails.
        """
        login = need_token(user, TokenType.Login)
        limits = {name: getattr(self, name) for name in _LIMITS if hasattr(self, name)}
        with self.get_api(context).calling("making", login) as client:
            made = client.create_token(self.label, duration_seconds=self.duration, **limits)
            owner = client.me().user_id if user.user_id == NEW else user.user_id
        self.label, self.duration = made.label, made.duration
        self.token, self.token_id, self.user_id = made.token, made.token_id, owner
        user.user_id = owner
        user.job_tokens.append(self)

    def read(self, context: CloudContext, user: User) -> dict[str, Any]:
        """What the server knows of this token, asked for with a job token of the user's, as its answer has it.

        Its ``token`` is only how the text begins. Label, owner and duration follow the answer. ``AssertionError`` if
        the user has no job tokens or this one was not made, ``RuntimeError`` if it fails.
        """
        bearer = need_token(user, TokenType.Job)
        self._need_made()
        with self.get_api(context).calling("reading", bearer) as client:
            found = client.token_record(self.token_id)
        self.label, self.user_id = found.label, found.user_id
        self.duration = _seconds(found.created_date, found.expiration_date)
        return members(found)

    def delete(self, context: CloudContext, user: User) -> None:
        """End this token for good, with the user's login token, or else with the token itself.

        ``AssertionError`` if it was not made, ``RuntimeError`` if it fails.
        """
        self._need_made()
        with self.get_api(context).calling("deleting", user.get_token(TokenType.Login) or self.token or None) as client:
            client.delete_tokens([self.token_id])
        user.job_tokens = [one for one in user.job_tokens if one.token_id != self.token_id]
        self.token, self.token_id = "", NEW

    @classmethod
    def list_all(cls, context: CloudContext, admin: User) -> list[JobToken]:
        """All job tokens in the cloud, of everybody, also those that are expired or revoked (``state`` tells).

        What else the server tells of each are additional attributes. ``AssertionError`` if the user is not an admin,
        ``RuntimeError`` if it fails.
        """
        with cls.get_api(context).calling("listing", need_admin(admin)) as client:
            # The server would list the user's own tokens for anybody else.
            require(client.me().is_admin, "This needs an administrator.")
            return [cls._listed(members(one)) for one in client.iter_token_records(expired=True, revoked=True)]

    @classmethod
    def _listed(cls, told: dict[str, Any]) -> Self:
        duration = _seconds(*(_moment(told[name]) for name in ("created_date", "expiration_date")))
        return cls(duration=duration, token_id=told.pop("id"), **told)

    def _need_made(self) -> None:
        require(self.token_id != NEW, "This job token was not made.")


class LoginToken(Guarded):
    """What a user proves the log-in with."""

    ENDPOINT: ClassVar = "/api/login"
    token: str | None = None

    _fields = ("token",)
    _secrets = ("token",)

    def create(self, context: CloudContext, user: User | None = None) -> None:
        """Log ``user`` in by email and password. The user has this token from now on, and learns who it is.

        That is ``user_id`` and ``is_admin``, as the server says. ``RuntimeError`` if it fails.
        """
        if user is None:
            raise RuntimeError("Making login token failed: there is no user to log in.")
        with Api(context, self.ENDPOINT, "login token").calling("making", None) as client:
            answer = client.login(user.email, user.password)
        self.token = answer.token
        user.logged_in(self, answer.user_id, answer.is_admin)


class ApiKey(ACloudObject):
    """A key for workers, which administrators make. It opens nothing of a user's."""

    DURATION_KEY: ClassVar = "duration"
    LABEL_KEY: ClassVar = "label"
    api_key: str = ""
    api_key_id: int = NEW
    label: str | None = None
    duration: int = DURATION

    _fields = ("label", "duration", "api_key", "api_key_id")
    _secrets = ("api_key",)

    def __init__(
        self,
        label: str | None = None,
        duration: int = DURATION,
        api_key: str = "",
        api_key_id: int = NEW,
        **_: Any,
    ) -> None:
        """What else is given does not count."""
        self.label = label
        self.duration = duration
        self.api_key = api_key
        self.api_key_id = api_key_id

    @classmethod
    def get_object_name(cls) -> str:
        """As ``ACloudObject``."""
        return "API key"

    @classmethod
    def get_endpoint(cls) -> str:
        """As ``ACloudObject``."""
        return "/api/apikeys"

    @property
    def token(self) -> str:
        """The key's text; empty in all objects but the one that made it."""
        return self.api_key

    def create(self, context: CloudContext, admin: User | None = None) -> None:
        """Make this key, for all platforms; ``admin`` has it as ``api_key`` from now on.

        ``AssertionError`` if the user is not an admin, ``RuntimeError`` if it fails.
        """
        with self.get_api(context).calling("making", need_admin(admin)) as client:
            made = client.create_api_key(self.label, duration_seconds=self.duration)
        self.label, self.duration = made.label, made.duration
        self.api_key, self.api_key_id = made.key, made.id
        if admin is not None:
            admin.api_key = self

    def read(self, context: CloudContext, admin: User) -> dict[str, Any]:
        """What the server knows of this key, as its answer has it; its ``key`` is only how the text begins."""
        bearer = self._need_made(admin)
        with self.get_api(context).calling("reading", bearer) as client:
            found = client.api_key(self.api_key_id)
        self.label, self.duration = found.label, found.duration
        return members(found)

    def delete(self, context: CloudContext, admin: User) -> None:
        """End this key for good."""
        bearer = self._need_made(admin)
        with self.get_api(context).calling("deleting", bearer) as client:
            client.delete_api_key(self.api_key_id)
        if admin.api_key is not None and admin.api_key.api_key_id == self.api_key_id:
            admin.api_key = None
        self.api_key, self.api_key_id = "", NEW

    @classmethod
    def list_all(cls, context: CloudContext, admin: User) -> list[ApiKey]:
        """All API keys in the cloud, also those that are expired or revoked, without their texts."""
        with cls.get_api(context).calling("listing", need_admin(admin)) as client:
            found = client.iter_api_keys(expired=True, revoked=True)
            return [cls(one.label, one.duration, api_key_id=one.id) for one in found]

    def _need_made(self, admin: User) -> str:
        bearer = need_admin(admin)
        require(self.api_key_id != NEW, "This API key was not made.")
        return bearer


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _seconds(created_at: datetime | None, expires_at: datetime | None) -> int:
    """How long a token lives in all; 0 for one without end."""
    return int((expires_at - created_at).total_seconds()) if created_at and expires_at else 0
