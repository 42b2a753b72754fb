"""Tokens that authorize events and edits: of one record, or administrative."""

from datacatalog.tokens import admin, classes, exceptions, salt, token
from datacatalog.tokens.admin import InvalidAdminToken, get_admin_lifetime, get_admin_token, validate_admin_token
from datacatalog.tokens.salt import Salt, generate_salt
from datacatalog.tokens.token import Token, get_token, validate_token

__version__ = "0.7.0"  # of the tokens of python-datacatalog, whose names these are

__all__ = [
    "InvalidAdminToken",
    "Salt",
    "Token",
    "admin",
    "classes",
    "exceptions",
    "generate_salt",
    "get_admin_lifetime",
    "get_admin_token",
    "get_token",
    "salt",
    "token",
    "validate_admin_token",
    "validate_token",
]
