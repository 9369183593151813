"""One HTTP client for all flow runs of the process, and the context that their threads start from.

A client of its own costs each run a TLS context and a handshake. httpx's client may be used by
many threads; Prefect's counts who entered it, which here nobody may close.
"""

from __future__ import annotations

import contextvars
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import ServerDefaultResultStorage
from prefect.context import FlowRunContext, SyncClientContext, TaskRunContext
from prefect.settings import get_current_settings

from flinkglue.clock.interruption import calling
from flinkglue.prefect.beside import Beside
from flinkglue.prefect.gateway_answers import take_404_of_a_gateway_as_503
from flinkglue.prefect.kept_readings import KeptReadings, keep_readings, kept
from flinkglue.prefect.worker.threads.run_names import RunNames

MAX_CONNECTIONS = 32
FLUSH_SECONDS = 10.0
"""How long calls that no flow run waited for may take at the end."""


class SharedClient(SyncPrefectClient):
    """Stays open whoever leaves its context, and makes fewer calls than the engine asks for.

    The engine writes the flow run's version before it starts, which says whose it is as well; of
    the flow run's names that come in a row the last is written; the server's default storage is
    read once a minute, and not for each flow and task run.

    `beside` makes calls that no flow run waits for.
    """

    is_kept_open = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._client.event_hooks["response"].append(take_404_of_a_gateway_as_503)
        self._owners: dict[UUID, str] = {}
        self._names = RunNames(super().set_flow_run_name)
        self.beside = Beside("Next to the flow runs")

    def request(self, *args: Any, **kwargs: Any) -> httpx.Response:
        """The flow run whose thread makes the call is active until it is answered."""
        with calling():
            return super().request(*args, **kwargs)

    def owns(self, flow_run_id: UUID, owner: str) -> None:
        """Have this written on the flow run, at the latest before it is Running."""
        self._owners[flow_run_id] = owner

    def write_owner(self, flow_run_id: UUID) -> None:
        """Write whose the flow run is, unless that was written with something else."""
        if flow_run_id in self._owners:
            self.update_flow_run(flow_run_id)

    def update_flow_run(self, flow_run_id: UUID, *args: Any, **changes: Any) -> httpx.Response:
        """With the flow run's owner, the first time; a name alone is written beside it."""
        if flow_run_id not in self._owners and [*changes] == ["name"] and not args:
            self._names.put(flow_run_id, changes["name"], is_last=True)
            return httpx.Response(httpx.codes.ACCEPTED)
        if (owner := self._owners.pop(flow_run_id, None)) is not None:
            changes["infrastructure_pid"] = owner
        return super().update_flow_run(flow_run_id, *args, **changes)

    def set_flow_run_name(self, flow_run_id: UUID, name: str) -> Any:
        """In another thread, unless a better one comes soon."""
        self._names.put(flow_run_id, name, is_last=False)

    def read_server_default_result_storage(self) -> ServerDefaultResultStorage:
        """As it was at most a minute ago."""
        return kept("default result storage", super().read_server_default_result_storage)

    def __enter__(self) -> SyncPrefectClient:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        """Nothing: the worker closes it."""

    def flush(self, within_seconds: float) -> None:
        """Make the calls that no flow run waited for; there are none any more."""
        self._names.end(within_seconds / 2)
        self.beside.end(within_seconds / 2)

    def close(self, within_seconds: float = FLUSH_SECONDS) -> None:
        """At the end of the worker."""
        self.flush(within_seconds)
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
    context.run(keep_readings, KeptReadings())
    return context
