"""Where the record is kept: in the original a MongoDB, here a Jobpass server or a folder of its own.

The name of the package, and of the argument ``mongodb``, is what the users of the original write.
"""

from __future__ import annotations

from datacatalog.mongo.authn import decode_authn_string, encode_connection_string
from datacatalog.mongo.connection import Connection, db_connection
from datacatalog.mongo.exceptions import ConnectionFailure, DuplicateKeyError

__all__ = [
    "Connection",
    "ConnectionFailure",
    "DuplicateKeyError",
    "db_connection",
    "decode_authn_string",
    "encode_connection_string",
]
