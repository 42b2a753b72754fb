"""``CurrentJob``: the job that a process works on, seen from inside that process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from jobpass.client.sync import Client
from jobpass.errors import InvalidInput, SetupError
from jobpass.wire.messages import EventAnswer

URL_VARIABLE: Final = "JOBPASS_URL"
JOB_VARIABLE: Final = "JOBPASS_JOB"
TOKEN_VARIABLE: Final = "JOBPASS_TOKEN"  # noqa: S105 - the name of a variable


class CurrentJob:
    """One job, with a client whose token is for it; a context manager that closes the client."""

    def __init__(self, client: Client, uuid: str) -> None:
        self._client = client
        self._state: str | None = None
        self.uuid = uuid

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, allow_plain_http: bool = False) -> CurrentJob:
        """The job that the three variables name; ``SetupError`` lists those that are missing or empty."""
        names = (URL_VARIABLE, JOB_VARIABLE, TOKEN_VARIABLE)
        missing = [name for name in names if not environment.get(name)]
        if missing:
            raise SetupError(
                f"No job is set for this process: {', '.join(missing)} missing. Start it with 'jobpass run -- …'.",
                missing=missing,
            )
        url, uuid, token = (environment[name] for name in names)
        return cls(Client(url, token, allow_plain_http=allow_plain_http), uuid)

    @property
    def client(self) -> Client:
        """The client, for everything that is not here."""
        return self._client

    @property
    def state(self) -> str:
        """The job's state after the last event sent from here; before the first one the server is asked."""
        if self._state is None:
            self._state = self._client.job(self.uuid).state
        return self._state

    def send(self, name: str, data: Any = None, *, idempotency_key: str | None = None) -> EventAnswer:
        """Send event ``name``; see ``Client.send``."""
        answer = self._client.send(self.uuid, name, data, idempotency_key=idempotency_key)
        self._state = answer.state
        return answer

    def update(self, data: Any = None, /, **members: Any) -> EventAnswer:
        """Append something to the history: ``data``, or an object of the ``members``, or an object with both."""
        return self.send("update", _joined(data, members))

    def progress(self, fraction: float, message: str | None = None) -> EventAnswer:
        """Tell how far the job is, 0 to 1, as an update with ``progress`` and ``message``."""
        if not 0 <= fraction <= 1:  # NaN is refused too
            raise InvalidInput.at("fraction", "must be a number from 0 to 1")
        return self.send("update", {"progress": fraction} | ({} if message is None else {"message": message}))

    def resource(self, data: Any = None, /, **members: Any) -> EventAnswer:
        """Note in the history what the job uses; arguments as of ``update``."""
        return self.send("resource", _joined(data, members))

    def attenuate(
        self,
        *,
        expires_in_seconds: float | None = None,
        expires_at: datetime | None = None,
        events: Iterable[str] | None = None,
        states: Mapping[str, Iterable[str]] | None = None,
        actions: Iterable[str] | None = None,
        cidr: Iterable[str] | None = None,
    ) -> str:
        """A narrower token for this job alone, to hand on; see ``Client.attenuate``."""
        return self._client.attenuate(
            expires_in_seconds=expires_in_seconds,
            expires_at=expires_at,
            jobs=[self.uuid],
            events=events,
            states=states,
            actions=actions,
            cidr=cidr,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"CurrentJob({self.uuid!r}, {self._client!r})"


def _joined(data: Any, members: dict[str, Any]) -> Any:
    if not members:
        return data
    if data is None:
        return members
    if not isinstance(data, Mapping):
        raise InvalidInput.at("data", "must be a mapping if there are further members")
    return {**data, **members}
