"""When a launched job may be called running. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from flinkglue.errors import InvalidInput, JobFailed
from flinkglue.lifecycle.models import JobView

# The metrics tell of a restart before the list of exceptions does: that is cached for 3 seconds,
# and for longer where it is busy.
_CAUSE_WITHIN_SECONDS = 15.0


class NotReady(JobFailed):
    """A launched job did not come to run for real; the message has the cause."""


class Lost(NotReady):
    """Its service no longer knows the job, which did not fail by itself."""


@dataclass(frozen=True)
class ReadyLimits:
    """What is required of a job before it counts as running.

    Args:
        within_seconds: The longest time until then, besides two of the job's checkpoint intervals.
        stable_seconds: It must run so long without a restart.
        most_restarts: So many restarts are a crash loop.
        await_checkpoint: Whether a job that takes checkpoints must have completed its first.
    """

    within_seconds: float = 300
    stable_seconds: float = 10
    most_restarts: int = 3
    await_checkpoint: bool = True

    def __post_init__(self) -> None:
        if self.most_restarts < 1:
            raise InvalidInput("most_restarts", self.most_restarts, "1 or more")
        if self.stable_seconds < 0 or self.within_seconds <= self.stable_seconds:
            allowed = "0 or more, and less than ready_within_seconds"
            raise InvalidInput("stable_seconds", self.stable_seconds, allowed)


class ReadyGate:
    """Judges one look after the other.

    Args:
        now: Seconds on any clock that only goes forward; the same clock is used for each look.
    """

    def __init__(self, limits: ReadyLimits, now: float) -> None:
        self._limits = limits
        self._began_at = now
        self._stable_since: float | None = None
        self._restarts = 0
        self._crashed_since: float | None = None

    def passes(self, view: JobView | None, now: float) -> bool:
        """Whether the job is ready: it runs for real, or it came to its own good end.

        Raises:
            NotReady: It will not be, or not in time.
        """
        if view is None:
            raise Lost("the service no longer knows the job: it may have been restarted")
        if view.state == "FINISHED":
            return True
        if view.is_terminal:
            raise NotReady(f"it ended as {view.in_words()}")
        if view.restarts >= self._limits.most_restarts:
            if self._waits_for_the_cause(view, now):
                return False
            raise NotReady(f"crash loop: {view.in_words()}")
        if self._is_stable(view, now):
            return True
        if now - self._began_at > self._limits.within_seconds + 2 * view.checkpoint_every_seconds:
            raise NotReady(f"not ready after {now - self._began_at:.0f} s: {self._missing(view)}")
        return False

    def _waits_for_the_cause(self, view: JobView, now: float) -> bool:
        if self._crashed_since is None:
            self._crashed_since = now
        return view.exception is None and now - self._crashed_since < _CAUSE_WITHIN_SECONDS

    def _is_stable(self, view: JobView, now: float) -> bool:
        if self._missing(view) or view.restarts != self._restarts:
            self._restarts, self._stable_since = view.restarts, None
            return False
        if self._stable_since is None:
            self._stable_since = now
        return now - self._stable_since >= self._limits.stable_seconds

    def _missing(self, view: JobView) -> str:
        if not view.is_running_for_real:
            return view.in_words()
        if self._limits.await_checkpoint and view.checkpointing and not view.completed_checkpoints:
            return f"no checkpoint has completed ({view.failed_checkpoints} failed)"
        return ""
