"""The certificate authority behind the TLS of the Azure parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme

from localcloud.config import LOOPBACK
from localcloud.kept_file import write_kept
from localcloud.web.serving import TlsFiles


@dataclass(frozen=True)
class LocalAuthority:
    """The files of a small certificate authority and the one server certificate it issued.

    Args:
        ca_file: What clients trust; its path goes into ``REQUESTS_CA_BUNDLE`` or ``verify=``.
        certificate_file: The server's chain, for the names ``127.0.0.1`` and ``localhost``.
        key_file: The server's private key, readable by its owner only.
    """

    ca_file: Path
    certificate_file: Path
    key_file: Path

    @classmethod
    def in_directory(cls, directory: Path) -> LocalAuthority:
        """The authority kept in the directory; made on the first call, reused by later ones."""
        authority = cls(
            ca_file=directory / "ca.pem",
            certificate_file=directory / "server.pem",
            key_file=directory / "server.key",
        )
        if not authority.certificate_file.exists():
            authority._issue()
        return authority

    @property
    def tls(self) -> TlsFiles:
        """What a server needs to serve https."""
        return TlsFiles(self.certificate_file, self.key_file)

    def _issue(self) -> None:
        authority = trustme.CA(organization_name="Local cloud")
        certificate = authority.issue_cert(LOOPBACK, "localhost")
        write_kept(self.key_file, certificate.private_key_pem.bytes())
        write_kept(self.ca_file, authority.cert_pem.bytes())
        # Written last: its presence says that the set is complete.
        chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
        write_kept(self.certificate_file, chain)
