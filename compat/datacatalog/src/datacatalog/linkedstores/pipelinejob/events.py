"""The events of a job as methods, the same for managers, instances and answers."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datacatalog.linkedstores.pipelinejob.document import JobDocument

ADMIN_EVENTS = frozenset({"reset", "ready", "delete", "purge"})
"""Names for which a document token is never enough; ``delete`` and ``purge`` are no events, and refused as unknown."""


class EventMethods:
    """One method an event. ``data`` left out is an empty object in the history; ``token`` left out is one's own."""

    __slots__ = ()

    @abstractmethod
    def _send(self, name: str, data: Any, token: str | None) -> JobDocument:
        """Send the event ``name``."""

    @abstractmethod
    def _reset(self, data: Any, token: str | None, *, no_clear_path: bool, permissive: bool) -> JobDocument:
        """Reset the job and make it ready."""

    def run(self, data: Any = None, token: str | None = None) -> JobDocument:
        """Say that the job runs."""
        return self._send("run", data, token)

    def update(self, data: Any = None, token: str | None = None) -> JobDocument:
        """Add ``data`` to the history."""
        return self._send("update", data, token)

    def resource(self, data: Any = None, token: str | None = None) -> JobDocument:
        """Note that resources are being gathered."""
        return self._send("resource", data, token)

    def fail(self, data: Any = None, token: str | None = None) -> JobDocument:
        """Say that the job failed; before its first event too, and its history stays."""
        return self._send("fail", data, token)

    def finish(self, data: Any = None, token: str | None = None) -> JobDocument:
        """Say that the job is done."""
        return self._send("finish", data, token)

    def index(self, data: Any = None, token: str | None = None, **kwargs: Any) -> JobDocument:
        """Say that the job's outputs are being indexed."""
        return self._send("index", data, token)

    def indexed(self, data: Any = None, token: str | None = None, **kwargs: Any) -> JobDocument:
        """Say that indexing is done."""
        return self._send("indexed", data, token)

    def validate(self, data: Any = None, token: str | None = None) -> JobDocument:
        """Say that the outputs are being validated."""
        return self._send("validate", data, token)

    def validated(self, data: Any = None, token: str | None = None) -> JobDocument:
        """Say that validation is done."""
        return self._send("validated", data, token)

    def reject(self, data: Any = None, token: str | None = None) -> JobDocument:
        """Say that the outputs are not to be used."""
        return self._send("reject", data, token)

    def finalize(self, data: Any = None, token: str | None = None) -> JobDocument:
        """Say that the outputs are ready for use."""
        return self._send("finalize", data, token)

    def retire(self, data: Any = None, token: str | None = None) -> JobDocument:
        """Say that the outputs are not to be used any more."""
        return self._send("retire", data, token)

    def reset(
        self, data: Any = None, no_clear_path: bool = False, token: str | None = None, permissive: bool = False
    ) -> JobDocument:
        """Clear the job's archive directory and bring the job back to CREATED; its history stays.

        Needs an admin token, given here. With ``no_clear_path`` the directory is left alone, with ``permissive`` it is
        left as it is if clearing it fails. Without, the job then stays in RESET, and ``ready`` tries again.
        """
        return self._reset(data, token, no_clear_path=no_clear_path, permissive=permissive)

    def ready(self, data: Any = None, token: str | None = None) -> JobDocument:
        """End a reset that is not finished. Needs an admin token, given here."""
        return self._send("ready", data, token)
