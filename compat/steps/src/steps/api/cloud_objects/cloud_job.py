"""Jobs in the queues of platforms."""

from __future__ import annotations

from typing import Any

from steps.api.cloud_objects.cloud_base import ACloudObject, TokenType, members, need_token, require
from steps.api.cloud_objects.cloud_user import User
from steps.api.utils import CloudContext


class Job(ACloudObject):
    """A job on a platform. ``state`` is the word of the status that was read last, empty before that."""

    _fields = ("name", "platform", "group", "max_duration", "job_id", "state")

    def __init__(
        self,
        name: str = "",
        platform: str = "",
        payload: dict[str, Any] | None = None,
        max_duration: int | None = None,
        group: str | None = None,
        job_id: str = "",
    ) -> None:
        """``payload`` is a JSON object that names its ``command``; ``max_duration`` is in seconds."""
        self.name = name
        self.platform = platform
        self.payload: dict[str, Any] = payload or {}
        self.max_duration = max_duration
        self.group = group
        self.job_id = job_id
        self.state = ""

    @classmethod
    def get_object_name(cls) -> str:
        """As ``ACloudObject``."""
        return "job"

    @classmethod
    def get_endpoint(cls) -> str:
        """As ``ACloudObject``."""
        return "/api/jobs"

    @classmethod
    def get_token_method(cls) -> str:
        """As ``ACloudObject``: jobs are a program's business. Who has no job token uses the login token."""
        return "job"

    def create(self, context: CloudContext, user: User) -> None:
        """Put this job into its platform's queue.

        ``AssertionError`` if the user has no job token and no login token, ``RuntimeError`` if it fails.
        """
        with self.get_api(context).calling("making", _bearer(user)) as client:
            self.job_id = client.submit(
                self.platform,
                self.payload,
                name=self.name,
                group=self.group,
                max_duration_seconds=self.max_duration,
            )
        self.state = "waiting"

    def read(self, context: CloudContext, user: User) -> dict[str, Any]:
        """What was sent, with its payload, and how it stands, as the answer has it; the attributes follow it.

        ``AssertionError`` if this job was not made, too.
        """
        with self.get_api(context).calling("reading", self._need_made(user)) as client:
            answer = members(client.compute_data(self.job_id))
        self._take(answer)
        self.payload = answer["payload"]
        return answer

    def status(self, context: CloudContext, user: User) -> dict[str, Any]:
        """How this job stands, as the answer has it. The server may wait two seconds for the job to end."""
        with self.get_api(context).calling("asking for", self._need_made(user)) as client:
            answer = members(client.compute_status(self.job_id))
        self.state = answer["status"]
        return answer

    def result(self, context: CloudContext, user: User) -> dict[str, Any]:
        """What this job brought, as the answer has it: ``results`` is the text of a JSON object, None without any."""
        with self.get_api(context).calling("asking for the results of", self._need_made(user)) as client:
            return members(client.compute_result(self.job_id))

    def cancel(self, context: CloudContext, user: User) -> None:
        """Have this job stopped; ``RuntimeError`` if it has ended. Jobs are not deleted: the record keeps them."""
        with self.get_api(context).calling("canceling", self._need_made(user)) as client:
            client.cancel_compute(self.job_id)

    @classmethod
    def list_all(cls, context: CloudContext, user: User) -> list[Job]:
        """The user's jobs in order of their making, without payloads; for an admin who is logged in everybody's."""
        with cls.get_api(context).calling("listing", _bearer(user, first=user.is_admin)) as client:
            return [cls._listed(members(one)) for one in client.iter_compute_jobs()]

    @classmethod
    def _listed(cls, told: dict[str, Any]) -> Job:
        job = cls()
        job._take(told)
        return job

    def _take(self, told: dict[str, Any]) -> None:
        self.name, self.platform, self.group = told["job_name"], told["platform_name"], told["job_group_name"]
        self.job_id, self.state = told["job_id"], told["status"]
        self.max_duration = told.get("max_duration", self.max_duration)

    def _need_made(self, user: User) -> str:
        bearer = _bearer(user, first=user.is_admin)
        require(self.job_id, "This job was not made.")
        return bearer


def _bearer(user: User, *, first: bool = False) -> str:
    """The user's job token or login token; with ``first`` the login token before the other."""
    kinds = (TokenType.Login, TokenType.Job) if first else (TokenType.Job, TokenType.Login)
    return need_token(user, *kinds)
