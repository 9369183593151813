"""The life of a part that is one application behind TLS, in this process."""

from __future__ import annotations

from localcloud.azure.authority import LocalAuthority
from localcloud.config import CloudConfig
from localcloud.part import PartFailed
from localcloud.web.serving import AsgiServer
from localcloud.web.wire import AsgiApp


class TlsPart:
    """Start, stop and address, for the Azure parts that run in threads of this process.

    Args:
        name: The part's name.
        app: What it serves.
        config: Says which port.
        authority: Issued the certificate.
    """

    def __init__(
        self, name: str, app: AsgiApp, config: CloudConfig, authority: LocalAuthority
    ) -> None:
        self.name = name
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

    def url(self) -> str:
        """The https address, without a slash at its end."""
        return self._server.url
