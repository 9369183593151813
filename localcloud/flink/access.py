"""How a Flink of the local cloud is reached: its address, and what it wants to be shown."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from pydantic import SecretStr

from flinkglue.flink.api.lifecycle_rest import FlinkLifecycleClient
from flinkglue.http.auth import BearerToken


@dataclass(frozen=True)
class FlinkAccess:
    """One REST API with its sign-in.

    Args:
        url: The address.
        token: A bearer token, for the recording proxy.
        certificates: The directory of a JobManager's own certificates, for its own address.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    certificates: Path | None = None

    def connect(
        self, timeout_seconds: float = 30, transport: httpx.BaseTransport | None = None
    ) -> FlinkLifecycleClient:
        """A client, signed in. Close it, or use it as a context manager."""
        return FlinkLifecycleClient(
            self.url,
            auth=self._auth(),
            verify=self._verify(),
            timeout_seconds=timeout_seconds,
            transport=transport,
        )

    def network(self) -> httpx.HTTPTransport:
        """The way there, for what tests put between."""
        return httpx.HTTPTransport(verify=self._verify(), trust_env=False)

    def http(self, timeout_seconds: float = 60) -> httpx.Client:
        """The same as bare HTTP."""
        return httpx.Client(
            base_url=self.url,
            auth=self._auth(),
            verify=self._verify(),
            timeout=timeout_seconds,
            trust_env=False,
        )

    def _auth(self) -> httpx.Auth | None:
        return BearerToken(SecretStr(self.token)) if self.token else None

    def _verify(self) -> bool | ssl.SSLContext:
        if self.certificates is None:
            return True
        from localcloud.flink.rest_tls import RestTls

        return RestTls(self.certificates).client_context()
