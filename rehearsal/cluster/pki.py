"""Keys and certificates of one cluster, and the kubeconfigs made of them."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEARS = datetime.timedelta(days=3650)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _subject(common_name: str, group: str | None = None) -> x509.Name:
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Authority:
    """The cluster's certificate authority, kept in `folder` as ca.crt and ca.key and made on first use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "ca.crt").is_file():
            self._make()
        self.pem = (folder / "ca.crt").read_bytes()
        self._certificate = x509.load_pem_x509_certificate(self.pem)
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{folder / 'ca.key'} is not an elliptic-curve key")
        self._key = key

    def _builder(self, subject: x509.Name, issuer: x509.Name, key: Any) -> x509.CertificateBuilder:
        start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + YEARS)
        )

    def _make(self) -> None:
        key, name = ec.generate_private_key(ec.SECP256R1()), _subject("cluster-ca")
        made = self._builder(name, name, key.public_key()).add_extension(x509.BasicConstraints(True, None), True)
        self._write("ca", made.sign(key, hashes.SHA256()), key)

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        secret = self.folder / f"{name}.key"
        secret.touch(mode=0o600)
        secret.write_bytes(_pem(key))
        (self.folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, user: str, group: str | None = None, names: Sequence[str] = ()) -> None:
        """Writes `name`.crt and `name`.key for a server with the DNS names or addresses `names`, or a client `user`.

        Leaves them alone if they are there.
        """
        if (self.folder / f"{name}.crt").is_file():
            return
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        made = self._builder(_subject(user, group), self._certificate.subject, key.public_key())
        made = made.add_extension(usage, False)
        if names:
            made = made.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), False)
        self._write(name, made.sign(self._key, hashes.SHA256()), key)

    def signing_keys(self) -> None:
        """Writes sa.key and sa.pub, with which service-account tokens are signed and verified."""
        secret = self.folder / "sa.key"
        if secret.is_file():
            return
        key = rsa.generate_private_key(65537, 2048)
        secret.touch(mode=0o600)
        secret.write_bytes(_pem(key))
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (self.folder / "sa.pub").write_bytes(public)

    def kubeconfig(self, name: str, server: str, user: str, group: str | None = None) -> Path:
        """Writes `name`.kubeconfig for `user` in `group` at the API server's address, and returns its path."""
        self.issue(name, user, group)
        encoded = {
            kind: base64.b64encode((self.folder / file).read_bytes()).decode()
            for kind, file in (("certificate", f"{name}.crt"), ("key", f"{name}.key"), ("ca", "ca.crt"))
        }
        credentials = {"client-certificate-data": encoded["certificate"], "client-key-data": encoded["key"]}
        cluster = {"server": server, "certificate-authority-data": encoded["ca"]}
        return write_kubeconfig(self.folder / f"{name}.kubeconfig", cluster, credentials)


def write_kubeconfig(path: Path, cluster: dict[str, str], credentials: dict[str, str]) -> Path:
    """Writes a kubeconfig with one cluster and one user, readable by its owner alone."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "user", "user": credentials}],
        "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": "user"}}],
        "current-context": "context",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=1))
    return path
