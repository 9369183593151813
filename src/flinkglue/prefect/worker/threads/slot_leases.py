"""Flow runs keep their slots of their deployments' concurrency limits while they are threads here.

The server gives a slot for five minutes at a time. Prefect's engine renews that in one more thread
for each run, and ends a run whose slot could not be renewed three times in a row. A run here mostly
waits for a job elsewhere, and needs no server for that: its worker renews the slot, again and again
while there is no answer. After an outage of more than five minutes the server may have given it
away. Then the run goes on, and there may be more runs than the limit allows until it ends.

A run that is scheduled again gives its slot up, and with the strategy CANCEL_NEW it is cancelled if
another one has that by then. So a run with a slot stays *Running* for the next worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.logging.loggers import flow_run_logger

from flinkglue.prefect.worker.several import each_of
from flinkglue.prefect.worker.threads.live_run import LiveRun

LOOK_SECONDS = 10.0
"""How often to look which slots are to be renewed."""
LASTS_SECONDS = 300.0
"""As Prefect's engine renews a slot."""
RENEW_SECONDS = LASTS_SECONDS / 2


async def has_slot(client: PrefectClient, flow_run: FlowRun) -> bool:
    """Whether a running flow run has a slot, which is its own now for as long as one lasts."""
    state = flow_run.state
    if state is None or not state.is_running():
        return False
    lease = state.state_details.deployment_concurrency_lease_id
    if lease is None:
        return False
    try:
        await client.renew_concurrency_lease(lease, LASTS_SECONDS)
    except httpx.HTTPStatusError as error:
        if error.response.is_server_error:
            raise
        return False
    return True


class SlotLeases:
    """The slots of a worker's flow runs.

    Args:
        monotonic: The time to go by, in seconds.
    """

    def __init__(
        self, client: PrefectClient, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._monotonic = monotonic
        self._renew_at: dict[UUID, float] = {}

    async def renew(self, runs: Iterable[LiveRun]) -> None:
        """Renew what is due, and forget the slots of runs that have ended."""
        held = {live.slot_lease: live for live in runs if live.slot_lease and not live.is_left}
        now = self._monotonic()
        self._renew_at = {lease: self._renew_at.get(lease, now) for lease in held}
        due = [lease for lease, at in self._renew_at.items() if at <= now]
        await each_of(
            due, self._renew, lambda lease, error: self._failed(lease, held[lease], error)
        )

    async def _renew(self, lease: UUID) -> None:
        renewed_at = self._monotonic()
        await self._client.renew_concurrency_lease(lease, LASTS_SECONDS)
        self._renew_at[lease] = renewed_at + RENEW_SECONDS

    def _failed(self, lease: UUID, live: LiveRun, error: Exception) -> None:
        """A server that is away is called again; one that knows of no such slot is not."""
        if not isinstance(error, httpx.HTTPStatusError) or error.response.is_server_error:
            return
        self._renew_at[lease] = float("inf")
        flow_run_logger(live.flow_run).warning(
            "The server no longer reserves this flow run's slot of its deployment's concurrency "
            "limit (HTTP %d). The flow run continues; with others, the limit may be exceeded until "
            "it ends",
            error.response.status_code,
        )
