"""One HTTP client for all flow runs of the process, and the context that their threads start from.

A client of its own costs each run a TLS context and a handshake. httpx's client may be used by
many threads; Prefect's counts who entered it, which here nobody may close.
"""

from __future__ import annotations

import contextvars
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.context import FlowRunContext, SyncClientContext, TaskRunContext
from prefect.settings import get_current_settings

MAX_CONNECTIONS = 32


class SharedClient(SyncPrefectClient):
    """Stays open whoever leaves its context."""

    def __enter__(self) -> SyncPrefectClient:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        """Nothing: the worker closes it."""

    def close(self) -> None:
        """At the end of the worker."""
        self._client.close()


def shared_client() -> SharedClient:
    """One for the server of the current settings."""
    api = get_current_settings().api
    assert api.url is not None, "a worker is started with the address of its server"
    return SharedClient(
        api.url,
        auth_string=api.auth_string.get_secret_value() if api.auth_string else None,
        api_key=api.key.get_secret_value() if api.key else None,
        httpx_settings={
            "limits": httpx.Limits(
                max_connections=MAX_CONNECTIONS,
                max_keepalive_connections=MAX_CONNECTIONS,
                keepalive_expiry=25,
            )
        },
    )


def context_of_runs(client: SharedClient) -> contextvars.Context:
    """What each flow run starts with: the settings and the client, and nothing of another run."""
    context = contextvars.copy_context()
    assert context.run(FlowRunContext.get) is None
    assert context.run(TaskRunContext.get) is None
    shared = SyncClientContext.model_construct(client=client)
    context.run(SyncClientContext.__var__.set, shared)
    return context
