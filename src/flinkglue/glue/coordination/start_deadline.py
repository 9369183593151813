"""The deadline of a run that was not started yet: past it, nothing is started any more."""

from __future__ import annotations

from flinkglue.clock import Clock
from flinkglue.errors import DeadlineExceeded
from flinkglue.glue.run_request import RunRequest


class StartDeadline:
    """What is left of a request's deadline while its run was not started.

    A run that is started later would not be waited for, and nobody would observe how it ends.
    """

    def __init__(self, request: RunRequest, clock: Clock) -> None:
        self._request = request
        self._clock = clock
        self._began_at = clock.monotonic() - request.waited_seconds(clock.now())

    @property
    def left_seconds(self) -> float:
        """Zero or less when it has passed."""
        return self._began_at + self._request.deadline_seconds - self._clock.monotonic()

    def check(self, last_seen: str) -> None:
        """Call it before the job is written, and after each pause.

        Args:
            last_seen: What the run was waiting for.

        Raises:
            DeadlineExceeded: It has passed.
        """
        if self.left_seconds <= 0:
            raise DeadlineExceeded(
                f"The start of a run of job {self._request.job_name}",
                self._request.deadline_seconds,
                last_seen,
                "No run was started. Raise the deadline, or run the flow when there is more room.",
            )
