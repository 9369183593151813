"""Prefect's own engine, for a flow run that is one of many threads of a process.

What differs: a cancellation arrives as an exception at a wait instead of as a signal, one observer
serves all runs where each had a thread and a connection, as the worker's loops serve their slots of
concurrency limits, and a thread whose run goes on elsewhere changes no state any more.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from prefect._flow_run_suspension import (
    FlowRunSuspensionRequest,
    register_flow_run_suspension_request,
)
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.flow_engine import FlowRunEngine, _flow_parameters

from flinkglue.clock.interruption import interrupted_by
from flinkglue.prefect.worker.threads.live_run import LiveRun, RunCancelled, RunLeft, RunSuspended
from flinkglue.prefect.worker.threads.shared_client import SharedClient


@dataclass
class ThreadFlowRunEngine(FlowRunEngine[Any, Any]):
    """The engine of one thread."""

    live: LiveRun | None = None

    @property
    def run(self) -> LiveRun:
        assert self.live is not None
        return self.live

    @property
    def heartbeat_seconds(self) -> int | None:
        """None: the worker sends the heartbeats of all its runs from one thread."""
        return None

    def beat(self) -> None:
        """One heartbeat, where there are any."""
        if super().heartbeat_seconds is not None:
            self._emit_flow_run_heartbeat()

    def set_state(self, state: State, force: bool = False) -> State:
        """As Prefect does, unless somebody else speaks for the flow run now."""
        self.run.wait_for_right_to_speak()
        self._write_owner()
        return super().set_state(state, force=force)

    def _write_owner(self) -> None:
        """Most of the time it was written with the engine's first update."""
        if isinstance(self.client, SharedClient):
            self.client.write_owner(self.run.flow_run.id)

    @property
    def state(self) -> State:
        """Without the lease of a slot: the engine would renew that, and end the run if it cannot.

        The worker renews it (`SlotLeases`).
        """
        state, details = super().state, super().state.state_details
        if details.deployment_concurrency_lease_id is None:
            return state
        details = details.model_copy(update={"deployment_concurrency_lease_id": None})
        return state.model_copy(update={"state_details": details})

    @contextmanager
    def setup_run_context(self, client: SyncPrefectClient | None = None) -> Generator[None]:
        """As Prefect's; the worker renews the run's slot meanwhile."""
        with super().setup_run_context(client):
            assert self.flow_run is not None
            assert self.flow_run.state is not None
            lease = self.flow_run.state.state_details.deployment_concurrency_lease_id
            self.run.slot_lease = lease
            try:
                yield
            finally:
                self.run.slot_lease = None

    def handle_crash(self, exc: BaseException) -> None:
        """A cancellation is none, and neither is a run that goes on elsewhere, or later."""
        if isinstance(exc, RunLeft) or self.run.is_left:
            self._raised = exc  # type: ignore[assignment]
        elif isinstance(exc, RunCancelled):
            if self.run.is_over:  # the worker runs its hooks when this thread has ended
                self.cancel_all_tasks()
                self._raised = exc  # type: ignore[assignment]
            elif self.run.claim_end("thread"):
                self.cancel_all_tasks()
                self.handle_cancellation(exc)
        elif isinstance(exc, RunSuspended):
            self.cancel_all_tasks()
            if self.flow_run is not None and self.run.suspended is not None:
                self.flow_run.state = self.run.suspended
            self._raised = exc  # type: ignore[assignment]
        else:
            super().handle_crash(exc)

    def _engine_owns_cancellation_handling(self) -> bool:
        return True

    @contextmanager
    def setup_flow_run_suspension_request(
        self,
    ) -> Generator[FlowRunSuspensionRequest, None, None]:
        """Without an observer of its own: the worker watches for all its runs."""
        assert self.flow_run is not None
        request = self._get_flow_run_suspension_request()
        with register_flow_run_suspension_request(self.flow_run.id, request):
            self.run.when_suspended(request.mark_requested)
            request.raise_if_requested()
            yield request


def run_in_engine(live: LiveRun) -> State:
    """Run the flow run to its end in this thread, as `run_flow_sync` does.

    Returns:
        Its state, as the server has it.
    """
    engine = ThreadFlowRunEngine(
        flow=live.flow,
        flow_run=live.flow_run,
        parameters=_flow_parameters(live.flow, live.flow_run, None),
        live=live,
    )
    # The engine writes on the flow run before its first state, and it may have waited for its turn.
    live.wait_for_right_to_speak()
    live.heartbeat = engine.beat
    if isinstance(client := get_client(sync_client=True), SharedClient):
        client.owns(live.flow_run.id, live.owner)
    with interrupted_by(live.interruption), engine.start():
        live.heartbeat()
        if engine.state.is_cancelled():  # instead of Running, such as without a slot of a limit
            live.refused_as = engine.state.message or ""
        while engine.is_running():
            with engine.run_context():
                engine.call_flow_fn()
    return engine.state
