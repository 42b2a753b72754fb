"""Make the text of a token from a root key: pure, and recorded by nobody but its caller."""

from __future__ import annotations

from collections.abc import Iterable

from jobpass.tokens import token
from jobpass.tokens.caveats import Caveat, without_expiry, write_all
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mac import chain
from jobpass.tokens.token import ADMIN_KEY_PREFIX, PREFIXES, Kind

# All raise UnknownKey for a kid that is retired or unknown, InvalidInput for a caveat that cannot be written, and
# ValueError for arguments out of the bounds of ``token.Identity``.


def mint_document(keyring: Keyring, kid: str, job_uuid: str, serial: int, caveats: Iterable[Caveat] = ()) -> str:
    """The document token of a job: the same arguments give the same text, so nobody has to keep it.

    ``kid`` is the one in the job's row, which may be older than the one that signs.
    """
    identifier = token.document_identifier(kid, job_uuid, serial)
    return _mint(keyring, kid, "document", PREFIXES["document"], identifier, caveats)


def mint_credential(
    keyring: Keyring, kind: Kind, credential_id: str, caveats: Iterable[Caveat] = (), kid: str | None = None
) -> str:
    """A login token, job token or API key for a credential; signed by the active key unless ``kid`` says another."""
    kid = keyring.signing_kid if kid is None else kid
    identifier = token.credential_identifier(kind, kid, credential_id)
    return _mint(keyring, kid, kind, PREFIXES[kind], identifier, caveats)


def mint_admin_key(
    keyring: Keyring,
    credential_id: str,
    lifetime_seconds: int,
    caveats: Iterable[Caveat] = (),
    kid: str | None = None,
) -> str:
    """An admin key: what ``attenuate.admin_token`` makes admin tokens of ``lifetime_seconds`` from.

    InvalidInput for an ``expires_at`` among ``caveats``: a key ends by its record.
    """
    kid = keyring.signing_kid if kid is None else kid
    identifier = token.admin_identifier(kid, credential_id, lifetime_seconds)
    return _mint(keyring, kid, "admin", ADMIN_KEY_PREFIX, identifier, without_expiry(caveats))


def _mint(keyring: Keyring, kid: str, kind: Kind, prefix: str, identifier: bytes, caveats: Iterable[Caveat]) -> str:
    written = write_all(caveats)
    signature = chain(keyring.token_key(kid, kind).mac(identifier), written)
    return token.write(prefix, identifier, written, signature)
