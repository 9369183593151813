"""The promise of addresses to one run, while the run is on its way to hold them."""

from __future__ import annotations

from datetime import datetime

from flinkglue.clock import Clock
from flinkglue.errors import (
    CallFailed,
    Conflict,
    FlinkGlueError,
    InDoubt,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.coordination.reservations import RESERVED_FOR_SECONDS, ReservationBook
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.coordination.slots import OrderStale
from flinkglue.glue.models import JobRun, JobRunState, Ranking
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run_request import Log, RunRequest

HOLDS_OR_GAVE_BACK = (JobRunState.RUNNING, JobRunState.STOPPING)
RENEW_EVERY_SECONDS = RESERVED_FOR_SECONDS / 3
TRY_AGAIN_SECONDS = RENEW_EVERY_SECONDS / 10
LAPSES_AFTER_SECONDS = RESERVED_FOR_SECONDS * 2 / 3
"""From then on it is not relied on: renewing it takes time, and others go by the server's clock."""


def holds_or_gave_back(run: JobRun) -> bool:
    """Whether EC2's counts show all that the run takes: it has its addresses, or ended."""
    return run.ended or run.state in HOLDS_OR_GAVE_BACK


def may_be_started_again(error: FlinkGlueError) -> bool:
    """Whether a start that failed may be tried again with the same order."""
    passes = isinstance(error, Throttled | ServiceUnavailable | Conflict)
    return passes and not isinstance(error, OrderStale)


class Promise(RunObserver):
    """Renewed while the run starts, released when it runs or will not run.

    Args:
        book: Where it is written.
        run_key: Who it was made to.
        clock: The time to go by.
        log: Told when it cannot be kept, which never fails a run: it ends by itself.
        promised_at: When it was made, by an earlier task; None: there may be none, as for a run
            without a subnet, or it belongs to a run that was started before.
    """

    def __init__(
        self,
        book: ReservationBook,
        run_key: str,
        clock: Clock,
        log: Log,
        promised_at: datetime | None = None,
    ) -> None:
        self._book = book
        self._run_key = run_key
        self._clock = clock
        self._log = log
        self._was_made = promised_at is not None
        age = (clock.now() - promised_at).total_seconds() if promised_at else 0.0
        self._renewed_at = clock.monotonic() - max(0.0, age)
        self._renew_at = self._renewed_at + RENEW_EVERY_SECONDS
        self._is_gone = False
        self._ended = False

    @classmethod
    def of(cls, context: RunContext, request: RunRequest, ranking: Ranking | None) -> Promise:
        """The one to the request's run; no ranking: the run was started before."""
        promised_at = ranking.promised_at if ranking else None
        book = context.coordination.reservations
        return cls(book, request.key, context.clock, context.log, promised_at)

    def on_observed(self, run: JobRun) -> None:
        """A run that is RUNNING holds its addresses, and EC2's counts show it.

        One in a state that is not known may still have to take them.
        """
        if holds_or_gave_back(run):
            self.end()
        else:
            self.keep()

    def on_not_started(self, error: FlinkGlueError) -> None:
        """A start that is tried again needs it, and a run in doubt may be about to take them."""
        if not isinstance(error, InDoubt) and not may_be_started_again(error):
            self.end()

    def on_ended(self, attempt: Attempt) -> None:
        """A live run has given it back, or may still have to take its addresses."""
        if not attempt.live:
            self.end()

    def keep(self) -> None:
        """Renew it now and then."""
        if not self._ended and self._clock.monotonic() > self._renew_at:
            self.renew()

    def renew(self) -> None:
        """Let it last as long again, counted from before the call."""
        sent_at = self._clock.monotonic()
        try:
            is_there = self._book.renew(self._run_key)
        except CallFailed as error:
            self._renew_at = sent_at + TRY_AGAIN_SECONDS
            self._log.warning("The promise of addresses is not renewed yet: %s", error)
            return
        # Others go by the server's dates: they may have counted on the addresses meanwhile.
        is_late = sent_at - self._renewed_at > RESERVED_FOR_SECONDS
        self._renewed_at, self._renew_at = sent_at, sent_at + RENEW_EVERY_SECONDS
        self._is_gone = self._was_made and (not is_there or is_late)

    @property
    def may_have_lapsed(self) -> bool:
        """Whether others may count on its addresses by now."""
        return self._is_gone or self._clock.monotonic() - self._renewed_at > LAPSES_AFTER_SECONDS

    def end(self) -> None:
        """Release it, once."""
        if self._ended:
            return
        self._ended = True
        try:
            self._book.release(self._run_key)
        except CallFailed as error:
            self._log.warning("The promise of addresses is left to end by itself: %s", error)
