"""An observer of a run for tests that need one thing of it, and starts that nobody observes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import JobRun, Ranking
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run.run_claim import RunClaim
from flinkglue.glue.run.start import Started, start_run
from flinkglue.glue.run_request import RunRequest

Callback = Callable[[JobRun], Any]


def ignored(run: JobRun) -> None:
    return


class Callbacks(RunObserver):
    """Calls a function for each event."""

    def __init__(
        self,
        *,
        known: Callback = ignored,
        adopted: Callback = ignored,
        observed: Callback = ignored,
    ) -> None:
        self._known = known
        self._adopted = adopted
        self._observed = observed

    def on_started(self, run: JobRun) -> None:
        self._known(run)

    def on_adopted(self, run: JobRun) -> None:
        self._adopted(run)
        self._known(run)

    def on_observed(self, run: JobRun) -> None:
        self._observed(run)


def started(context: RunContext, request: RunRequest, ranking: Ranking) -> Started:
    """A start alone, without the wait for its run; nothing was reserved for it."""
    claim = RunClaim(context, request, None)
    return start_run(context, request, ranking, claim, RunObserver())
