"""Identifiers: typed uuids, those of Abaco, names for people, random texts."""

from datacatalog.identifiers import abaco, interestinganimal, typeduuid
from datacatalog.identifiers.identifier import random_string

__all__ = ["abaco", "interestinganimal", "random_string", "typeduuid"]
