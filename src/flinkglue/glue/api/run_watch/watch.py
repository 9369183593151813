"""Who waits for which runs of an account, and which call a poll makes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil, inf

from flinkglue.clock import Clock, SystemClock, WakeableClock
from flinkglue.errors import ServiceUnavailable, Throttled
from flinkglue.glue.api.run_listing import PAGE, RunReader
from flinkglue.glue.api.run_watch.reading import READ_WITHIN_SECONDS, RunReading
from flinkglue.glue.api.run_watch.waiter import Waiter, WatchedJob
from flinkglue.glue.models import JobRun
from flinkglue.glue.pacing.budget import PollBudget

LEAST_SHARED_SECONDS = 1.0
SECONDS_PER_PAGE = 1.5
"""How long each page of 200 runs that are waited for together adds to the time between readings."""

HURRIED_SECONDS = 0.5
"""The shortest pause of who waits for a list while an end is likely, before chance shortens it."""
HURRIED_PAGES_A_MINUTE = 15.0
HURRIED_PAGES_AT_ONCE = 90.0
"""Pages that are read sooner than a list rests; a burst of runs of a minute takes some 80."""


class RunWatch:
    """Who waits for which runs of an account; it has no thread of its own.

    Args:
        clock: Tells how old a reading is.
        read_within_seconds: How long a waiter waits for another that reads for it.
    """

    def __init__(
        self,
        reader: RunReader,
        clock: Clock | None = None,
        *,
        read_within_seconds: float = READ_WITHIN_SECONDS,
    ) -> None:
        self._clock = clock or SystemClock()
        self._jobs: dict[str, WatchedJob] = {}
        self._lock = threading.Lock()  # of what is kept here and in the waiters, never over a call
        self._hurry = PollBudget(self._clock, HURRIED_PAGES_A_MINUTE, HURRIED_PAGES_AT_ONCE)
        self._reading = RunReading(
            reader, self._clock, self._lock, self._hurry, read_within_seconds=read_within_seconds
        )

    @contextmanager
    def waiting(
        self,
        run: JobRun,
        clock: WakeableClock,
        *,
        until_listed: Callable[[JobRun], bool] | None = None,
    ) -> Iterator[Waiter]:
        """Count among those who wait for runs of this job.

        Args:
            clock: The time that its waiter goes by.
            until_listed: Whether of the run as it is now it is to be known if GetJobRuns shows it.
        """
        with self._lock:
            job = self._jobs.setdefault(run.job_name, WatchedJob(run.job_name))
            waiter = Waiter(self, job, run, clock, until_listed)
            job.waiters.add(waiter)
        try:
            yield waiter
        finally:
            with self._lock:
                job.waiters.discard(waiter)
                if not job.waiters:
                    del self._jobs[run.job_name]

    @property
    def runs(self) -> int:
        """How many runs are waited for."""
        with self._lock:
            return sum(len(job.waiters) for job in self._jobs.values())

    def pause_seconds(self, waiter: Waiter, alone_seconds: float) -> float:
        """How long to pause before another poll.

        Args:
            alone_seconds: How long who waits alone would.
        """
        least = self.least_pause_seconds(waiter)
        if not least or waiter.reading.failure:
            return alone_seconds
        return min(alone_seconds, max(alone_seconds / len(waiter.job.waiters), least))

    def least_pause_seconds(self, waiter: Waiter) -> float:
        """How long a list rests between two readings at the least; 0 where none is read."""
        with self._lock:
            if not waiter.job.is_shared:
                return 0.0
            pages = sum(
                ceil(len(job.waiters) / PAGE) for job in self._jobs.values() if job.is_shared
            )
        return max(LEAST_SHARED_SECONDS, SECONDS_PER_PAGE * pages)

    def hurried_pause_seconds(self, waiter: Waiter, alone_seconds: float) -> float:
        """How long to pause while an end is likely: a list of one page rests for less then.

        Args:
            alone_seconds: How long who waits alone would.

        Returns:
            inf where no list is read, its last reading failed or did not show the run, or the
            budget has less than a page left.
        """
        with self._lock:
            runs = len(waiter.job.waiters) if waiter.job.is_shared else 0
        is_shown = waiter.run.job_run_id in waiter.reading.shown and not waiter.reading.failure
        waiter.is_hurried = is_shown and 0 < runs <= PAGE and self._hurry.has(1)
        return max(HURRIED_SECONDS, alone_seconds / runs) if waiter.is_hurried else inf

    def refresh(self, waiter: Waiter) -> None:
        """Have the waiter learn how its run is.

        Raises:
            CallFailed: It could not be read.
            Interrupted: The work is to end, while it waits for another that reads.
        """
        try:
            self._refresh(waiter)
        except (Throttled, ServiceUnavailable):
            self._hurry.throttled()
            raise
        finally:
            waiter.is_hurried = False

    def _refresh(self, waiter: Waiter) -> None:
        if waiter.is_new or not waiter.job.is_shared:
            is_due = not waiter.is_new and waiter.job.may_be_listed and waiter.is_to_be_listed
            waiter.is_new = False
            if not (is_due and self._reading.is_among_the_newest(waiter)):
                self._reading.alone(waiter)
            return
        reading = self._reading.shared(waiter, self.least_pause_seconds(waiter))
        if reading is None:
            self._reading.beside(waiter)
            return
        waiter.age_seconds = self._clock.monotonic() - reading.read_at
        if waiter.run.job_run_id in reading.shown:
            return
        if reading.failure:
            # One exception object serves many threads: each starts its own traceback.
            raise reading.failure.with_traceback(None)
        self._reading.alone(waiter)
