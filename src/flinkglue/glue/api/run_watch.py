"""Polls shared by threads: one GetJobRuns page serves all that wait for runs of a job.

A run that is waited for alone is polled with GetJobRun. As soon as several runs of a job are
waited for, whoever polls first reads the job's list, and what it shows serves the others:

- The first poll of a run is its own: the list may not show yet what was started just now.
- A reading serves each waiter once. So the list is read again only when a waiter has paused since
  the last reading, however many wait.
- A waiter's pause counts from the reading that served it, and ends at once when a later one shows
  that its run has changed. So no thread observes an end later than by polling alone.
- A reading that failed is shared as well: a service that throttles is not called again by all.

Pure: the calls are those of a RunReader.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from flinkglue.clock import Clock, SystemClock, WakeableClock
from flinkglue.errors import CallFailed, ServiceUnavailable, Throttled
from flinkglue.glue.api.run_listing import RunReader
from flinkglue.glue.models import JobRun

NEVER = float("-inf")


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
    and `age_seconds` how old that was already.
    """

    def __init__(self, watch: RunWatch, job: WatchedJob, run: JobRun, clock: WakeableClock) -> None:
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

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def now(self) -> datetime:
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
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
    """

    def __init__(self, reader: RunReader, clock: Clock | None = None) -> None:
        self._reader = reader
        self._clock = clock or SystemClock()
        self._jobs: dict[str, WatchedJob] = {}
        self._lock = threading.Lock()  # of what is kept here and in the waiters, never over a call

    @contextmanager
    def waiting(self, run: JobRun, clock: WakeableClock) -> Iterator[Waiter]:
        """Count among those who wait for runs of this job.

        Args:
            clock: The time that its waiter goes by.
        """
        with self._lock:
            job = self._jobs.setdefault(run.job_name, WatchedJob(run.job_name))
            waiter = Waiter(self, job, run, clock)
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

    def refresh(self, waiter: Waiter) -> None:
        """Have the waiter learn how its run is.

        Raises:
            CallFailed: It could not be read.
        """
        if waiter.is_new or not waiter.job.is_shared:
            waiter.is_new = False
            self._read_alone(waiter)
            return
        reading = self._reading_for(waiter)
        waiter.age_seconds = self._clock.monotonic() - reading.read_at
        if waiter.run.job_run_id in reading.shown:
            return
        if reading.failure:
            # One exception object serves many threads: each starts its own traceback.
            raise reading.failure.with_traceback(None)
        self._read_alone(waiter)

    def _reading_for(self, waiter: Waiter) -> Reading:
        """The last reading if it is new to the waiter, else another one; one thread reads."""
        job = waiter.job
        with job.being_read:
            if waiter.reading.number == job.last.number:
                job.last = self._read(job)
            waiter.reading = job.last
            return job.last

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
                    yield run.job_run_id
            if len(missing) <= pages:
                return

    def _read_alone(self, waiter: Waiter) -> None:
        waiter.age_seconds = 0.0
        sent_at = self._clock.monotonic()
        run = self._reader.get_job_run(waiter.job.job_name, waiter.run.job_run_id)
        with self._lock:
            waiter.learn(run, sent_at)
