"""Tokens as values: text, caveats, keys, mint, attenuate, verify; no clock, randomness or I/O (``docs/tokens.md``).

Nothing is re-exported here: a client imports ``attenuate`` without the keyring, and the import contract sees who
mints and verifies.
"""
