"""Places where the compatibility package keeps jobs: a folder in this process, and a server, both real."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import jobpass
from datacatalog.linkedstores.pipeline import PipelineStore
from datacatalog.managers.pipelinejobs import ManagedPipelineJob
from datacatalog.mongo import Connection, db_connection, encode_connection_string
from datacatalog.tokens import get_admin_token
from jobpass.compose.installation import init_data

SYSTEM = "data-sd2e-community"
PIPELINE = {
    "id": "urrutia-rnaseq",
    "name": "RNA-seq",
    "components": [{"id": "wgqobY6wgkQJQ", "image": "index.docker.io/jurrutia/rnaseq:0.5", "options": {}}],
    "processing_levels": ["1"],
}
PASSWORD = "correct horse battery staple"
_numbers = count()


class Place(NamedTuple):
    """A place where jobs are kept: for an author and another one, with an admin key, and its operator if any."""

    mongodb: dict[str, Any]
    stranger: Callable[[], Connection]
    admin_key: str
    archive: Path
    pipelines: dict[str, str]
    operator: str | None = None

    def manager(self, **options: Any) -> ManagedPipelineJob:
        """A manager of a job that nobody has made, unless ``data`` is given."""
        options.setdefault("data", {"number": next(_numbers)})
        return ManagedPipelineJob(self.mongodb, self.pipelines, **options)

    def job(self, **options: Any) -> ManagedPipelineJob:
        """The same, set up."""
        return self.manager(**options).setup()

    def admin(self) -> str:
        """An administrative token."""
        return get_admin_token(self.admin_key)


def variables(folder: Path) -> dict[str, str]:
    """An environment in which the archive's ``/products`` lies in ``folder``."""
    archives = {SYSTEM: {"url": folder.joinpath("archive").as_uri(), "roots": ["/products"]}}
    return {"JOBPASS_ARCHIVES": json.dumps(archives)}


@contextmanager
def in_process(folder: Path) -> Iterator[Place]:
    """A folder that is made on the spot, in an environment of its own."""
    key = secrets.token_urlsafe(24)
    environ = variables(folder) | {
        "CATALOG_ADMIN_TOKEN_SECRET": secrets.token_urlsafe(24),
        "CATALOG_ADMIN_TOKEN_KEY": key,
        "TACC_USERNAME": "sd2eadm",
    }
    (folder / "archive/products").mkdir(parents=True)
    mongodb = {"authn": encode_connection_string(f"sqlite://{folder / 'jobs'}")}

    def stranger() -> Connection:
        with patch.dict(os.environ, {"TACC_USERNAME": "mallory"}):
            return db_connection(mongodb)

    with patch.dict(os.environ, environ):
        yield Place(mongodb, stranger, key, folder / "archive", _pipelines(mongodb))


@contextmanager
def served(folder: Path) -> Iterator[Place]:
    """A server process; this environment holds neither key nor secret."""
    data = folder / "data"
    (folder / "archive/products").mkdir(parents=True)
    asyncio.run(init_data(data, "operator@localhost", PASSWORD, environ={}))
    command = [sys.executable, "-m", "jobpass", "serve", "--data", str(data), "--port", "0", "--json"]
    log = (folder / "log").open("w")
    with (
        log,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | variables(folder) | {"JOBPASS_CALLBACKS": "true"},
        ) as server,
    ):
        try:
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"]
            ann, mallory, key, operator = _people(url)
            mongodb = {"url": url, "token": ann}
            stranger = db_connection({"url": url, "token": mallory})
            yield Place(mongodb, lambda: stranger, key, folder / "archive", _pipelines(mongodb), operator)
        finally:
            server.terminate()


def _pipelines(mongodb: dict[str, Any]) -> dict[str, str]:
    pipeline = PipelineStore(mongodb).add_update_document(PIPELINE)
    return {"job_manager_id": "G1p783PxpalBB", "job_manager_nonce": "SD2E_x", "pipeline_uuid": pipeline["uuid"]}


def _people(url: str) -> tuple[str, str, str, str]:
    """The log-ins of two authors, an admin key that the first asked for and the operator approved, and hers."""
    with jobpass.Client(url) as operator, jobpass.Client(url) as ann, jobpass.Client(url) as mallory:
        operator.login("operator@localhost", PASSWORD)
        for client, name in ((ann, "ann"), (mallory, "mallory")):
            operator.create_user(f"{name}@example.org", PASSWORD)
            client.login(f"{name}@example.org", PASSWORD)
        asked = ann.request_admin_key("repair", "a vault", lifetime_seconds=600)
        operator.approve_admin_key(asked.id, asked.request_hash)
        key = ann.collect_admin_key(asked.id)
        assert ann.token is not None
        assert mallory.token is not None
        assert operator.token is not None
        return ann.token, mallory.token, key, operator.token
