"""What all managers share: the stores of a connection."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from datacatalog import settings
from datacatalog.linkedstores.basestore import CatalogError
from datacatalog.linkedstores.pipeline import PipelineStore
from datacatalog.linkedstores.pipelinejob import PipelineJobStore
from datacatalog.mongo import Connection, db_connection


class ManagerError(CatalogError):
    """Something is wrong in a manager."""


class Stores(NamedTuple):
    """The stores of a connection; ``stores['pipelinejob']`` too."""

    pipelinejob: PipelineJobStore
    pipeline: PipelineStore

    def __getitem__(self, name: Any) -> Any:
        return getattr(self, name) if isinstance(name, str) else tuple.__getitem__(self, name)


class Manager:
    """Has the stores of ``mongodb``; ``agave`` is kept for those who look for it, and not used."""

    def __init__(self, mongodb: Any, agave: Any = None) -> None:
        self.logger = logging.getLogger(__name__)
        self.api_server = settings.TACC_API_SERVER.rstrip("/")
        self.client = agave
        self.mongo_client: Connection = db_connection(mongodb)
        self.stores = Stores(PipelineJobStore(self.mongo_client), PipelineStore(self.mongo_client))
