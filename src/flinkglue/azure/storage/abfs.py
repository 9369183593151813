"""URIs of Azure Data Lake Storage: ``abfs[s]://container@account.dfs.core.windows.net/path``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from flinkglue.errors import InvalidInput

# Container and account names as Azure Storage allows them; the domain is open for sovereign clouds.
ABFS_PATTERN = (
    r"^abfss?://[a-z0-9](?:-?[a-z0-9]){2,62}@[a-z0-9]{3,24}\.dfs(?:\.[a-z0-9-]+)+(?:/[^\s?#]*)?$"
)
ALLOWED = "abfs://container@account.dfs.core.windows.net[/directory], or the same with abfss://"
_PARTS = re.compile(r"(?P<scheme>abfss?)://(?P<container>[^@]+)@(?P<host>[^/]+)(?P<path>/.*)?")


@dataclass(frozen=True)
class AbfsUri:
    """A place in a storage account.

    Args:
        host: The account's Data Lake host, for example ``account.dfs.core.windows.net``.
        path: The path inside the container, without a leading or trailing slash.
        scheme: ``abfs`` or ``abfss``.
    """

    container: str
    host: str
    path: str = ""
    scheme: str = "abfs"

    @classmethod
    def parse(cls, text: str, field: str = "uri") -> AbfsUri:
        """Read a URI.

        Args:
            field: What the person calls the field, for the error.

        Raises:
            InvalidInput: It is no such URI.
        """
        parts = _PARTS.fullmatch(text)
        if parts is None or re.fullmatch(ABFS_PATTERN, text) is None:
            raise InvalidInput(field, text, ALLOWED)
        path = (parts["path"] or "").strip("/")
        if any(step in ("", ".", "..") for step in path.split("/")) and path:
            raise InvalidInput(field, text, ALLOWED + ", without empty or dotted directories")
        return cls(parts["container"], parts["host"], path, parts["scheme"])

    @property
    def account(self) -> str:
        """The storage account's name."""
        return self.host.partition(".")[0]

    def child(self, name: str) -> AbfsUri:
        """The URI of a name inside this one."""
        return replace(self, path=f"{self.path}/{name}".strip("/"))

    def __str__(self) -> str:
        return f"{self.scheme}://{self.container}@{self.host}" + (
            f"/{self.path}" if self.path else ""
        )
