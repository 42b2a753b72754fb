"""Puts the parts together: data folder, keyring, store, authority, server, and the client without a server.

The only package that knows every part. A *data folder* holds ``jobpass.sqlite``, ``keyring.json`` (unless the keyring
comes from ``JOBPASS_KEYRING``) and, if wished, ``jobpass.toml`` and ``lifecycles/*.toml``.
"""

from jobpass.compose.copying import copy
from jobpass.compose.folder import KEYRING, alone, is_initialised, read_keyring, read_lifecycles, write_private
from jobpass.compose.installation import (
    DEFAULT_EMAIL,
    init_data,
    make_password,
    open_authority,
    open_installation,
)
from jobpass.compose.local import open  # noqa: A004
from jobpass.compose.migration import export, import_files
from jobpass.compose.nodes import expect_nodes
from jobpass.compose.secret import write_derived_keyring
from jobpass.compose.serving import http_url, is_loopback, serve, serving
from jobpass.compose.stores import finish_migration, is_ready
from jobpass.compose.upkeep import back_up, list_keys, restore, retire_key, rotate_key

__all__ = [
    "DEFAULT_EMAIL",
    "KEYRING",
    "alone",
    "back_up",
    "copy",
    "expect_nodes",
    "export",
    "finish_migration",
    "http_url",
    "import_files",
    "init_data",
    "is_initialised",
    "is_loopback",
    "is_ready",
    "list_keys",
    "make_password",
    "open",
    "open_authority",
    "open_installation",
    "read_keyring",
    "read_lifecycles",
    "restore",
    "retire_key",
    "rotate_key",
    "serve",
    "serving",
    "write_derived_keyring",
    "write_private",
]
