"""Client certificates and keys in PEM files, encrypted or not, and what is none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

_NAMES = ("authority", "cert", "key", "both", "encrypted", "all_encrypted")


@dataclass(frozen=True)
class ClientFiles:
    """Paths: `both` holds certificate and key in one file; `encrypted` is the key, and `all_encrypted` both, with `password`."""

    authority: Path
    cert: Path
    key: Path
    both: Path
    encrypted: Path
    all_encrypted: Path
    password: str = "sésame"


def client_files(folder: Path) -> ClientFiles:
    """Make them, from an authority of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    issued = authority.issue_cert("client@example.org")
    authority_path, cert, key_path, both, encrypted_path, all_encrypted = (folder / f"{name}.pem" for name in _NAMES)
    files = ClientFiles(authority_path, cert, key_path, both, encrypted_path, all_encrypted)
    authority.cert_pem.write_to_path(files.authority)
    chain, key = b"".join(blob.bytes() for blob in issued.cert_chain_pems), issued.private_key_pem.bytes()
    encryption = serialization.BestAvailableEncryption(files.password.encode())
    encrypted = serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    for path, content in (
        (files.cert, chain),
        (files.key, key),
        (files.both, chain + key),
        (files.encrypted, encrypted),
        (files.all_encrypted, chain + encrypted),
    ):
        path.write_bytes(content)
    return files
