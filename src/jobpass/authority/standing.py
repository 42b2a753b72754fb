"""Who a bearer speaks for, where only somebody with an account may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobpass.errors import RevokedToken

if TYPE_CHECKING:
    from jobpass.authority.bearer import Bearer
    from jobpass.records import Principal, Session


def session_of(bearer: Bearer) -> Session:
    """The record behind the token and its owner; ``RevokedToken`` for a token without a record."""
    if bearer.session is None:
        raise RevokedToken("The token has no record.")
    return bearer.session


def principal_of(bearer: Bearer) -> Principal:
    """The principal behind the token; ``RevokedToken`` for a token without a record."""
    return session_of(bearer).principal
