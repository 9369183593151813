"""Whether a job is healthy, judged by several samples. Pure.

One sample is not enough: a job in a crash loop says RUNNING most of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from flinkglue.lifecycle.models import JobView


@dataclass(frozen=True)
class Sample:
    """One observation of a job.

    Args:
        at: Seconds since the epoch.
        view: What was seen; None: the service says that there is no such job.
        taskmanagers: Processes that run tasks in the cluster; None: not looked at.
    """

    at: float
    view: JobView | None
    taskmanagers: int | None = None


@dataclass(frozen=True)
class HealthLimits:
    """What a healthy job may do.

    Args:
        most_restarts: More restarts within ``counted_within_seconds`` are a crash loop.
        most_failed_checkpoints: More failed checkpoints within that time are unhealthy.
        counted_within_seconds: Over how long they are counted, as far as the samples reach back.
        checkpoint_within_seconds: A checkpointing job must have completed one within this time,
            and within three of its intervals if that is longer.
        tasks_within_seconds: A job whose tasks all ran so lately may be in a restart.
        action_within_seconds: An action on the job that began longer ago and has not ended is held
            to be dead.
        least_taskmanagers: Fewer processes in the cluster are unhealthy; None: not looked at.
    """

    most_restarts: int = 2
    most_failed_checkpoints: int = 2
    counted_within_seconds: float = 600
    checkpoint_within_seconds: float = 600
    tasks_within_seconds: float = 30
    action_within_seconds: float = 7200
    least_taskmanagers: int | None = None

    def reach_back_seconds(self, view: JobView | None) -> float:
        """The oldest samples that matter to a job."""
        intervals = 3 * view.checkpoint_every_seconds if view else 0.0
        limits = (self.counted_within_seconds, self.checkpoint_within_seconds, intervals)
        return 3 * max(limits)


@dataclass(frozen=True)
class Healthy:
    """All checks passed."""

    job_id: str


@dataclass(frozen=True)
class Finished:
    """The job finished by itself."""

    job_id: str


@dataclass(frozen=True)
class Degraded:
    """A check failed; the reason says which.

    Args:
        job_id: Its Flink job id; empty when there is no job.
        reason: Why, in words.
        exception: The last ``Caused by`` of its newest failure.
        is_down: Whether it has ended or is gone, so that only a new launch helps.
    """

    job_id: str
    reason: str
    exception: str | None = None
    is_down: bool = False


Verdict = Healthy | Finished | Degraded


def verdict(samples: Sequence[Sample], limits: HealthLimits | None = None) -> Verdict:
    """How the job is, by samples of one job id, oldest first; at least one.

    The first reason that applies wins, the gravest first.
    """
    limits = limits or HealthLimits()
    last = samples[-1].view
    if last is None:
        return Degraded("", "the service no longer knows the job", is_down=True)
    if last.state == "FINISHED":
        return Finished(last.job_id)
    if last.is_terminal:
        return Degraded(last.job_id, f"it ended as {last.state}", last.exception, is_down=True)
    reason = next(filter(None, (check(samples, last, limits) for check in _CHECKS)), None)
    return Degraded(last.job_id, reason, last.exception) if reason else Healthy(last.job_id)


def _crash_loop(samples: Sequence[Sample], last: JobView, limits: HealthLimits) -> str | None:
    counted = _within(samples, limits.counted_within_seconds)
    restarts = _growth(counted, "restarts")
    if restarts <= limits.most_restarts:
        return None
    return f"crash loop: {restarts} restarts within {_seconds(counted):.0f} s"


def _tasks(samples: Sequence[Sample], last: JobView, limits: HealthLimits) -> str | None:
    ran_at = [one.at for one in samples if one.view and one.view.is_running_for_real]
    if ran_at and samples[-1].at - ran_at[-1] <= limits.tasks_within_seconds:
        return None
    return f"not all tasks run: {last.in_words()}"


def _taskmanagers(samples: Sequence[Sample], last: JobView, limits: HealthLimits) -> str | None:
    there, least = samples[-1].taskmanagers, limits.least_taskmanagers
    if there is None or least is None or there >= least:
        return None
    return f"task managers lost: {there} of {least} are there"


def _failing_checkpoints(
    samples: Sequence[Sample], last: JobView, limits: HealthLimits
) -> str | None:
    counted = _within(samples, limits.counted_within_seconds)
    failed = _growth(counted, "failed_checkpoints")
    if failed <= limits.most_failed_checkpoints:
        return None
    return f"checkpoints fail: {failed} within {_seconds(counted):.0f} s"


def _stalled_checkpoints(
    samples: Sequence[Sample], last: JobView, limits: HealthLimits
) -> str | None:
    if not last.checkpointing:
        return None
    without = samples[-1].at - _last_growth_at(samples, "completed_checkpoints")
    if without <= max(limits.checkpoint_within_seconds, 3 * last.checkpoint_every_seconds):
        return None
    return f"checkpoints stall: none completed within {without:.0f} s"


_CHECKS = (_crash_loop, _tasks, _taskmanagers, _failing_checkpoints, _stalled_checkpoints)


def _growth(samples: Sequence[Sample], counter: str) -> int:
    """How far a counter rose; a counter that starts again at 0 counts from there."""
    values = [getattr(sample.view, counter) for sample in samples if sample.view]
    steps = pairwise(values)
    return sum(new - old if new >= old else new for old, new in steps)


def _within(samples: Sequence[Sample], seconds: float) -> Sequence[Sample]:
    """The samples of the last seconds, and one before them to count from."""
    recent = sum(samples[-1].at - sample.at < seconds for sample in samples)
    return samples[-recent - 1 :]


def _last_growth_at(samples: Sequence[Sample], counter: str) -> float:
    """When a counter was last seen to have risen; when it was first looked at if it never did."""
    risen = [
        new.at
        for old, new in pairwise(samples)
        if old.view and new.view and getattr(old.view, counter) != getattr(new.view, counter)
    ]
    return risen[-1] if risen else samples[0].at


def _seconds(samples: Sequence[Sample]) -> float:
    return samples[-1].at - samples[0].at
