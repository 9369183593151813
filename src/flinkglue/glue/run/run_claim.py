"""The claim of one run, as the process keeps it that starts the run or waits for it."""

from __future__ import annotations

import math

from flinkglue.errors import (
    CallFailed,
    Conflict,
    FlinkGlueError,
    InDoubt,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.coordination.claims import (
    RESERVED_FOR_SECONDS,
    SEARCHED_FOR_SECONDS,
    Start,
)
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.coordination.slots import OrderStale
from flinkglue.glue.models import JobRun, JobRunState, Ranking
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run.run_search import listed_keys
from flinkglue.glue.run_request import RunRequest
from flinkglue.lease import Lease

HOLDS_OR_GAVE_BACK = (JobRunState.RUNNING, JobRunState.STOPPING)
RENEW_EVERY_SECONDS = RESERVED_FOR_SECONDS / 3
RETRY_SECONDS = RENEW_EVERY_SECONDS / 10


def holds_or_gave_back(run: JobRun) -> bool:
    """Whether EC2's counts show all that the run takes: it has its addresses, or ended."""
    return run.ended or run.state in HOLDS_OR_GAVE_BACK


def may_be_started_again(error: FlinkGlueError) -> bool:
    """Whether a start that failed may be retried with the same order."""
    is_transient = isinstance(error, Throttled | ServiceUnavailable | Conflict)
    return is_transient and not isinstance(error, OrderStale)


def end_start(context: RunContext, start: Start) -> None:
    """Delete a start. A failure is left to the record, which expires."""
    try:
        context.coordination.claims.end(start.start_id)
    except CallFailed as error:
        context.log.warning(
            "The start record of %s was not deleted; it will expire: %s",
            start.run_key,
            error,
        )


class RunClaim(RunObserver):
    """Renews the reservation while the run starts; moves the claim on as the run goes on.

    What cannot be renewed or deleted expires, and fails no run.

    Args:
        ranking: The order, with what was reserved for the run; None: the run was started before,
            by a process that may have left its claim.
    """

    def __init__(self, context: RunContext, request: RunRequest, ranking: Ranking | None) -> None:
        self._context = context
        self._claims = context.coordination.claims
        self._clock = context.clock
        self._request = request
        self._has_order = ranking is not None
        self._reservation_id = ranking.reservation_id if ranking else None
        self._was_reserved = bool(self._reservation_id)
        reserved_at = ranking.reserved_at if ranking else None
        age = (self._clock.now() - reserved_at).total_seconds() if reserved_at else 0.0
        since = self._clock.monotonic() - max(0.0, age)
        self._lease = Lease.taken(RESERVED_FOR_SECONDS, since)
        # What another process left may be about to expire.
        self._renew_at = since + RENEW_EVERY_SECONDS if ranking else -math.inf
        self._is_released = False
        self._start: Start | None = None
        self._started_at = math.inf
        self._is_listed = False

    def on_adopted(self, run: JobRun) -> None:
        """What its process reserved for it may still be there, and be about to expire."""
        if not self._was_reserved:
            self._reservation_id, self._renew_at = None, -math.inf

    def on_started(self, run: JobRun) -> None:
        self._started_at = self._clock.monotonic()

    def on_observed(self, run: JobRun) -> None:
        """A run that is RUNNING holds its addresses, and EC2's counts show it.

        One in a state that is not known may still have to take them.
        """
        if holds_or_gave_back(run):
            self.release()
        else:
            self.keep()

    def on_listed(self) -> None:
        self._is_listed = True

    def on_not_started(self, error: FlinkGlueError) -> None:
        """A start that is retried needs its addresses, and a run in doubt may take them."""
        if not isinstance(error, InDoubt) and not may_be_started_again(error):
            self.release()

    def on_ended(self, attempt: Attempt) -> None:
        """A live run has released them, or may still have to take them."""
        if not attempt.live:
            self.release()

    def keep(self) -> None:
        """Renew the reservation now and then."""
        if not self._is_released and self._clock.monotonic() > self._renew_at:
            self.renew()

    def is_confirmed(self) -> bool:
        """Renew the reservation; False: another process may have had the run since it was made.

        True as well when nothing was reserved, as there is nothing to know it by.
        """
        return not self._was_reserved or self.renew()

    def renew(self) -> bool:
        """Let the reservation last as long again, counted from before the call.

        Returns:
            Whether it was there; False when that is not known.
        """
        sent_at = self._clock.monotonic()
        try:
            reservation_id = self._found_reservation_id()
            is_renewed = bool(reservation_id) and self._claims.renew(reservation_id)
        except CallFailed as error:
            self._renew_at = sent_at + RETRY_SECONDS
            self._context.log.warning("Could not renew the reserved addresses; retrying: %s", error)
            return False
        self._renew_at = sent_at + RENEW_EVERY_SECONDS
        if not self._was_reserved:  # the order is as old as this says
            self._lease = Lease.taken(RESERVED_FOR_SECONDS, sent_at)
        elif is_renewed:
            self._lease = self._lease.renewed(sent_at, self._clock.monotonic())
        else:
            self._lease = self._lease.lost()
        return is_renewed

    @property
    def may_have_lapsed(self) -> bool:
        """Whether others may count on the reserved addresses by now."""
        return not self._lease.is_known_held(self._clock.monotonic())

    def check(self) -> None:
        """Return only while the reserved addresses are the run's, or no order depends on them.

        Raises:
            OrderStale: Others may count on them by now.
        """
        if self._has_order and self.may_have_lapsed:
            raise OrderStale(
                "Prefect",
                "renew reservation",
                f"run {self._request.key} of job {self._request.job_name}",
                "the reservation of its addresses could not be renewed in time, or another process "
                "replaced it"
                if self._was_reserved
                else "its order is too old: others started runs of the job meanwhile",
                advice="nothing was started; the connections are chosen again",
            )

    def keep_if_started_again(self, error: FlinkGlueError) -> None:
        """Have the reservation last until the start is retried, if this failure passes.

        Raises:
            OrderStale: It may not last until then.
        """
        if may_be_started_again(error):
            self.renew()
            self.check()

    def release(self) -> None:
        """Delete the reservation, once."""
        if self._is_released:
            return
        self._is_released = True
        try:
            if reservation_id := self._found_reservation_id():
                self._claims.release(reservation_id)
        except CallFailed as error:
            self._context.log.warning(
                "Could not release reserved addresses; they will expire: %s", error
            )

    def start(self) -> Start:
        """Record that StartJobRun is about to be sent, or find that it may have been.

        Raises:
            CallFailed: It is not known whether it is recorded; nothing must be started.
        """
        start = self._claims.start(self._request.key)
        self._start = start if start.is_new else None
        return start

    def end(self, start: Start) -> None:
        """Delete a start: its run is listed, or was not started for certain."""
        end_start(self._context, start)
        self._start = None

    def end_when_listed(self) -> None:
        """Delete the starts whose runs the list shows; the others expire.

        The list is read until it has shown them, which is most often one page; not for a run that
        a poll of the list has shown, or that has lasted for longer than a start in doubt is
        searched for.
        """
        request = self._request
        has_lasted = self._clock.monotonic() - self._started_at > SEARCHED_FOR_SECONDS
        if self._start and (self._is_listed or has_lasted):
            self.end(self._start)
            return
        try:
            if self._start is not None:  # its run is not older than the request
                starts, since = [self._start], request.requested_at or request.since
            else:
                starts = self._claims.starts_of(request.flow_run_id)
                since = request.since
            run_keys = {start.run_key for start in starts}
            listed = listed_keys(self._context.client, request.job_name, run_keys, since)
        except CallFailed as error:
            self._context.log.info("Start records were not deleted; they will expire: %s", error)
            return
        for start in starts:
            if start.run_key in listed:
                self.end(start)

    def _found_reservation_id(self) -> str:
        """Empty when nothing is reserved for the run."""
        if self._reservation_id is None:
            own = (r for r in self._claims.reservations() if r.run_key == self._request.key)
            self._reservation_id = next((r.reservation_id for r in own), "")
        return self._reservation_id
