"""A flow run that is a thread of this process, and who ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Literal
from uuid import UUID

from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow

from flinkglue.clock.interruption import Interrupted, Interruption
from flinkglue.prefect.worker.threads.time_limits import is_limited

Ender = Literal["thread", "worker"]


class RunCancelled(Interrupted):
    """The flow run was cancelled."""


class RunLeft(Interrupted):
    """The flow run goes on elsewhere, or was ended by the worker: this thread is to stop here."""

    happened = "continues in another process"


class RunSuspended(Interrupted):
    """Somebody suspended the flow run: its thread ends, and what it started goes on."""

    happened = "was suspended"
    may_wait = True


def _no_heartbeat() -> None:
    """The engine has not started yet."""


class LiveRun:
    """One flow run in its thread.

    Args:
        flow_run: The flow run as it was when it was taken.
        cancel_grace_seconds: How long it may take to notice that it was cancelled.
        owner: This worker, as written on the flow run.
        may_speak: Whether this worker is known to own its flow runs now.
        is_lost: Whether it is known to own those no more that it took as this one.
    """

    def __init__(
        self,
        flow_run: FlowRun,
        flow: Flow[..., Any],
        root: str,
        cancel_grace_seconds: float,
        owner: str,
        may_speak: Callable[[], bool],
        is_lost: Callable[[], bool],
    ) -> None:
        self.flow_run = flow_run
        self.flow = flow
        self.root = root
        self.cancel_grace_seconds = cancel_grace_seconds
        self.owner = owner
        self.interruption = Interruption()
        self.interruption.is_limited = is_limited
        self.may_speak = may_speak
        self._is_lost = is_lost
        self.is_cancelled = False
        self.is_over = False
        """Whether the server has set it to Cancelled already: its thread only ends."""
        self.suspended: State | None = None
        self._when_suspended: Callable[[State], None] | None = None
        self.heartbeat: Callable[[], None] = _no_heartbeat
        self.refused_as: str | None = None
        """The server's words if it has cancelled the flow run before its thread could begin."""
        self.slot_lease: UUID | None = None
        """While it runs: of its slot of its deployment's concurrency limit."""
        self._gate = threading.Lock()
        self._ender: Ender | None = None
        self._is_left = False
        self._finishing = threading.Lock()
        self._is_finished = False

    def cancel(self, *, is_over: bool = False) -> None:
        """Have it end at its next wait or call.

        Args:
            is_over: The server has set it to Cancelled already.
        """
        self.is_cancelled, self.is_over = True, is_over
        self.interruption.request(RunCancelled(f"flow run {self.flow_run.id} was cancelled"))

    @property
    def only_waits(self) -> bool:
        """Whether it waits for something elsewhere, for which another worker can wait as well.

        One that is cancelled or suspended ends by itself.
        """
        interruption = self.interruption
        waits = interruption.is_waiting and not interruption.is_in_step
        is_ending = self.is_cancelled or self.suspended is not None
        return waits and not interruption.is_calling and not is_ending

    def leave(self, why: str) -> None:
        """Have its thread stop as soon as it can; it changes nothing on the server any more."""
        with self._gate:
            self._is_left = True
        self.interruption.request(RunLeft(why), again=True)

    @property
    def ended_by(self) -> type[Interrupted]:
        """What ends its thread, if anything does."""
        if self.is_left:
            return RunLeft
        return RunCancelled if self.is_cancelled else RunSuspended

    @property
    def is_left(self) -> bool:
        """Whether its thread may not speak for the flow run any more."""
        with self._gate:
            return self._is_left

    def finish(self) -> None:
        """Its thread has nothing more to do."""
        with self._finishing:
            self._is_finished = True

    def unless_finished(self, act: Callable[[], bool]) -> bool:
        """What the call returns, during which its thread cannot end; False: it has."""
        with self._finishing:
            return not self._is_finished and act()

    def claim_end(self, ender: Ender) -> bool:
        """Whether this one, and nobody else, ends the cancelled run: hooks and final state."""
        with self._gate:
            if self._ender is None:
                self._ender = ender
            return self._ender == ender

    def suspend(self, state: State) -> None:
        """Have the engine stop at its next step: somebody has suspended the flow run."""
        with self._gate:
            self.suspended, notify = state, self._when_suspended
        if notify is not None:
            notify(state)

    def end_suspended(self) -> None:
        """Have it end at its next wait or call, as it was suspended."""
        self.interruption.request(RunSuspended(f"flow run {self.flow_run.id} was suspended"))

    def when_suspended(self, notify: Callable[[State], None]) -> None:
        """Notify the engine as soon as the flow run is suspended, or now if it was already."""
        with self._gate:
            self._when_suspended, state = notify, self.suspended
        if state is not None:
            notify(state)

    def wait_for_right_to_speak(self) -> None:
        """Return while the worker surely owns its flow runs.

        Raises:
            RunLeft: It does not any more.
        """
        while not self.is_left:
            if self.may_speak():
                return
            if self._is_lost():
                self.leave("another worker has taken over the flow runs of this one")
            else:
                time.sleep(0.1)
        raise RunLeft(f"flow run {self.flow_run.id} continues in another process")
