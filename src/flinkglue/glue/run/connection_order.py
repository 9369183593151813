"""Put a job's connections back in the order that they had before the runs of this project.

Glue reads the list when a run is submitted, and that of a queued run later. So it is put back when
a run is RUNNING or has ended, and no other run of this project is still on its way there. The
record of the original order stays until then: the last run that has to do with it puts it back.
"""

from __future__ import annotations

from itertools import count, islice

from flinkglue.clock import Pace
from flinkglue.errors import (
    CallFailed,
    DeadlineExceeded,
    FlinkGlueError,
    InDoubt,
    InvalidInput,
    ServiceUnavailable,
)
from flinkglue.glue.api.job_update import JobUpdate, connections_of
from flinkglue.glue.attempts import Attempt, attempt_number
from flinkglue.glue.coordination.lock import HeldLock, job_lock_name
from flinkglue.glue.coordination.original_order import OriginalOrder, in_words, original_order_key
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.failures.classification import Failure, classify_call
from flinkglue.glue.failures.rule import FailureClass
from flinkglue.glue.models import Job, JobRun
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run.run_claim import holds_or_gave_back
from flinkglue.glue.run.start_retries import Patience, patience_for
from flinkglue.glue.run_request import RunRequest

TRY_EVERY_SECONDS = 15.0
"""How often a live run tries again while other runs need their order, or Glue is busy."""

LAST_TRIES_SECONDS = 30.0
"""How long it is tried after the end of the run, when somebody else is changing the job."""

SHORT_TRY_SECONDS = 2.0
"""How long the job's lock is waited for where something else waits for the try to end. Whoever has
the lock is starting a run, finds the record, and puts the order back."""


class OrderRestoring(RunObserver):
    """What one run has to do with the original order of its job. Nothing here fails a run.

    A run puts the order back when it is requested, and also when another run's record is there once
    it has its addresses, or has ended: that one may have left it to the last.
    """

    def __init__(self, context: RunContext, request: RunRequest) -> None:
        self._client = context.client
        self._request = request
        self._coordination = context.coordination
        self._clock = context.clock
        self._log = context.log
        self._may_be_due = request.restore_order
        self._has_checked = False
        self._key: str | None = None
        self._is_needed = False
        self._next_try_at = float("-inf")
        self._reported_who_needs_it = False
        self._original: OriginalOrder | None = None

    def before_start(self, job: Job, update: JobUpdate, lock: HeldLock) -> None:
        """Write down what the order was.

        A record that is there needs no change while the job gets none: what the run has to do with
        it is read when its order is not needed any more.
        """
        key = self._key = original_order_key(self._client.region, job)
        if not (update.changes or self._request.restore_order):
            return
        try:
            self._remember(key, update, lock)
        except CallFailed as error:
            if self._request.restore_order and update.changes:
                self._log.warning(
                    "The connections of job %s will not be restored, because they cannot be "
                    "recorded: %s. They were: %s",
                    self._request.job_name,
                    error,
                    in_words(update.connections_before),
                )

    def on_started(self, run: JobRun) -> None:
        self._is_needed = not holds_or_gave_back(run)

    on_adopted = on_started

    def on_observed(self, run: JobRun) -> None:
        """Put the order back as soon as neither this run nor another one needs the one it has."""
        self._is_needed = not holds_or_gave_back(run)
        now = self._clock.monotonic()
        if self._is_needed or now < self._next_try_at or not self._is_due():
            return
        error = self._try(SHORT_TRY_SECONDS)
        passes = error is None or _patience(error) is not None
        self._next_try_at = now + TRY_EVERY_SECONDS if passes else float("inf")
        if error:
            self._log.info("The connections of %s are not restored yet: %s", run.job_name, error)

    def on_not_started(self, error: FlinkGlueError) -> None:
        """After a start in doubt there may be a run that needs the order."""
        if isinstance(error, InDoubt):
            return
        failure = classify_call(error) if isinstance(error, CallFailed) else None
        self.end(_restoring_seconds(failure))

    def on_ended(self, attempt: Attempt) -> None:
        self.end(_restoring_seconds(attempt.failure))

    def end(self, within_seconds: float = LAST_TRIES_SECONDS) -> None:
        """Put the order back now, or leave it to the other runs that need theirs.

        Args:
            within_seconds: How long to try, the wait for the job's lock included.
        """
        if self._is_needed or not self._is_due():
            return
        self._reported_who_needs_it = False
        began_at = self._clock.monotonic()
        for tries in count():
            left_seconds = within_seconds - (self._clock.monotonic() - began_at)
            error = self._try(max(0.0, left_seconds))
            if error is None:
                return
            patience = _patience(error)
            if patience is None or self._clock.monotonic() - began_at >= within_seconds:
                self._warn(error)
                return
            self._clock.sleep(next(islice(patience.pace.pauses(), tries, None)))

    def _remember(self, key: str, update: JobUpdate, lock: HeldLock) -> None:
        before = update.connections_before
        original = self._recorded(key, lock)
        if original and not original.explains(before):
            self._log.info(
                "Someone else changed the connections of job %s: they stay as they are",
                self._request.job_name,
            )
            self._record(key, None, lock)
            original = None
        if original is None and self._request.restore_order and update.changes:
            original = OriginalOrder(self._request.job_name, tuple(before))
        self._original = original
        self._may_be_due = original is not None
        if original and update.changes:
            self._record(key, original.writing(before, update.connections_after), lock)

    def _recorded(self, key: str, lock: HeldLock) -> OriginalOrder | None:
        """The record: only who has the job's lock writes it, so one reading serves its holders."""
        if key in lock.kept:
            lock.check()
        else:
            lock.kept[key] = self._coordination.original_orders.read(key)
        recorded: OriginalOrder | None = lock.kept[key]
        return recorded

    def _record(self, key: str, order: OriginalOrder | None, lock: HeldLock) -> None:
        """Write the record, or delete it; after a failure the next holder reads it."""
        lock.kept.pop(key, None)
        if order is None:
            self._coordination.original_orders.delete(key)
        else:
            self._coordination.original_orders.write(key, order)
        lock.kept[key] = order

    def _is_due(self) -> bool:
        """Whether there may be a record: a run learns late of one that others have left to it."""
        if not self._may_be_due and not self._has_checked:
            self._has_checked = True
            self._may_be_due = self._is_recorded()
        return self._may_be_due

    def _is_recorded(self) -> bool:
        job_name = self._request.job_name
        try:
            if self._key is None:
                job = self._client.get_job(job_name)
                self._key = original_order_key(self._client.region, job)
            return self._coordination.original_orders.read(self._key) is not None
        except CallFailed as error:
            self._log.info(
                "Could not check whether job %s has an order to restore: %s", job_name, error
            )
            return False

    def _try(self, within_seconds: float) -> CallFailed | DeadlineExceeded | InvalidInput | None:
        """Why it could not be done now; None when it is done, or others will do it."""
        try:
            if self._is_left_to_others():
                return None
            name = job_lock_name(self._client.region, self._request.job_name)
            with self._coordination.locks.hold(name, within_seconds) as lock:
                # Under the lock no other run can start, so who needs the order is known.
                if not self._is_left_to_others():
                    self._put_back(lock)
                    self._may_be_due, self._has_checked = False, True
        except (CallFailed, DeadlineExceeded, InvalidInput) as error:
            return error
        return None

    def _is_left_to_others(self) -> bool:
        """Whether another run of the job is placed or started and does not hold its addresses."""
        others = [
            reservation.run_key
            for reservation in self._coordination.claims.reservations()
            if reservation.job_name == self._request.job_name
            and attempt_number(reservation.run_key, self._request.flow_run_id) is None
        ]
        if others and not self._reported_who_needs_it:
            self._reported_who_needs_it = True
            self._log.info(
                "The connections of job %s stay as they are for now: needed by %s",
                self._request.job_name,
                ", ".join(others),
            )
        return bool(others)

    def _put_back(self, lock: HeldLock) -> None:
        job_name = self._request.job_name
        job = self._client.get_job(job_name)
        key = original_order_key(self._client.region, job)
        now = connections_of(job)
        original = self._original = self._recorded(key, lock)
        if original is None:
            return
        if not original.explains(now):
            self._log.info(
                "The connections of job %s stay as someone else has set them: %s",
                job_name,
                in_words(now),
            )
        elif tuple(now) != original.connection_names:
            added = [name for name in now if name not in original.connection_names]
            update = self._client.plan_update(job, original.connection_names, leave_out=added)
            update.check_nothing_is_lost(job_name, self._request.allow_lost_settings)
            lock.check()
            self._client.update_job(job_name, update)
            self._log.info(
                "Job %s: connections %s again", job_name, in_words(update.connections_after)
            )
        self._record(key, None, lock)

    def _warn(self, error: Exception) -> None:
        before = in_words(self._original.connection_names) if self._original else "unknown"
        self._log.warning(
            "The connections of job %s are not restored: %s. They were: %s. Restore them in "
            "Glue, or leave it to the job's next flow run",
            self._request.job_name,
            error,
            before,
        )


def _restoring_seconds(failure: Failure | None) -> float:
    """How long to try to put the order back: another run may follow, which writes its own."""
    is_followed = failure is not None and failure.failure_class is not FailureClass.STOP
    return SHORT_TRY_SECONDS if is_followed else LAST_TRIES_SECONDS


def _patience(error: CallFailed | DeadlineExceeded | InvalidInput) -> Patience | None:
    """How a failure to put the order back is tried again; None: it does not pass."""
    if isinstance(error, ServiceUnavailable):  # writing the same order twice does no harm
        return Patience(Pace(first_seconds=1, most_seconds=10, jitter=0.5), LAST_TRIES_SECONDS)
    return patience_for(error) if isinstance(error, CallFailed) else None
