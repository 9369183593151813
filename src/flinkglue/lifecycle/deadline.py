"""An overall deadline for everything that waits by one clock."""

from __future__ import annotations

from datetime import datetime

from flinkglue.clock import Clock, SystemClock
from flinkglue.errors import DeadlineExceeded


class DeadlineClock:
    """A clock by which nobody waits past the deadline.

    Args:
        waited_for: What the time is for, for the error.
        deadline_seconds: The longest time from now on.
    """

    def __init__(
        self, waited_for: str, deadline_seconds: float, clock: Clock | None = None
    ) -> None:
        self._waited_for = waited_for
        self._deadline_seconds = deadline_seconds
        self._clock = clock or SystemClock()
        self._give_up_at = self._clock.monotonic() + deadline_seconds

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def now(self) -> datetime:
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds.

        Raises:
            DeadlineExceeded: The deadline is earlier.
        """
        left = self._give_up_at - self._clock.monotonic()
        self._clock.sleep(max(0.0, min(seconds, left)))
        if seconds > left:
            last_observed = "in progress; the same intent resumes it"
            raise DeadlineExceeded(self._waited_for, self._deadline_seconds, last_observed)
