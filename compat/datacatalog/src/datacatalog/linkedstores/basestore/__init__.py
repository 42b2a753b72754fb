"""What all stores share."""

from __future__ import annotations

from datacatalog.linkedstores.basestore.exceptions import (
    CatalogDatabaseError,
    CatalogDataError,
    CatalogError,
    CatalogQueryError,
    CatalogUpdateFailure,
)
from datacatalog.mongo.exceptions import DuplicateKeyError

__all__ = [
    "CatalogDataError",
    "CatalogDatabaseError",
    "CatalogError",
    "CatalogQueryError",
    "CatalogUpdateFailure",
    "DuplicateKeyError",
]
