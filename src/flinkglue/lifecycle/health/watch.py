"""What a watch over a job may do: nothing to a job that was ended on purpose, and not too often."""

from __future__ import annotations

from enum import StrEnum

from flinkglue.lifecycle.health.judgement import Degraded, Verdict
from flinkglue.lifecycle.journal.journal import Journal, JournalStore
from flinkglue.lifecycle.models import JobView


class Relaunch(StrEnum):
    """When a watch launches a job again."""

    NEVER = "never"
    WHEN_DOWN = "when_down"
    WHEN_UNHEALTHY = "when_unhealthy"


def is_desired_to_run(store: JournalStore, job_name: str) -> bool:
    """Whether the job is meant to run; so it is until an action ended it."""
    document = store.read("wanted", job_name)
    return document is None or bool(document["wanted"])


def remembered_end(journal: Journal, job_name: str) -> JobView | None:
    """A job that ended by itself or by a person's hand, after its service forgot it; else None.

    One that failed is to be brought back: that is not remembered here.
    """
    record = journal.observed_job_record(job_name)
    if record.ended_as not in ("FINISHED", "CANCELED"):
        return None
    return JobView(record.job_id, job_name, record.ended_as)


def should_relaunch(verdict: Verdict, view: JobView | None, when: Relaunch) -> bool:
    """Whether the job is to be launched again; never one that somebody cancelled."""
    if not isinstance(verdict, Degraded) or when is Relaunch.NEVER:
        return False
    if view is not None and view.state in ("CANCELED", "CANCELLING"):
        return False
    return verdict.is_down or when is Relaunch.WHEN_UNHEALTHY


class RelaunchLimit:
    """At most so many relaunches of a job within a window of time."""

    def __init__(self, store: JournalStore, most: int, within_seconds: float) -> None:
        self._store = store
        self._most = most
        self._within_seconds = within_seconds

    def count(self, job_name: str, requested_by: str, now: float) -> bool:
        """Count one more, before it is made. False: there were as many as are allowed.

        Args:
            requested_by: Who makes it; requested again by the same, it is counted once.
            now: Seconds since the epoch.
        """
        document = self._store.read("relaunches", job_name) or {"made": {}}
        recent = {by: at for by, at in document["made"].items() if now - at < self._within_seconds}
        if requested_by in recent:
            return True
        if len(recent) >= self._most:
            return False
        self._store.write("relaunches", job_name, {"made": {**recent, requested_by: now}})
        return True

    def take_back(self, job_name: str, requested_by: str) -> None:
        """Count one less: it was refused, and changed nothing."""
        made = (self._store.read("relaunches", job_name) or {"made": {}})["made"]
        made = {by: at for by, at in made.items() if by != requested_by}
        self._store.write("relaunches", job_name, {"made": made})
