"""Rows of indexed files and of the runs that found them."""

from __future__ import annotations

import msgspec

from jobpass.clock import from_microseconds, to_microseconds
from jobpass.records import FileSource, IndexedFile, IndexRun
from jobpass.stores.rows.columns import Row, micro, moment

_decode_sources = msgspec.json.Decoder(tuple[FileSource, ...]).decode
_decode_numbers = msgspec.json.Decoder(tuple[int, ...]).decode


def file_from(row: Row) -> IndexedFile:
    """A row of ``list_files`` without its number."""
    path, uuid, kind, level, size, modified_at, digest, sources, run, indexed_at = row
    numbers = _decode_numbers(sources)
    at = from_microseconds(indexed_at)
    return IndexedFile(path, uuid, kind, level, size, moment(modified_at), digest, numbers, run, at)


def file_row(job: int, file: IndexedFile) -> Row:
    """The bindings of ``put_file``; ``job`` is the number of the job's row."""
    return (
        job,
        file.run,
        file.run,
        file.path,
        file.uuid,
        file.kind,
        file.level,
        file.size,
        micro(file.modified_at),
        file.digest,
        msgspec.json.encode(file.sources).decode(),
        to_microseconds(file.indexed_at),
    )


def run_from(row: Row) -> IndexRun:
    """A row of ``find_run``."""
    number, begun_at, ended_at, total_files, total_bytes, files, size, error, sources = row
    return IndexRun(
        number,
        from_microseconds(begun_at),
        _decode_sources(sources),
        total_files,
        total_bytes,
        files,
        size,
        moment(ended_at),
        error,
    )


def run_row(job: int, run: IndexRun) -> Row:
    """The bindings of ``put_run``; ``job`` is the number of the job's row."""
    return (
        job,
        run.number,
        to_microseconds(run.begun_at),
        micro(run.ended_at),
        run.total_files,
        run.total_bytes,
        run.files,
        run.bytes,
        run.error,
        msgspec.json.encode(run.sources),
    )
