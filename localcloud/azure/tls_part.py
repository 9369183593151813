"""The life of a part that is one application behind TLS, in this process."""

from __future__ import annotations

from collections.abc import Mapping

from localcloud.azure.authority import LocalAuthority
from localcloud.config import CloudConfig
from localcloud.part import Operation, PartFailed
from localcloud.web.serving import AsgiServer
from localcloud.web.wire import AsgiApp


class TlsPart:
    """Start, stop and address, for the Azure parts that run in threads of this process.

    Args:
        name: The part's name.
        app: What it serves.
        config: Says which port.
        authority: Issued the certificate.
        served: The operations by name, each with a line about it.
    """

    def __init__(
        self,
        name: str,
        app: AsgiApp,
        config: CloudConfig,
        authority: LocalAuthority,
        served: Mapping[str, str],
    ) -> None:
        self.name = name
        self._served = served
        self._server = AsgiServer(app, config.port(name), tls=authority.tls)

    def start(self) -> None:
        """Return when connections are accepted.

        Raises:
            PartFailed: The port is taken, or the application did not start.
        """
        try:
            self._server.start()
        except (OSError, RuntimeError) as error:
            raise PartFailed(f"{self.name}: {error}") from error

    def stop(self) -> None:
        """Close the listener and all connections."""
        self._server.stop()

    def operations(self) -> list[Operation]:
        """The served operations."""
        return [Operation(self.name, name, text) for name, text in self._served.items()]

    def url(self) -> str:
        """The https address, without a slash at its end."""
        return self._server.url
