"""Real certificates, which vouch for themselves."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Certified(NamedTuple):
    """A certificate and its key, as files (PEM)."""

    certfile: Path
    keyfile: Path


def certify(folder: Path, password: bytes | None = None) -> Certified:
    """A new certificate for 127.0.0.1, and its key, which a password may lock."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now, day = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jobpass")]), datetime.now(UTC), timedelta(1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    files = Certified(folder / "cert.pem", folder / "key.pem")
    files.certfile.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files.keyfile.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    files.keyfile.chmod(0o600)
    return files
