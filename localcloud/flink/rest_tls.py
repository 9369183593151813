"""Mutual TLS before a JobManager's REST API: who has no certificate of the instance is not heard.

A browser reaches every port of loopback. This one speaks only to those whose certificate the
instance's own authority has issued.
https://nightlies.apache.org/flink/flink-docs-stable/docs/deployment/security/security-ssl/
"""

from __future__ import annotations

import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    load_pem_private_key,
    pkcs12,
)

from localcloud.config import LOOPBACK
from localcloud.kept_file import kept, write_kept

_STORE_TYPE = "PKCS12"
# Flink's own defaults are for keys of RSA; those of 1.17 are refused by today's Java.
_CIPHER = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"


@dataclass(frozen=True)
class RestTls:
    """The files of one cluster's certificates, all below one directory."""

    directory: Path

    @classmethod
    def in_directory(cls, directory: Path) -> RestTls:
        """Those kept in the directory; made on the first call, reused by later ones."""
        tls = cls(directory)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not tls.client_key_file.exists():
            tls._issue()
        return tls

    @property
    def ca_file(self) -> Path:
        """What clients trust."""
        return self.directory / "ca.pem"

    @property
    def client_certificate_file(self) -> Path:
        """What clients show."""
        return self.directory / "client.pem"

    @property
    def client_key_file(self) -> Path:
        """Its private key."""
        return self.directory / "client.key"

    def client_context(self) -> ssl.SSLContext:
        """For clients of this cluster alone."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.load_cert_chain(self.client_certificate_file, self.client_key_file)
        return context

    def flink_settings(self) -> dict[str, str]:
        """What Flink is configured with."""
        password = self._password()
        settings = {
            "enabled": "true",
            "authentication-enabled": "true",
            "keystore": str(self._key_store),
            "keystore-password": password,
            "key-password": password,
            "keystore-type": _STORE_TYPE,
            "truststore": str(self._trust_store),
            "truststore-password": password,
            "truststore-type": _STORE_TYPE,
        }
        return {
            "security.ssl.algorithms": _CIPHER,
            **{f"security.ssl.rest.{name}": value for name, value in settings.items()},
        }

    @property
    def _key_store(self) -> Path:
        return self.directory / "rest.p12"

    @property
    def _trust_store(self) -> Path:
        return self.directory / "trusted.p12"

    def _password(self) -> str:
        return kept(self.directory / "password", lambda: secrets.token_hex(24).encode()).decode()

    def _issue(self) -> None:
        authority = trustme.CA(organization_name="Local Flink")
        server = authority.issue_cert(LOOPBACK, "localhost")
        client = authority.issue_cert("client.localhost")
        encryption = BestAvailableEncryption(self._password().encode())
        trusted = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
        write_kept(
            self._key_store,
            pkcs12.serialize_key_and_certificates(
                b"rest",
                load_pem_private_key(server.private_key_pem.bytes(), None),  # type: ignore[arg-type]
                x509.load_pem_x509_certificate(server.cert_chain_pems[0].bytes()),
                [trusted],
                encryption,
            ),
        )
        write_kept(
            self._trust_store,
            pkcs12.serialize_java_truststore(
                [pkcs12.PKCS12Certificate(trusted, b"authority")], encryption
            ),
        )
        write_kept(self.ca_file, authority.cert_pem.bytes())
        chain = b"".join(each.bytes() for each in client.cert_chain_pems)
        write_kept(self.client_certificate_file, chain)
        # Written last: its presence says that the set is complete.
        write_kept(self.client_key_file, client.private_key_pem.bytes())
