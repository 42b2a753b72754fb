"""Errors of every store."""

from __future__ import annotations


class CatalogError(Exception):
    """The catalog cannot do what was asked."""


class CatalogQueryError(CatalogError):
    """A question that cannot be answered."""


class CatalogUpdateFailure(CatalogError):  # noqa: N818 - the name that users of the original catch
    """A record could not be written."""


class CatalogDataError(CatalogError):
    """Data that are not sound."""


class CatalogDatabaseError(CatalogError):
    """The record itself fails."""
