"""Indexing under the names of the original."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datacatalog.linkedstores.pipelinejob import PipelineJobStore
from datacatalog.linkedstores.pipelinejob.exceptions import UnknownJob
from datacatalog.managers.pipelinejobs import (
    ArchiveIndexRequest,
    Indexer,
    IndexingError,
    InvalidIndexingRequest,
    ManagedPipelineJob,
    ManagedPipelineJobInstance,
    ProductIndexRequest,
)
from datacatalog.managers.pipelinejobs.indexrequest import IndexType, get_index_request
from datacatalog.mongo import db_connection
from datacatalog.tokens.exceptions import InvalidToken
from jobpass.ids import typed_uuid
from support.catalog import Place


def finished(place: Place, **options: Any) -> tuple[ManagedPipelineJob, ManagedPipelineJobInstance, Path]:
    """A job that has finished, an instance of it with its token, and its directory with three files."""
    made = place.job(**options)
    made.run()
    made.finish()
    folder = place.archive / str(made.archive_path).lstrip("/")
    (folder / "sub").mkdir(parents=True, exist_ok=True)
    for name in ("a.csv", "b.txt", "sub/c.csv"):
        (folder / name).write_bytes(name.encode())
    return made, ManagedPipelineJobInstance(place.mongodb, made.uuid, token=made.token), folder


def recorded(place: Place, uuid: str) -> dict[str, Any]:
    return {file.path.rpartition("/")[2]: file for file in db_connection(place.mongodb).own().iter_files(uuid)}


def test_requests_take_what_the_original_took() -> None:
    archive = get_index_request(patterns=["a"], processing_level="2", note="n", unknown=1)
    assert isinstance(archive, ArchiveIndexRequest)
    assert archive.to_dict() == {"filters": ["a"], "note": "n", "fixity": True, "generated_by": [], "level": "2"}
    assert (archive.kind, archive.level, archive.get("generated_by"), archive["filters"]) == ("archive", "2", [], ["a"])
    product = get_index_request(filters=["b", "c"], derived_from=["./x"])
    assert isinstance(product, ProductIndexRequest)
    assert (product.kind, product.fixity, product.derived_using) == ("product", False, [])
    assert product.regex().pattern == "b|c"
    assert repr(product).startswith("ProductIndexRequest:{'filters': ['b', 'c']")
    assert archive.to_json() == '{"filters":["a"],"fixity":true,"generated_by":[],"level":"2","note":"n"}'
    both = get_index_request(patterns=[], level="1", derived_from=["./x"])
    assert both.kind == "archive"
    for wrong in ({}, {"patterns": ["a"]}, {"level": "1"}, {"derived_from": []}):
        with pytest.raises(InvalidIndexingRequest, match="missing required key"):
            get_index_request(**wrong)
    with pytest.raises(AttributeError):
        _ = archive.derived_from
    assert issubclass(InvalidIndexingRequest, ValueError)
    assert not issubclass(IndexingError, ValueError)


def test_kinds_of_requests() -> None:
    assert (IndexType("ARCHIVE"), IndexType("product").patterns_field) == ("archive", "product_patterns")
    with pytest.raises(InvalidIndexingRequest, match="file is not a valid IndexType"):
        IndexType("file")


def test_the_jobs_own_patterns(place: Place) -> None:
    patterns = [{"processing_level": "1", "patterns": [".csv$"]}]
    products = [{"patterns": ["^c"], "derived_from": ["./a.csv"], "derived_using": ["https://example.org/x"]}]
    made, instance, _ = finished(place, archive_patterns=patterns, product_patterns=products)
    path = made.archive_path
    assert isinstance(instance, Indexer)
    assert instance.index() == [f"{path}/a.csv", f"{path}/sub/c.csv"]
    assert (instance.state, instance.last_event) == ("INDEXING", "index")
    files = recorded(place, made.uuid)
    assert files["a.csv"].sha256 == hashlib.sha256(b"a.csv").hexdigest()
    assert (files["a.csv"].kind, files["a.csv"].level, files["a.csv"].generated_by) == ("archive", "1", [made.uuid])
    assert (files["c.csv"].kind, files["c.csv"].derived_from) == ("product", [typed_uuid("file", f"{path}/a.csv")])
    assert instance.indexed()["state"] == "FINISHED"


def test_filters_and_transition(place: Place) -> None:
    made, instance, _ = finished(place)
    assert len(instance.index()) == 3  # without any patterns every file belongs to the job
    answer = instance.index(filters=[{"patterns": ["txt"], "level": "2"}], transition=True)
    assert (answer["state"], instance.state) == ("FINISHED", "FINISHED")
    assert len(recorded(place, made.uuid)) == 3
    found = instance.index(filters=[ArchiveIndexRequest(patterns=["^b"], level="3")], fixity=True)
    assert [path.rpartition("/")[2] for path in found] == ["b.txt"]
    assert recorded(place, made.uuid)["b.txt"].level == "3"
    assert len(instance.single_index_request({"patterns": ["csv"], "level": "1"})) == 2


def test_what_is_refused(place: Place) -> None:
    _, instance, folder = finished(place)
    with pytest.raises(InvalidIndexingRequest):
        instance.index(filters=[{"patterns": ["a"]}])
    for unsound in ("(", r"(a)\1", "(?=a)"):
        with pytest.raises(IndexingError):
            instance.index(filters=[{"patterns": [unsound], "level": "1"}])
    assert instance.state == "FINISHED"
    with pytest.raises(InvalidToken):
        ManagedPipelineJobInstance(place.mongodb, instance.uuid).index()
    other = place.job()
    with pytest.raises((InvalidToken, UnknownJob)):
        instance.index(token=other.token)
    product = {"patterns": ["a"], "derived_from": ["./none"]}
    with pytest.raises(IndexingError, match="not there"):
        instance.index(filters=[product])
    assert len(instance.index(filters=[product], permissive=True)) == 1
    (folder / "none").write_text("there")
    assert len(instance.index(filters=[product])) == 1


def test_the_listing_is_read_as_it_is_needed(place: Place) -> None:
    made, instance, _ = finished(place)
    store = PipelineJobStore(place.mongodb)
    assert list(store.list_job_archive_path(made.uuid)) == []
    instance.index()
    listing = store.list_job_archive_path(made.uuid)
    assert isinstance(listing, Iterator)
    assert next(listing) == f"{made.archive_path}/a.csv"
    assert [path.rpartition("/")[2] for path in listing] == ["b.txt", "c.csv"]
    flat = store.list_job_archive_path(made.uuid, recurse=False, token=made.token)
    assert [path.rpartition("/")[2] for path in flat] == ["a.csv", "b.txt"]
    with pytest.raises(UnknownJob):
        store.list_job_archive_path("1070b94f-658f-51e1-b348-780a4781f0df")
