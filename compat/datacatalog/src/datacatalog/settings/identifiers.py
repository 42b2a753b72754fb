"""What the identifiers of an installation are made with: a namespace and salts, none of which is a secret."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from datacatalog.settings.environment import text
from jobpass import ids

ABACO_HASHIDS_SALT: Final = "eJa5wZlEX4eWU"  # of Abaco itself, so that its identifiers are told from others
MOCK_NAMESPACE: Final = ids.namespace("tacc.cloud.dev")


def dns_domain() -> str:
    """The domain whose namespace all typed uuids are in."""
    return text("CATALOG_DNS_DOMAIN", "sd2e.org")


def uuid_namespace() -> str:
    """The namespace of all typed uuids, as the text of a uuid."""
    return _namespace(dns_domain())


def hashids_salt() -> str:
    """The salt of the hashids of typed uuids."""
    return text("CATALOG_TYPEDUUID_HASHIDS_SALT", "xCPJ7PKTdp8BYYb4twh9xNYD")


def mock_hashids_salt() -> str:
    """The salt of hashids which are made for tests and do not validate."""
    return text("CATALOG_MOCK_IDS_SALT", "97JFXMGWBDaFWt8a4d9NJR7z3erNcAve")


@lru_cache(maxsize=8)
def _namespace(domain: str) -> str:
    return ids.namespace(domain)
