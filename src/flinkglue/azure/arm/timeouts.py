"""How long ARM's lists may lag, and how long its operations may take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.models import Operation
from flinkglue.clock import Clock, Pace, SystemClock
from flinkglue.errors import NotFound
from flinkglue.polling import Polling, polls_for, wait_until

T = TypeVar("T")


@dataclass(frozen=True)
class ArmTimeouts:
    """Times in seconds.

    Args:
        appears_within_seconds: How long the jobs list may lag. What was taken and does not show for
            so long is in doubt; what may have been sent is not sent again before.
        operation_within_seconds: The longest time of one of ARM's operations.
        action_within_seconds: The longest time of an action on a job, its savepoint included.
    """

    appears_within_seconds: float = 120
    operation_within_seconds: float = 600
    action_within_seconds: float = 900
    pace: Pace = field(default_factory=lambda: Pace(first_seconds=0.5, most_seconds=10))
    clock: Clock = field(default_factory=SystemClock)

    def polling(self, waited_for: str) -> Polling:
        """A wait of at most ``action_within_seconds``."""
        return Polling(waited_for, self.action_within_seconds, self.pace, self.clock)

    def polls_for(self, seconds: float) -> Iterator[float]:
        """The seconds since the first poll, once per poll; the last one is when the time is up.

        Nothing is raised then: the deadline of a whole action, which its clock raises, is another.
        """
        return polls_for(seconds, self.pace, self.clock)

    def wait_until(
        self,
        look: Callable[[], T],
        done: Callable[[T], bool],
        waited_for: str,
        deadline_seconds: float,
        describe: Callable[[T], str] = str,
    ) -> T:
        """See ``polling.wait_until``."""
        return wait_until(
            look,
            done,
            waited_for=waited_for,
            deadline_seconds=deadline_seconds,
            describe=describe,
            pace=self.pace,
            clock=self.clock,
        )

    def follow(
        self,
        arm: ArmClient,
        operation: Operation,
        waited_for: str,
        emit: Callable[[Operation], None] = lambda observed: None,
    ) -> Operation:
        """An operation when it has ended, or as it was first seen when ARM has forgotten it.

        Args:
            waited_for: What it does, for the error.

        Raises:
            DeadlineExceeded: It did not end within ``operation_within_seconds``.
        """
        url = operation.url
        if url is None:
            return operation

        def poll() -> Operation:
            observed = arm.operation(url)
            emit(observed)
            return observed

        try:
            return self.wait_until(
                poll,
                lambda observed: observed.succeeded or observed.failed,
                waited_for,
                self.operation_within_seconds,
                lambda observed: observed.status or "no status",
            )
        except NotFound:
            return operation
