"""URLs by which others report on a job, for who can send no token but can call a URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from datacatalog.mongo import Connection
    from datacatalog.tokens.classes import Token

EVENTS: Final = ("run", "update", "resource", "finish", "fail")
"""What the URL ``callback`` can cause: all that the statuses of Agave stand for."""
LIFE_SECONDS: Final = 14 * 86_400
"""How long such a URL is good."""

_AGAVE: Final = (
    ("RUNNING", True, "run", "${JOB_STATUS}"),
    ("FINISHED", False, "finish", "FINISHED"),
    ("FAILED", False, "fail", "${JOB_STATUS}"),
)


class Callbacks:
    """Makes the URLs, each with a ticket that opens its own events of this one job, and nothing else.

    A server takes them if its setting ``callbacks`` is on. They begin with the connection's URL; for a folder in this
    process with ``JOBPASS_PUBLIC_URL``, where a server of the same folder is reached; ``callback_url`` of the
    pipeline's configuration counts before both. Without any of these, or without the job's own token, there are none.
    """

    mongo_client: Connection
    config: Mapping[str, Any]
    token: Token | None
    session: str | None
    callback: str | None

    def set_callbacks(self) -> Callbacks:
        """Make ``callback`` anew."""
        self.callback = self.build_webhook()
        return self

    def build_webhook(self) -> str | None:
        """A URL to which ``&status=…`` or ``&event=…`` is added, and which is posted to; None if there can be none."""
        return self._webhook(EVENTS)

    def agave_notifications(self) -> list[dict[str, Any]]:
        """Notifications with which an Agave job reports by itself; none if there can be no URL."""
        notifications = []
        for name, persistent, event, status in _AGAVE:
            hook = self._webhook([event])
            if hook is not None:
                notifications.append({"event": name, "persistent": persistent, "url": f"{hook}&status={status}"})
        return notifications

    def _webhook(self, events: Sequence[str]) -> str | None:
        if self.token is None:
            return None
        url = self.mongo_client.callback_url(self.token, events, LIFE_SECONDS, self.config.get("callback_url"))
        return None if url is None else f"{url}?session={quote(self.session or '', safe='')}"
