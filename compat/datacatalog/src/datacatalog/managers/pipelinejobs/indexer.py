"""Indexing of a job's archive path; the files are read and recorded where the jobs are kept, not here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datacatalog.linkedstores.pipelinejob.refusals import refusal, refused_token
from datacatalog.managers.common import Manager
from datacatalog.managers.pipelinejobs.indexrequest import (
    ARCHIVE,
    PRODUCT,
    IndexingError,
    IndexRequest,
    IndexType,
    InvalidIndexingRequest,
    get_index_request,
)
from jobpass import errors

__all__ = ["ARCHIVE", "PRODUCT", "IndexType", "Indexer", "IndexingError", "InvalidIndexingRequest"]


class Indexer(Manager):
    """What a manager of one job needs to have it indexed."""

    uuid: Any
    token: Any

    def sync_listing(self, force: bool = False) -> Indexer:
        """Nothing is to be done: the directory is listed anew for each indexing."""
        return self

    def single_index_request(
        self,
        index_request: Mapping[str, Any] | str,
        token: str | None = None,
        refresh: bool = False,
        fixity: bool = True,
        permissive: bool = False,
    ) -> list[str]:
        """Index by one request; the paths of the files that it found."""
        return self._index([index_request], token, fixity=fixity, transition=False, permissive=permissive)

    def _index(
        self,
        filters: Sequence[Mapping[str, Any] | str] | None,
        token: str | None,
        *,
        fixity: bool,
        transition: bool,
        permissive: bool = False,
        level: str = "1",
    ) -> list[str]:
        """Index, wait for the end, and list what this indexing recorded; ``permissive``: whatever it ended with.

        Raises ``IndexingError`` with the reason, ``InvalidIndexingRequest`` for a request that is none, and what events
        raise.
        """
        wanted = None if filters is None else [_asked(one, level) for one in filters]
        presented = self.token if token is None else token
        if not isinstance(presented, str):
            raise refused_token("index")
        client = self._bearing(presented)
        uuid = str(self.uuid)
        try:
            begun = client.index_job(uuid, wanted, level=level, fixity=fixity, transition=transition)
            *_, ended = client.follow_index(uuid)
            if ended.error is not None and not permissive:
                raise IndexingError(ended.error)
            found = client.iter_files(uuid)
            return sorted(file.path for file in found if file.run == begun.sequence)
        except (errors.ArchiveFailed, errors.InvalidInput) as error:
            raise IndexingError(error.message) from error
        except errors.Error as error:
            raise refusal(error, uuid, "index") from error

    def _bearing(self, token: str) -> Any:
        try:
            return self.mongo_client.bearing(token)
        except errors.InvalidToken as error:
            raise refused_token("index") from error


def _asked(request: Mapping[str, Any] | str, level: str) -> Mapping[str, Any]:
    if isinstance(request, str):
        return {"patterns": [request], "level": level}
    if isinstance(request, IndexRequest):
        return request.asked()
    return get_index_request(**request).asked()
