"""The calls that show how runs are: of a job's list for all that wait, or of one run alone."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence

from flinkglue.clock import Clock
from flinkglue.clock.interruption import acquire
from flinkglue.errors import CallFailed, ServiceUnavailable, Throttled
from flinkglue.glue.api.run_listing import RunReader
from flinkglue.glue.api.run_watch.waiter import Reading, Waiter, WatchedJob
from flinkglue.glue.pacing.budget import PollBudget
from flinkglue.glue.pacing.run_pace import LONGEST_REST_SECONDS

NEWEST = 25
"""So many runs are read to find one that was started a moment ago."""
READ_WITHIN_SECONDS = 3.0
"""How long a waiter waits for the thread that reads the list."""


class RunReading:
    """Reads runs, and has their waiters learn what it showed.

    Args:
        clock: Tells when a reading was made.
        lock: Of what is kept in the waiters and their jobs; never held over a call.
        hurry: How many pages may be read sooner than their lists rest.
        read_within_seconds: How long a waiter waits for another that reads for it.
    """

    def __init__(
        self,
        reader: RunReader,
        clock: Clock,
        lock: threading.Lock,
        hurry: PollBudget,
        *,
        read_within_seconds: float = READ_WITHIN_SECONDS,
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._lock = lock
        self._hurry = hurry
        self._read_within_seconds = read_within_seconds

    def shared(self, waiter: Waiter, rests_seconds: float) -> Reading | None:
        """The last reading if it is new to the waiter, else another one; one thread reads.

        Args:
            rests_seconds: How long the list rests between two readings if nobody is hurried.

        Returns:
            None where it takes that thread too long, as when Glue does not answer.
        """
        job = waiter.job
        if not acquire(job.being_read, self._read_within_seconds):
            return None
        try:
            if waiter.reading.number == job.last.number:
                rested_seconds = self._clock.monotonic() - job.last.read_at
                job.last = self._read(job)
                if waiter.is_hurried:
                    self._pay(job.last.pages, rested_seconds, rests_seconds)
            waiter.reading = job.last
            return job.last
        finally:
            job.being_read.release()

    def _pay(self, pages: int, rested_seconds: float, rests_seconds: float) -> None:
        """For the share of a rest that was left out."""
        rests_seconds = min(rests_seconds, LONGEST_REST_SECONDS)
        if rested_seconds < rests_seconds:
            self._hurry.spend(pages * (1 - rested_seconds / rests_seconds))

    def beside(self, waiter: Waiter) -> None:
        """Read the run alone, unless others of its job do: a slow service is not called by all."""
        waiter.age_seconds = 0.0
        if waiter.job.read_beside.acquire(blocking=False):
            try:
                self.alone(waiter)
            finally:
                waiter.job.read_beside.release()

    def _read(self, job: WatchedJob) -> Reading:
        with self._lock:
            waiters = [*job.waiters]
        shown: set[str] = set()
        failure, pages = None, 0
        try:
            for found in self._found(job.job_name, waiters):
                shown |= found
                pages += 1
        except (Throttled, ServiceUnavailable) as error:
            self._hurry.throttled()
            failure = error
        except CallFailed:  # who may not list runs may still read each of them
            job.may_be_listed = False
        number, read_at = job.last.number + 1, self._clock.monotonic()
        return Reading(number, read_at, frozenset(shown), pages, failure)

    def _found(self, job_name: str, waiters: Sequence[Waiter]) -> Iterator[set[str]]:
        """The ids of those runs that each page shows, which their waiters learn of.

        Pages are read while more runs are missing than pages were read: what is left is cheaper
        read run by run, such as one old run behind thousands of newer ones.
        """
        missing: defaultdict[str, list[Waiter]] = defaultdict(list)
        for waiter in waiters:
            missing[waiter.run.job_run_id].append(waiter)
        began_on = min(waiter.began_on for waiter in waiters)
        sent_at = self._clock.monotonic()
        for pages, page in enumerate(self._reader.job_run_pages(job_name, began_on), 1):
            shown = {run.job_run_id: run for run in page if run.job_run_id in missing}
            with self._lock:
                for job_run_id, run in shown.items():
                    for waiter in missing.pop(job_run_id):
                        waiter.learn(run, sent_at)
                        waiter.is_listed = True
            yield set(shown)
            if len(missing) <= pages:
                return

    def alone(self, waiter: Waiter) -> None:
        waiter.age_seconds = 0.0
        sent_at = self._clock.monotonic()
        run = self._reader.get_job_run(waiter.job.job_name, waiter.run.job_run_id)
        with self._lock:
            waiter.learn(run, sent_at)

    def is_among_the_newest(self, waiter: Waiter) -> bool:
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
