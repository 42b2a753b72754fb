"""The identifier of an execution of an Abaco actor."""

from datacatalog.identifiers.abaco.hashid import generate, mock, validate

__all__ = ["generate", "mock", "validate"]
