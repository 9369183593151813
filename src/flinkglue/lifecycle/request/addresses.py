"""Where a jar, a program or a savepoint lies, as a person writes it. Pure."""

from __future__ import annotations

import re

from flinkglue import addresses
from flinkglue.errors import InvalidInput

# Directories of this machine may have spaces in their names.
# Neither user and password nor a signature: addresses are written down, and shown.
JAR_PATTERN = (
    r"^(https://[^\s/@?#]+/[^\s?#]+|(s3|s3a|s3p|abfs|abfss)://\S+"
    r"|file:/[^\r\n?#]*[^\s?#]|/[^\r\n]*\S|[^\s:/]([^\r\n:]*[^\s:])?)"
    r"\.(jar|py|zip|sql)$"
)
JAR_ALLOWED = (
    "a path, https://, s3:// or abfs:// address without credentials whose last part ends in .jar; "
    "in .py or .zip for a Python program, in .sql for a SQL script"
)


def jar_address(field: str, address: str) -> str:
    """Where a jar lies.

    Raises:
        InvalidInput: It is no address of a jar, or has credentials.
    """
    try:
        if not re.fullmatch(JAR_PATTERN, address):
            raise InvalidInput(field, address, JAR_ALLOWED)
        if address.startswith("https:"):
            addresses.http_url(field, address)
        elif "://" in address:
            addresses.storage_address(field, address)
        else:
            addresses.file_path(field, address)
    except InvalidInput as error:
        raise InvalidInput(field, address, JAR_ALLOWED) from error
    return address


def savepoint_address(field: str, address: str) -> str:
    """Where a savepoint or checkpoint lies.

    Raises:
        InvalidInput: It is no whole address, or has credentials.
    """
    try:
        return addresses.storage_address(field, address)
    except InvalidInput as error:
        allowed = f"the savepoint's whole address as LIST_SAVEPOINT shows it: {error.allowed}"
    raise InvalidInput(field, address, allowed)
