"""Polls shared by threads: one GetJobRuns page serves all that wait for runs of a job.

A run that is waited for alone is polled with GetJobRun. As soon as several runs of a job are
waited for, whoever polls first reads the job's list, and what it shows serves the others:

- The first poll of a run is its own: the list may not show yet what was started just now.
- A reading serves each waiter once. So the list is read again only when a waiter has paused since
  the last reading, however many wait.
- A waiter's pause counts from the reading that served it, and ends at once when a later one shows
  that its run has changed.
- A reading that failed is shared as well: a service that throttles is not called again by all.
- Nobody waits for long while another reads: a few at a time read their run alone then, and the
  others go on with what is known.
- The more wait for runs of a job, the sooner its list is read again, up to as often as all of them
  together would call by themselves, and 40 pages a minute for all lists of an account. With more
  than five lists these are more: each rests for 8.5 s at the most (`flinkglue.glue.pacing`), as the
  next attempt after a failure waits for it, so ten lists of a page each are read 71 times a minute.

Whoever has to know that the list shows a run has one of its polls made by reading the newest runs.

Pure: the calls are those of a RunReader.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from flinkglue.clock import Clock, SystemClock, WakeableClock
from flinkglue.clock.interruption import acquire
from flinkglue.errors import CallFailed, ServiceUnavailable, Throttled
from flinkglue.glue.api.run_listing import PAGE, RunReader
from flinkglue.glue.models import JobRun, JobRunState

NEVER = float("-inf")
LEAST_SHARED_SECONDS = 1.0
SECONDS_PER_PAGE = 1.5
"""How long each page of 200 runs that are waited for together adds to the time between readings."""
NEWEST = 25
"""So many runs are read to find one that was started a moment ago."""
TRIES_TO_LIST = 3
READ_WITHIN_SECONDS = 3.0
"""How long a waiter waits for the thread that reads the list."""
READ_BESIDE_AT_ONCE = 8
"""So many waiters of a job read their run alone at the same time while the list is being read."""
NOT_YET = frozenset({JobRunState.STARTING, JobRunState.WAITING})


@dataclass(frozen=True)
class Reading:
    """What one reading of a job's list showed; `failure` is why it did not come to its end."""

    number: int
    read_at: float
    shown: frozenset[str] = frozenset()
    failure: CallFailed | None = None


class WatchedJob:
    """The waiters of one job, and the last reading of its list."""

    def __init__(self, job_name: str) -> None:
        self.job_name = job_name
        self.being_read = threading.Lock()
        self.read_beside = threading.BoundedSemaphore(READ_BESIDE_AT_ONCE)
        self.waiters: set[Waiter] = set()
        self.last = Reading(0, NEVER)
        self.may_be_listed = True

    @property
    def is_shared(self) -> bool:
        """Whether the list serves more than one, and is not refused."""
        return self.may_be_listed and len(self.waiters) > 1


class Waiter:
    """One wait for one run. It is the clock of its wait: its pauses end early on a change.

    `run` is the newest that is known of the run, `reading` the last one that this waiter got,
    `age_seconds` how old that was already, and `is_listed` whether GetJobRuns has shown the run.
    """

    def __init__(
        self,
        watch: RunWatch,
        job: WatchedJob,
        run: JobRun,
        clock: WakeableClock,
        until_listed: Callable[[JobRun], bool] | None = None,
    ) -> None:
        self.run = run
        self.job = job
        self.is_new = True
        self.reading = job.last
        self.began_on = run.started_on or clock.now()
        self._watch = watch
        self._clock = clock
        self._changed = threading.Event()
        self._sent_at = NEVER
        self.age_seconds = 0.0
        self.is_listed = False
        self.tries_to_list = TRIES_TO_LIST if until_listed else 0
        self._until_listed = until_listed

    def poll(self) -> JobRun:
        """The run as it is now, or as a reading showed it that this waiter did not get yet.

        Raises:
            CallFailed: The run could not be read, by this thread or the one that read for it.
        """
        try:
            self._watch.refresh(self)
        finally:
            self._changed.clear()
        return self.run

    @property
    def least_pause_seconds(self) -> float:
        """How soon the run may be polled again: a list that many wait for is long."""
        return self._watch.least_pause_seconds(self)

    def shared_pause_seconds(self, alone_seconds: float) -> float:
        """How long a pause of so long becomes as others poll for this run as well."""
        return self._watch.pause_seconds(self, alone_seconds)

    @property
    def is_to_be_listed(self) -> bool:
        """Whether to search the list now: not before it can be expected to show the run."""
        if self.tries_to_list <= 0 or self.is_listed or self.run.state in NOT_YET:
            return False
        return self._until_listed is not None and self._until_listed(self.run)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def now(self) -> datetime:
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        seconds = self.shared_pause_seconds(seconds)
        self._clock.sleep_unless(self._changed, max(0.0, seconds - self.age_seconds))

    def learn(self, run: JobRun, sent_at: float) -> None:
        """Keep what was observed, unless something later is known; an end is final."""
        if self.run.ended or (sent_at < self._sent_at and not run.ended):
            return
        if run.describe() != self.run.describe():
            self._changed.set()
        self.run, self._sent_at = run, sent_at


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
        self._reader = reader
        self._read_within_seconds = read_within_seconds
        self._clock = clock or SystemClock()
        self._jobs: dict[str, WatchedJob] = {}
        self._lock = threading.Lock()  # of what is kept here and in the waiters, never over a call

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

    def refresh(self, waiter: Waiter) -> None:
        """Have the waiter learn how its run is.

        Raises:
            CallFailed: It could not be read.
            Interrupted: The work is to end, while it waits for another that reads.
        """
        if waiter.is_new or not waiter.job.is_shared:
            is_due = not waiter.is_new and waiter.job.may_be_listed and waiter.is_to_be_listed
            waiter.is_new = False
            if not (is_due and self._is_among_the_newest(waiter)):
                self._read_alone(waiter)
            return
        reading = self._reading_for(waiter)
        if reading is None:
            self._read_beside(waiter)
            return
        waiter.age_seconds = self._clock.monotonic() - reading.read_at
        if waiter.run.job_run_id in reading.shown:
            return
        if reading.failure:
            # One exception object serves many threads: each starts its own traceback.
            raise reading.failure.with_traceback(None)
        self._read_alone(waiter)

    def _reading_for(self, waiter: Waiter) -> Reading | None:
        """The last reading if it is new to the waiter, else another one; one thread reads.

        None: it takes that thread too long, as when Glue does not answer.
        """
        job = waiter.job
        if not acquire(job.being_read, self._read_within_seconds):
            return None
        try:
            if waiter.reading.number == job.last.number:
                job.last = self._read(job)
            waiter.reading = job.last
            return job.last
        finally:
            job.being_read.release()

    def _read_beside(self, waiter: Waiter) -> None:
        """Read the run alone, unless others of its job do: a slow service is not called by all."""
        waiter.age_seconds = 0.0
        if waiter.job.read_beside.acquire(blocking=False):
            try:
                self._read_alone(waiter)
            finally:
                waiter.job.read_beside.release()

    def _read(self, job: WatchedJob) -> Reading:
        with self._lock:
            waiters = [*job.waiters]
        shown: set[str] = set()
        failure = None
        try:
            for job_run_id in self._found(job.job_name, waiters):
                shown.add(job_run_id)
        except (Throttled, ServiceUnavailable) as error:
            failure = error
        except CallFailed:  # who may not list runs may still read each of them
            job.may_be_listed = False
        return Reading(job.last.number + 1, self._clock.monotonic(), frozenset(shown), failure)

    def _found(self, job_name: str, waiters: Sequence[Waiter]) -> Iterator[str]:
        """The ids of those runs that the list shows, which their waiters learn of.

        Pages are read while more runs are missing than pages were read: what is left is cheaper
        read run by run, such as one old run behind thousands of newer ones.
        """
        missing: defaultdict[str, list[Waiter]] = defaultdict(list)
        for waiter in waiters:
            missing[waiter.run.job_run_id].append(waiter)
        began_on = min(waiter.began_on for waiter in waiters)
        sent_at = self._clock.monotonic()
        for pages, page in enumerate(self._reader.job_run_pages(job_name, began_on), 1):
            for run in page:
                if run.job_run_id in missing:
                    with self._lock:
                        for waiter in missing.pop(run.job_run_id):
                            waiter.learn(run, sent_at)
                            waiter.is_listed = True
                    yield run.job_run_id
            if len(missing) <= pages:
                return

    def _read_alone(self, waiter: Waiter) -> None:
        waiter.age_seconds = 0.0
        sent_at = self._clock.monotonic()
        run = self._reader.get_job_run(waiter.job.job_name, waiter.run.job_run_id)
        with self._lock:
            waiter.learn(run, sent_at)

    def _is_among_the_newest(self, waiter: Waiter) -> bool:
        """Whether the list shows the run; then its waiter has learned how it is."""
        waiter.tries_to_list -= 1
        waiter.age_seconds = 0.0
        sent_at = self._clock.monotonic()
        try:
            newest = self._reader.newest_runs(waiter.job.job_name, NEWEST)
        except (Throttled, ServiceUnavailable):
            raise
        except CallFailed:  # who may not list runs may still read each of them
            waiter.job.may_be_listed = False
            return False
        for run in newest:
            if run.job_run_id == waiter.run.job_run_id:
                with self._lock:
                    waiter.learn(run, sent_at)
                    waiter.is_listed = True
        return waiter.is_listed
