"""Platforms: what jobs are computed on."""

from __future__ import annotations

from typing import Any, Final, Self

from steps.api.cloud_objects.cloud_base import ACloudObject, TokenType, members, need_admin, need_token, require
from steps.api.cloud_objects.cloud_user import User
from steps.api.utils import CloudContext

_KEPT: Final = ("description", "type", "status", "max_shots", "max_duration", "constraints")
"""What administrators keep of a platform besides its name."""


class Platform(ACloudObject):
    """A platform, known by its name, such as ``sim:local``; ``specs``, ``perfs`` and the dates are the server's."""

    _fields = ("name", "type", "status", "max_shots", "max_duration", "platform_id")

    def __init__(
        self,
        name: str = "",
        description: str = "",
        type: str = "simulator",  # noqa: A002 - the contract's word
        status: str = "available",
        max_shots: int | None = None,
        max_duration: int | None = None,
        constraints: dict[str, Any] | None = None,
        platform_id: str = "",
    ) -> None:
        """``status``: ``available``, ``maintenance`` or ``unavailable``. ``max_duration`` is in seconds.

        ``constraints`` stand before what the platform's workers say of it.
        """
        self.name = name
        self.description = description
        self.type = type
        self.status = status
        self.max_shots = max_shots
        self.max_duration = max_duration
        self.constraints: dict[str, Any] = constraints or {}
        self.platform_id = platform_id
        self.specs: dict[str, Any] = {}
        self.perfs: dict[str, Any] = {}
        self.created_date: str | None = None
        self.retired_date: str | None = None

    @classmethod
    def get_object_name(cls) -> str:
        """As ``ACloudObject``."""
        return "platform"

    @classmethod
    def get_endpoint(cls) -> str:
        """As ``ACloudObject``."""
        return "/api/platforms"

    def create(self, context: CloudContext, admin: User) -> None:
        """Add this platform. ``AssertionError`` if the user is not an admin, ``RuntimeError`` if it fails."""
        with self.get_api(context).calling("making", need_admin(admin)) as client:
            self._take(members(client.create_platform(self.name, **self._kept())))

    def read(self, context: CloudContext, user: User) -> dict[str, Any]:
        """What the server knows of this platform, for a user who may use it: with a login token or a job token."""
        bearer = need_token(user, TokenType.Login, TokenType.Job)
        require(self.name, "This platform has no name.")
        with self.get_api(context).calling("reading", bearer) as client:
            answer = members(client.platform(self.name))
        self._take(answer)
        return answer

    def update(self, context: CloudContext, admin: User) -> None:
        """Have the server keep what the attributes say; the name and the id of a platform stay."""
        with self.get_api(context).calling("updating", self._need_made(admin)) as client:
            self._take(members(client.update_platform(self.name, **self._kept())))

    def delete(self, context: CloudContext, admin: User) -> None:
        """Take this platform out of use for good: it gets no more jobs, and is shown to administrators only."""
        with self.get_api(context).calling("deleting", self._need_made(admin)) as client:
            self._take(members(client.retire_platform(self.name)))

    @classmethod
    def list_all(cls, context: CloudContext, user: User) -> list[Platform]:
        """The platforms that the user may use; for an admin all, retired ones too."""
        bearer = need_token(user, TokenType.Login, TokenType.Job)
        with cls.get_api(context).calling("listing", bearer) as client:
            return [cls._listed(members(one)) for one in client.platforms()]

    @classmethod
    def _listed(cls, told: dict[str, Any]) -> Self:
        platform = cls(told["name"])
        platform._take(told)
        return platform

    def _kept(self) -> dict[str, Any]:
        kept = {name: getattr(self, name) for name in _KEPT}
        return kept | {"max_duration_seconds": kept.pop("max_duration")}

    def _take(self, told: dict[str, Any]) -> None:
        for name in (*_KEPT, "specs", "perfs", "created_date", "retired_date"):
            setattr(self, name, told[name])
        self.platform_id = told["id"]

    def _need_made(self, admin: User) -> str:
        bearer = need_admin(admin)
        require(self.platform_id, "This platform was neither made nor read.")
        return bearer
