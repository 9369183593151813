"""The attempts of one flow run, and what follows from them. Pure.

A flow run numbers its attempts and marks each Glue run with `run_key(flow_run_id, number)`, so that
the record of what was done is in Glue itself and survives whatever happens to the flow's process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flinkglue.glue.failures import Failure, FailureClass
from flinkglue.glue.models import JobRun


def run_key(flow_run_id: str, number: int) -> str:
    """The key of one attempt's run."""
    return f"{flow_run_id}/{number}"


def attempt_number(key: str, flow_run_id: str) -> int | None:
    """The number in a run key of this flow run; None for any other text."""
    owner, slash, number = key.partition("/")
    return int(number) if owner == flow_run_id and slash and number.isdecimal() else None


@dataclass(frozen=True)
class Attempt:
    """One attempt: a run that ended, one that lives (`failure` is None), or a start that failed.

    `connection_name` is the connection that carried the run as far as one can tell.
    """

    number: int
    run: JobRun | None
    connection_name: str | None
    failure: Failure | None
    adopted: bool = False

    @property
    def succeeded(self) -> bool:
        return self.run is not None and self.run.succeeded

    @property
    def live(self) -> bool:
        return self.run is not None and not self.run.ended

    def describe(self) -> str:
        """How it went, in one line with the id to look it up by."""
        if self.run is None:
            return f"attempt {self.number} was refused: {self.failure and self.failure.evidence}"
        line = f"run {self.run.job_run_id} {self.run.describe()}"
        return f"{line} What to do: {self.failure.advice}." if self.failure else line

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        run = self.run
        return {
            "attempt": self.number,
            "job_run_id": run.job_run_id if run else None,
            "state": run.state if run else None,
            "connection_name": self.connection_name,
            "duration_seconds": run.duration_seconds if run else None,
            "execution_seconds": run.execution_seconds if run else None,
            "capacity_seconds": run.capacity_seconds if run else None,
            "failure_class": self.failure.failure_class.value if self.failure else None,
            "evidence": self.failure.evidence if self.failure else None,
            "adopted": self.adopted,
        }


def failed_connections(attempts: Sequence[Attempt]) -> list[str]:
    """The connections to try last, the earliest failure first.

    A failure of class WAIT says nothing against the connection. One of class STOP is repeated only
    when every failure is, and then on the next connection, as in the published design.
    """
    return [
        attempt.connection_name
        for attempt in attempts
        if attempt.failure
        and attempt.connection_name
        and attempt.failure.failure_class is not FailureClass.WAIT
    ]


@dataclass(frozen=True)
class RetryPolicy:
    """How often and when a failed run is followed by another.

    Args:
        retries: How many attempts may follow the first.
        delay_seconds: The pause before the second attempt; it doubles with each one after.
        every_failure: Repeat whatever the failure was, as the published design does. Otherwise a
            failure of class STOP ends the attempts.
    """

    retries: int
    delay_seconds: float
    every_failure: bool = False

    def schedule(self, earlier: Sequence[Attempt]) -> list[tuple[int, float]]:
        """The attempts to make now: their numbers, and the seconds to wait before each.

        Args:
            earlier: What an earlier process of the same flow run left. A live or successful run is
                continued under its number. After failures the remaining numbers are used; when none
                remain, a person has asked for more, and a new round follows.
        """
        numbers = self._numbers(earlier)
        return [(number, self._delay_before(nth)) for nth, number in enumerate(numbers)]

    def _numbers(self, earlier: Sequence[Attempt]) -> range:
        most = self.retries + 1
        if not earlier:
            return range(1, most + 1)
        last = earlier[-1]
        if last.live or last.succeeded:
            return range(last.number, max(last.number, most) + 1)
        first = last.number + 1
        if self.again(last) and first <= most:
            return range(first, most + 1)
        return range(first, first + most)

    def again(self, attempt: Attempt) -> bool:
        """Whether another attempt may help."""
        if attempt.failure is None:
            return False
        return self.every_failure or attempt.failure.failure_class is not FailureClass.STOP

    def _delay_before(self, nth_retry: int) -> float:
        return self.delay_seconds * 2.0 ** (nth_retry - 1) if nth_retry else 0.0


def is_recorded(attempts: Sequence[Attempt], number: int) -> bool:
    """Whether there is a run for this attempt already."""
    return any(attempt.number == number for attempt in attempts)


def with_attempt(attempts: Sequence[Attempt], attempt: Attempt) -> list[Attempt]:
    """The attempts with this one added, in place of one of the same number."""
    return [*(other for other in attempts if other.number != attempt.number), attempt]
