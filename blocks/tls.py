"""Whom a TLS connection trusts."""

from __future__ import annotations

import ssl

from flinkglue.errors import InvalidInput


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """Trusts the certificates of a file in place of the platform's own.

    Args:
        ca_file: A PEM file on this machine; None trusts the platform's own.

    Raises:
        InvalidInput: The file cannot be read, or is no PEM file.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:  # ssl.SSLError is one; a null byte gives the other
        allowed = f"a PEM file that can be read where flows run: {error}"
        raise InvalidInput("ca_file", ca_file, allowed) from error
