"""Identifiers of Abaco: of actors, executions and nonces."""

from datacatalog.identifiers.abaco import actorid, execid, hashid, nonceid

__all__ = ["actorid", "execid", "hashid", "nonceid"]
