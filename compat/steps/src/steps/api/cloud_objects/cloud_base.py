"""What all objects of the cloud have in common, and which credential a call is made with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from steps.api.secrecy import Guarded
from steps.api.utils import Api, CloudContext

if TYPE_CHECKING:
    from steps.api.cloud_objects.cloud_user import User

NEW: Final = -1
"""The id of what is not made yet."""


class TokenType(IntEnum):
    """The credentials that a user may have."""

    Login = 0
    Job = 1
    API_Key = 2


class ACloudObject(Guarded, ABC):
    """An object of the cloud: it holds what it was given, and what the server answered last.

    What can be taken out of the cloud again has ``delete``; ``list_all`` of a class tells all that there are. What
    cannot be asked for because something is missing here is an ``AssertionError``, also under ``python -O``; what fails
    at the server, or on the way there, is a ``RuntimeError`` whose cause is of ``jobpass.errors``.
    """

    @classmethod
    @abstractmethod
    def get_object_name(cls) -> str:
        """What such an object is called in messages."""

    @classmethod
    @abstractmethod
    def get_endpoint(cls) -> str:
        """The path of such objects on the server."""

    @classmethod
    def get_api(cls, context: CloudContext) -> Api:
        """The way to such objects on the server of ``context``."""
        return Api(context, cls.get_endpoint(), cls.get_object_name())

    @classmethod
    def get_token_method(cls) -> str:
        """Which credential such objects are made and ended with: ``login``, ``job`` or ``api_key``."""
        return "login"

    @abstractmethod
    def create(self, context: CloudContext, user: User) -> None:
        """Make this object in the cloud."""

    @abstractmethod
    def read(self, context: CloudContext, user: User) -> dict[str, Any]:
        """What the server knows of this object, as its answer has it; the attributes follow it."""


def require(condition: object, message: str) -> None:
    """``AssertionError`` unless ``condition``; an ``assert`` would go with ``python -O``."""
    if not condition:
        raise AssertionError(message)


def need_token(user: User | None, *kinds: TokenType) -> str:
    """The user's first credential of these kinds; ``AssertionError`` without any."""
    found = None if user is None else next(filter(None, map(user.get_token, kinds)), None)
    names = " or ".join(_NAMES[kind] for kind in kinds)
    require(found, f"This needs a user with a {names}.")
    return found or ""


def need_admin(user: User | None) -> str:
    """The login token of an administrator; ``AssertionError`` if the user is none, or is not logged in."""
    require(user is not None and user.is_admin, "This needs an administrator.")
    return need_token(user, TokenType.Login)


def members(answer: msgspec.Struct) -> dict[str, Any]:
    """An answer as the dictionary that its JSON text is."""
    found: dict[str, Any] = msgspec.to_builtins(answer)
    return found


_NAMES: Final = {TokenType.Login: "login token", TokenType.Job: "job token", TokenType.API_Key: "API key"}
