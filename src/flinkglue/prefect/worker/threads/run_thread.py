"""The thread of one flow run: what goes in, and what comes out of it."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from enum import StrEnum

from prefect.exceptions import Abort, Pause
from prefect.logging.loggers import flow_run_logger

from flinkglue.prefect.worker.threads import working_directory
from flinkglue.prefect.worker.threads.engine import run_in_engine
from flinkglue.prefect.worker.threads.live_run import (
    LiveRun,
    RunCancelled,
    RunLeft,
    RunSuspended,
)


class Outcome(StrEnum):
    """How a thread ended."""

    SETTLED = "settled"
    """The server has the run's state: it ended, is suspended, or waits for a retry."""
    IN_DOUBT = "in doubt"
    """The server may not know."""
    LEFT = "left"
    """The run goes on elsewhere, or the worker ended it."""


class RunThread:
    """Runs a flow run in a daemon thread.

    Args:
        when_ended: Called in the thread when it has ended.
    """

    def __init__(
        self, live: LiveRun, context: contextvars.Context, when_ended: Callable[[], None]
    ) -> None:
        self.live = live
        self.outcome = Outcome.IN_DOUBT
        self.error: BaseException | None = None
        self._when_ended = when_ended
        self._thread = threading.Thread(
            target=context.copy().run,
            args=(self._run,),
            name=f"flow-run-{live.flow_run.id}",
            daemon=True,
        )

    def start(self) -> None:
        self._thread.start()

    @property
    def thread_id(self) -> int | None:
        return self._thread.ident

    def _run(self) -> None:
        try:
            working_directory.enter(self.live.root)
            self.outcome = self._outcome()
        finally:
            self.live.finish()
            self._when_ended()

    def _outcome(self) -> Outcome:
        live = self.live
        try:
            state = run_in_engine(live)
        except RunLeft:
            return Outcome.LEFT
        except (Abort, Pause, RunCancelled, RunSuspended):
            return Outcome.LEFT if live.is_left else Outcome.SETTLED
        except BaseException as error:  # noqa: BLE001 - one run's exit is not that of the worker
            self.error = error
            if live.is_left:
                return Outcome.LEFT
            flow_run_logger(live.flow_run).error(
                "The engine ended with an unexpected exception", exc_info=error
            )
            return Outcome.IN_DOUBT
        if live.is_left:
            return Outcome.LEFT
        return Outcome.SETTLED if state.is_final() or state.is_paused() else Outcome.IN_DOUBT
