"""What is known of a wait for a run, and of all waits for runs of one job."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flinkglue.clock import WakeableClock
from flinkglue.errors import CallFailed
from flinkglue.glue.models import JobRun, JobRunState

NEVER = float("-inf")
TRIES_TO_LIST = 3
READ_BESIDE_AT_ONCE = 8
"""So many waiters of a job read their run alone at the same time while the list is being read."""
NOT_YET = frozenset({JobRunState.STARTING, JobRunState.WAITING})


class Watch(Protocol):
    """What all waits of an account share."""

    def refresh(self, waiter: Waiter) -> None:
        """Have the waiter learn how its run is."""

    def pause_seconds(self, waiter: Waiter, alone_seconds: float) -> float:
        """How long to pause before another poll."""

    def least_pause_seconds(self, waiter: Waiter) -> float:
        """How long a list rests between two readings at the least; 0 where none is read."""

    def hurried_pause_seconds(self, waiter: Waiter, alone_seconds: float) -> float:
        """How long to pause while an end is likely; inf: no less than usually."""


@dataclass(frozen=True)
class Reading:
    """What one reading of a job's list showed; `failure` is why it did not come to its end."""

    number: int
    read_at: float
    shown: frozenset[str] = frozenset()
    pages: int = 0
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
    `age_seconds` how old that was already, `is_hurried` whether the list is read for it sooner than
    it rests, and `is_listed` whether GetJobRuns has shown the run.
    """

    def __init__(
        self,
        watch: Watch,
        job: WatchedJob,
        run: JobRun,
        clock: WakeableClock,
        until_listed: Callable[[JobRun], bool] | None = None,
    ) -> None:
        self.run = run
        self.job = job
        self.is_new = True
        self.is_hurried = False
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

    def hurried_pause_seconds(self, alone_seconds: float) -> float:
        """How long a pause of so long becomes while an end is likely; inf: no shorter by that."""
        return self._watch.hurried_pause_seconds(self, alone_seconds)

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
