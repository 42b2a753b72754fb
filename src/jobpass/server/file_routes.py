"""The part of the table of routes that is about indexing."""

from __future__ import annotations

from typing import Final

from jobpass import errors
from jobpass.server import files
from jobpass.server.route import PAGE, Route
from jobpass.wire import paths
from jobpass.wire.files import FilePage, IndexAnswer, IndexRequest
from jobpass.wire.messages import EventAnswer

FILES: Final = (
    Route(
        "POST",
        paths.JOB_INDEX,
        files.index,
        "records index, and begins to record the files of the archive path",
        EventAnswer,
        body=IndexRequest,
        refuses=(
            errors.UnknownJob,
            errors.UnknownEvent,
            errors.IllegalTransition,
            errors.ArchiveFailed,
            errors.Conflict,
        ),
    ),
    Route(
        "GET",
        paths.JOB_INDEX,
        files.progress,
        "tells how far the last indexing is",
        IndexAnswer,
        query=("wait",),
        refuses=(errors.UnknownJob,),
    ),
    Route(
        "GET",
        paths.JOB_FILES,
        files.list_files,
        "lists the files that indexing found",
        FilePage,
        query=("kind", "level", *PAGE),
        refuses=(errors.UnknownJob,),
    ),
)
