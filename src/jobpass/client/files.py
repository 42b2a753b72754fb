"""The operations about the files of jobs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

from msgspec import UNSET, Raw

from jobpass.client.asking import Asking, Item, Stream, of_job, pages, to_body, to_json
from jobpass.client.exchange import Operation, Sleep
from jobpass.wire import paths
from jobpass.wire.files import FileAnswer, FilePage, IndexAnswer, IndexRequest
from jobpass.wire.messages import EventAnswer

ELSEWHERE_SECONDS: Final = 0.5
FILES_PAGE: Final = 1000

Kind = Literal["archive", "product"]


class Files(Asking):
    """The operations that have a job's archive directory indexed, and list what was found."""

    def index_job(
        self,
        uuid: str,
        filters: Iterable[Any] | None = None,
        *,
        level: str = "1",
        fixity: bool = True,
        transition: bool = True,
    ) -> Operation[EventAnswer]:
        """Send ``index``, and have the files of the job's archive path recorded behind it; see ``follow_index``.

        ``filters`` are patterns, or mappings with ``patterns``, ``level`` and for products ``derived_from`` and
        ``derived_using``; without any the job's own patterns are used. ``level`` is that of files whose filter names
        none. With ``fixity`` each file is read for its SHA-256, with ``transition`` the event ``indexed`` follows.
        ``Conflict`` if the job is being indexed.
        """
        listed = None if filters is None else list(filters)
        wanted = Raw(to_json(listed, "json.filters")) if listed is not None else UNSET
        body = to_body(IndexRequest(wanted, level, fixity, transition))
        return (yield from self._ask("POST", of_job(paths.JOB_INDEX, uuid), EventAnswer, body=body, again="unsent"))

    def indexing(self, uuid: str, *, wait_seconds: int = 0) -> Operation[IndexAnswer]:
        """How far the last indexing of a job is; ``error`` says why it did not do all that it should.

        The answer comes when it has ended, after ``wait_seconds`` (0 to 5) at the latest.
        """
        return (yield from self._ask("GET", of_job(paths.JOB_INDEX, uuid), IndexAnswer, wait=wait_seconds))

    def follow_index(self, uuid: str) -> Stream[IndexAnswer]:
        """The same about once a second, until it has ended; the last one tells how."""
        now = yield from self.indexing(uuid)
        yield Item(now)
        while now.running:
            before = now
            now = yield from self.indexing(uuid, wait_seconds=1)
            if now != before:
                yield Item(now)
            elif now.running:  # perhaps another process is at it, whose end nobody tells here
                yield Sleep(ELSEWHERE_SECONDS)

    def files(
        self,
        uuid: str,
        *,
        kind: Kind | None = None,
        level: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Operation[FilePage]:
        """One page of the files that indexing found; ``next`` of a page is the ``after`` of the one that follows."""
        path = of_job(paths.JOB_FILES, uuid)
        return (yield from self._ask("GET", path, FilePage, kind=kind, level=level, after=after, limit=limit))

    def iter_files(
        self, uuid: str, *, kind: Kind | None = None, level: str | None = None, limit: int = FILES_PAGE
    ) -> Stream[FileAnswer]:
        """All files that indexing found, ``limit`` a request."""
        return pages(
            lambda after: self.files(uuid, kind=kind, level=level, after=after, limit=limit), lambda page: page.files
        )
