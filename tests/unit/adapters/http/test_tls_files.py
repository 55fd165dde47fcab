"""What is wrong with files of certificates and keys, in words."""

from __future__ import annotations

from pathlib import Path

import certifi
import pytest

from marscore.adapters.http.tls_files import bundle_fault, certificate_fault
from marscore.values import ClientCertificate
from tests.servers.tls_files import ClientFiles, client_files
from tests.unprivileged import own_folder


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ClientFiles:
    return client_files(tmp_path_factory.mktemp("tls"))


def test_what_servers_are_verified_by(tmp_path: Path, files: ClientFiles) -> None:
    assert bundle_fault(certifi.where()) is None
    assert bundle_fault(str(files.authority)) is None
    assert bundle_fault(str(tmp_path)) is None
    assert bundle_fault(str(tmp_path / "none.pem")) == "is not there"
    assert bundle_fault("nul\0") == "cannot be read"
    (tmp_path / "empty.pem").write_bytes(b"")
    assert bundle_fault(str(tmp_path / "empty.pem")) == "holds no certificates"
    assert bundle_fault(str(files.key)) == "holds no certificates"
    (tmp_path / "empty.pem").write_bytes(files.authority.read_bytes())
    assert bundle_fault(str(tmp_path / "empty.pem")) is None, "each version is looked at"


def test_what_a_client_shows(tmp_path: Path, files: ClientFiles) -> None:
    other = client_files(tmp_path / "other")

    def fault(cert: Path, key: Path | None = None, password: str | None = None) -> tuple[str, str] | None:
        found = certificate_fault(ClientCertificate(str(cert), key and str(key), password))
        return found and (found.part, found.message)

    assert fault(files.cert, files.key) is None
    assert fault(files.both) is None
    assert fault(files.cert, files.encrypted, files.password) is None
    assert fault(files.all_encrypted, None, files.password) is None
    assert fault(files.cert, files.key, "needless") is None
    assert fault(tmp_path / "none") == ("cert", "is not there")
    assert fault(files.cert, tmp_path / "none") == ("key", "is not there")
    assert fault(files.cert) == ("cert", "holds no private key")
    assert fault(files.key, files.key) == ("cert", "holds no certificate")
    assert fault(files.cert, files.cert) == ("key", "holds no private key")
    assert fault(files.cert, other.key) == ("key", "is the private key of another certificate")
    assert fault(files.cert, files.encrypted) == ("key", "holds an encrypted private key, whose password cert.password gives")
    assert fault(files.all_encrypted) == ("cert", "holds an encrypted private key, whose password cert.password gives")
    assert fault(files.cert, files.encrypted, "wrong") == ("password", "does not decrypt the private key")
    assert fault(tmp_path, files.key) == ("cert", "cannot be read: Is a directory")
    (tmp_path / "broken").write_bytes(files.cert.read_bytes()[:100] + b"\n-----END CERTIFICATE-----\n")
    found = fault(tmp_path / "broken", files.key)
    assert found is not None
    assert found[0] == "cert"


def test_what_may_not_be_read_is_named() -> None:
    with own_folder() as folder:
        (folder / "shut.pem").write_bytes(b"")
        (folder / "shut.pem").chmod(0)
        assert bundle_fault(str(folder / "shut.pem")) == "cannot be read: Permission denied"
        found = certificate_fault(ClientCertificate(str(folder / "shut.pem")))
        assert found is not None
        assert (found.part, found.message) == ("cert", "cannot be read: Permission denied")
