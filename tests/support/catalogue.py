"""A made-up catalogue of the seed system, as its database would be dumped: the same number gives the same one."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from jobpass import ids
from jobpass.lifecycle.standard import PIPELINE

Document = dict[str, Any]

EPOCH = datetime(2019, 3, 4, 8, tzinfo=UTC)
OWNERS = ("sd2eadm", "ann", "ben", "o'neill", "zoë")
COMMON = ("run", "run", "update", "update", "resource", "finish", "index", "indexed", "validate", "validated")


def date(at: datetime) -> Document:
    """A date, as the newer form has it."""
    return {"$date": at.strftime("%Y-%m-%dT%H:%M:%SZ")}


def old_token(document: Document) -> str:
    """The token that the seed system gave for this document."""
    fields = [document[name] for name in ("uuid", "_admin") if name in document]
    return sha256(f"{document['_salt']}:{fields}".encode()).hexdigest()[:16]


class Catalogue:
    """Pipelines and jobs from one seed."""

    def __init__(self, seed: int = 7) -> None:
        self._random = Random(seed)
        self._number = 0
        self.pipelines = [self._pipeline(n) for n in range(5)]
        self._made: list[str] = []

    def jobs(self, count: int) -> Iterator[Document]:
        """So many sound jobs: every state, resets, links to jobs before them."""
        for _ in range(count):
            yield self.job()

    def job(self, steps: int | None = None) -> Document:
        """One more."""
        random = self._random
        self._number += 1
        data = {"number": self._number, "alpha": random.choice([0.5, 1, "β", None]), "deep": {"a": [1, {"b": True}]}}
        parents = [ids.typed_uuid("experiment", f"experiment.{random.randrange(50)}")]
        if self._made and random.random() < 0.2:
            parents.append(random.choice(self._made))
        pipeline = random.choice(self.pipelines)["uuid"]
        uuid = ids.job_uuid(pipeline, parents, data)
        at = EPOCH + timedelta(minutes=self._number)
        history = list(self._history(at, data, random.randrange(1, 10) if steps is None else steps))
        state = "CREATED"
        for entry in history:
            state = PIPELINE.table[state, entry["name"].lower()]
        self._made = [*self._made[-99:], uuid]
        session = f"calm-otter-{self._number}"
        return {
            "_id": {"$oid": f"{self._number:024x}"},
            "pipeline_uuid": pipeline,
            "archive_path": f"/products/v2/{pipeline.replace('-', '')}/{self._number:08x}/{session}",
            "archive_system": "data-sd2e-community",
            "archive_patterns": [{"level": "1", "patterns": [r"\.csv$"]}],
            "product_patterns": [],
            "data": data,
            "session": session,
            "agent": "https://api.sd2e.org/actors/v2/6rgbzrJxJ1RWR",
            "task": None,
            "generated_by": [pipeline],
            "child_of": parents,
            "acted_on": [ids.typed_uuid("file", f"/uploads/{self._number}.csv")],
            "acted_using": [ids.typed_uuid("reference", "/reference/genome.fa")],
            "uuid": uuid,
            "state": state,
            "last_event": history[-1]["name"].lower(),
            "updated": history[-1]["date"],
            "history": history,
            "_visible": True,
            "_properties": {
                "created_date": date(at),
                "modified_date": history[-1]["date"],
                "revision": len(history) - 1,
                "source": "testing",
            },
            "_admin": {"owner": random.choice(OWNERS), "project": "SD2E-Community", "tenant": "sd2e"},
            "_salt": base64.b64encode(random.randbytes(16)).decode().lower(),
        }

    def broken(self) -> Iterator[tuple[str, Document]]:
        """One job of each kind that cannot be imported, with a word of the reason."""
        yield "history", self.job() | {"history": []}
        yield "state", self.job(1) | {"state": "FINALIZED"}
        yield "last_event", self.job(1) | {"last_event": "retire"}
        yield "uuid", {name: value for name, value in self.job().items() if name != "uuid"}
        yield "uuid", self.job() | {"uuid": ids.typed_uuid("file", "no job")}
        yield "pipeline_uuid", self.job() | {"pipeline_uuid": ids.typed_uuid("file", "no pipeline")}
        illegal = self.job(1)
        illegal["history"].append(self._entry(EPOCH, "finalize", None))
        yield "finalize", illegal | {"last_event": "finalize", "state": "FINALIZED"}
        unknown = self.job(1)
        unknown["history"].append(self._entry(EPOCH, "may_reset", None))
        yield "may_reset", unknown
        doubled = self.job(3)
        doubled["history"][1]["uuid"] = doubled["history"][0]["uuid"]
        yield "twice", doubled
        other = self.job(2)
        other["history"][1]["uuid"] = other["uuid"]
        yield "pipelinejob_event", other
        headless = self.job(1)
        headless["history"] = [self._entry(EPOCH, "run", None)]
        yield "create", headless | {"state": "RUNNING", "last_event": "run"}
        changed = self.job()
        yield "data", changed | {"data": changed["data"] | {"number": -1}}
        yield "archive_path", self.job() | {"archive_path": "/products/../etc"}
        yield "child_of", self.job() | {"child_of": ["not-a-uuid"]}
        yield "owner", self.job() | {"_admin": {"owner": "two words"}}
        undated = self.job(1)
        undated["history"][0]["date"] = {"$date": "yesterday"}
        yield "date", undated
        yield "neither", {"_id": 1, "something": "else"}

    def _history(self, at: datetime, data: Document, steps: int) -> Iterator[Document]:
        random = self._random
        yield self._entry(at, "create", data)
        state = "CREATED"
        for n in range(1, steps):
            legal = [name for name in PIPELINE.legal(state) if name not in ("create", "reset") or random.random() < 0.1]
            name = random.choice([name for name in COMMON if name in legal] or legal or ["reset"])
            if random.random() < 0.3 and legal:
                name = random.choice(legal)
            state = PIPELINE.table[state, name]
            sent = name.upper() if random.random() < 0.1 else name
            yield self._entry(at + timedelta(seconds=n), sent, random.choice([None, {"step": n}, "text", [1, 2.5]]))

    def _entry(self, at: datetime, name: str, data: Any) -> Document:
        uuid = ids.random_typed_uuid("pipelinejob_event", self._random.randbytes(16))
        return {"date": date(at), "data": data, "name": name, "uuid": uuid}

    def _pipeline(self, number: int) -> Document:
        identity, components = f"pipeline.{number}", [{"id": "app-1", "inputs": [], "parameters": {"n": number}}]
        uuid = ids.pipeline_uuid(identity, components)
        return {
            "_id": {"$oid": f"{number:024x}"},
            "id": identity,
            "uuid": uuid,
            "name": f"Pipeline {number}",
            "components": components,
            "processing_levels": ["1"],
            "_visible": True,
            "_properties": {"created_date": date(EPOCH), "modified_date": date(EPOCH), "revision": 0},
            "_admin": {"owner": "sd2eadm", "project": "SD2E-Community", "tenant": "sd2e"},
            "_salt": base64.b64encode(self._random.randbytes(16)).decode().lower(),
        }


def lines(documents: Iterable[Document]) -> bytes:
    """One document a line, as ``mongoexport`` writes them."""
    return b"".join(json.dumps(one, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" for one in documents)


def array(documents: Iterable[Document]) -> bytes:
    """One array, over several lines."""
    return json.dumps(list(documents), indent=1).encode()


def canonical(value: Any) -> Any:
    """The same in canonical form, where every number and date says its type."""
    return _typed(
        value,
        lambda at: {"$numberLong": str(_milliseconds(at))},
        lambda n: {"$numberDouble": repr(n)} if isinstance(n, float) else {"$numberInt": str(n)},
    )


def first_version(value: Any) -> Any:
    """The same in version 1 of the form, where dates are milliseconds."""
    return _typed(value, _milliseconds, lambda n: n)


def write(file: Path, text: bytes) -> Path:
    """Write a dump; packed if the file's name says so."""
    file.write_bytes(gzip.compress(text) if file.suffix == ".gz" else text)
    return file


def _typed(value: Any, of_date: Callable[[str], Any], of_number: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"$date"}:
            return {"$date": of_date(value["$date"])}
        return {name: _typed(item, of_date, of_number) for name, item in value.items()}
    if isinstance(value, list):
        return [_typed(item, of_date, of_number) for item in value]
    return of_number(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _milliseconds(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp()) * 1000
