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

    def numbers(self, earlier: Sequence[Attempt]) -> range:
        """The numbers of the attempts to make now.

        Args:
            earlier: What an earlier process of the same flow run left. A live or successful run is
                continued under its number. After failures the remaining numbers are used; when none
                remain, a person has asked for more, and a new round follows.
        """
        if not earlier:
            return range(1, self.retries + 2)
        last = earlier[-1]
        if last.live or last.succeeded:
            return range(last.number, max(last.number, self.retries + 1) + 1)
        first = last.number + 1
        if self.again(last) and first <= self.retries + 1:
            return range(first, self.retries + 2)
        return range(first, first + self.retries + 1)

    def again(self, attempt: Attempt) -> bool:
        """Whether another attempt may help."""
        if attempt.failure is None:
            return False
        return self.every_failure or attempt.failure.failure_class is not FailureClass.STOP

    def delay_before(self, nth_retry: int) -> float:
        """Seconds to wait before the n-th retry, counted from 1."""
        return self.delay_seconds * 2.0 ** (nth_retry - 1)
