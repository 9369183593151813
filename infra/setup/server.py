"""The Prefect server's API, as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client

from flinkglue.prefect.gateway_answers import is_of_a_gateway
from flinkglue.prefect.store.server_failures import server_failure


class Server:
    """Calls that answer with JSON. None is made before it is `connected`.

    Args:
        client: A client of the server; None: `connected` makes one.
    """

    def __init__(self, client: SyncPrefectClient | None = None) -> None:
        self._client = client

    @contextmanager
    def connected(self) -> Iterator[SyncPrefectClient]:
        """Use the server that this process is set up for."""
        with get_client(sync_client=True) as client:
            self._client = client
            yield client

    def get(self, path: str, *names: str, **query: Any) -> Any:
        """The object at a path; None: there is none."""
        return self._send("GET", path, names, missing=True, params=query)

    def block(self, name: str, **query: Any) -> Any:
        """The saved block TYPE/NAME; None: there is none."""
        slug, _, block = name.partition("/")
        return self.get("/block_types/slug/{}/block_documents/name/{}", slug, block, **query)

    def post(self, path: str, *names: str, body: Any) -> Any:
        """The answer to a body."""
        return self._send("POST", path, names, json=body)

    def patch(self, path: str, *names: str, body: Any) -> None:
        """Change what a body names."""
        self._send("PATCH", path, names, json=body)

    def put(self, path: str, *names: str, body: Any) -> None:
        """Replace by a body."""
        self._send("PUT", path, names, json=body)

    def delete(self, path: str, *names: str) -> None:
        """Delete what is there."""
        self._send("DELETE", path, names, missing=True)

    def _send(
        self, method: str, path: str, names: tuple[str, ...], *, missing: bool = False, **how: Any
    ) -> Any:
        assert self._client is not None, "it is connected"
        url = path.format(*(quote(name, safe="") for name in names))
        try:
            answer = self._client.request(method, url, **how)  # type: ignore[arg-type]
        except httpx.HTTPStatusError as error:
            answer = error.response
            if missing and answer.status_code == 404 and not is_of_a_gateway(answer):
                return None
            raise server_failure(f"{method} {path}", ", ".join(names), error) from error
        except httpx.HTTPError as error:
            raise server_failure(f"{method} {path}", ", ".join(names), error) from error
        return answer.json() if answer.content else None
