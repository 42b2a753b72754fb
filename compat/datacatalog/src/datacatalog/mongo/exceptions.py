"""Errors that the original took from its database driver."""

from __future__ import annotations


class ConnectionFailure(Exception):  # noqa: N818 - the name that users of the original catch
    """The record cannot be reached; the second argument is the reason."""


class DuplicateKeyError(Exception):
    """Something of this uuid stands already."""
