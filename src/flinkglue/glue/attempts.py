"""The attempts of one flow run, and what follows from them. Pure.

A flow run numbers its attempts and marks each Glue run with `run_key(flow_run_id, number)`, so that
the record of what was done is in Glue itself and survives whatever happens to the flow's process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from flinkglue.errors import JobFailed
from flinkglue.glue.failures.classification import Failure
from flinkglue.glue.failures.rule import FailureClass
from flinkglue.glue.log_places import LogTail
from flinkglue.glue.models import JobRun, JobRunState, Ranking
from flinkglue.texts import ENDS


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

    `connection_name` is the connection that carried the run as far as one can tell; `also_blamed`
    are others that its failure speaks against, as they lie in the same subnet or zone. `ranking` is
    the order it was started with; a process that adopts it does not know that. `log_tails` are the
    last lines of its logs, by kind, if all that it wrote was shown; `run` then has its job's
    arguments about logs.
    """

    number: int
    run: JobRun | None
    connection_name: str | None
    failure: Failure | None
    adopted: bool = False
    also_blamed: tuple[str, ...] = ()
    ranking: Ranking | None = field(default=None, compare=False, repr=False)
    log_tails: Mapping[str, LogTail] = field(default_factory=dict, compare=False, repr=False)

    @property
    def succeeded(self) -> bool:
        return self.run is not None and self.run.succeeded

    @property
    def live(self) -> bool:
        return self.run is not None and not self.run.ended

    def describe(self) -> str:
        """How it went, in one line with the id to look it up by."""
        if self.run:
            line = f"run {self.run.job_run_id} {self.run.describe()}"
        else:
            line = f"attempt {self.number} was refused: {self.failure and self.failure.evidence}"
        if self.failure and self.failure.advice not in line:  # a refused call may have its own
            line += f"{'' if line.endswith(ENDS) else '.'} What to do: {self.failure.advice}."
        return line

    def as_last(self) -> Attempt:
        """The same, with the advice that fits when no attempt follows."""
        return replace(self, failure=self.failure.as_last()) if self.failure else self

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
            "advice": self.failure.advice if self.failure else None,
            "adopted": self.adopted,
        }


class AttemptFailed(JobFailed):
    """The run of an attempt ended without success, or its start was refused for its subnet."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        on = f" on {attempt.connection_name}" if attempt.connection_name else ""
        state = attempt.run.state if attempt.run else "Refused"
        why = f": {attempt.failure.evidence}" if attempt.failure else ""
        super().__init__(f"{state}{on}{why}")


MOST_DELAY_SECONDS = 3600.0
"""No pause between attempts grows longer than this, unless the first one is longer already."""

DOUBLED_AT_MOST = 20  # by then any pause that a person would set has reached the longest


@dataclass(frozen=True)
class RetryPolicy:
    """How often and when a failed run is followed by another.

    Args:
        delay_seconds: The pause after an attempt that failed for a reason that needs time; it
            doubles with each attempt, up to an hour.
        every_failure: Repeat whatever the failure was, always after the pause, as the published
            design does. Otherwise a failure of class STOP ends the attempts, and the next
            connection is tried without a pause.
        settled: The last attempt that is over for good (`settled_number`).
    """

    retries: int
    delay_seconds: float
    every_failure: bool = False
    settled: int = 0

    def first_number(self, earlier: Sequence[Attempt]) -> int:
        """The attempt to begin with.

        The last one that an earlier process of the same flow run left is taken up again, whatever
        became of it: a crash is no reason to pay for another.
        """
        last = earlier[-1].number if earlier else 0
        return last if last > self.settled else self.settled + 1

    def again(self, attempt: Attempt) -> bool:
        """Whether another attempt follows this one."""
        return self.may_help(attempt) and attempt.number - self.settled <= self.retries

    def may_help(self, attempt: Attempt) -> bool:
        """Whether another attempt might end better, or is requested whatever the failure was.

        Never after a run that Glue replaced at its maintenance: the run that follows it may live.
        """
        is_replaced = attempt.run is not None and attempt.run.state == JobRunState.EXPIRED
        if attempt.failure is None or is_replaced:
            return False
        return self.every_failure or attempt.failure.failure_class is not FailureClass.STOP

    def moves_on(self, attempt: Attempt) -> bool:
        """Whether the next attempt is to be made on another connection.

        A failure of class WAIT says nothing against the connection, nor does one of class STOP:
        when a person retries after mending what was wrong, the connection is as good as before.
        Only where every failure is repeated, as in the published design, it moves on from these.
        """
        failure = attempt.failure
        if failure is None or failure.failure_class is FailureClass.WAIT:
            return False
        return self.every_failure or failure.failure_class is FailureClass.FAIL_OVER

    def moved_from(self, attempts: Sequence[Attempt]) -> Attempt | None:
        """The last attempt, if the next one is to leave its connection."""
        last = attempts[-1] if attempts else None
        return last if last and last.connection_name and self.moves_on(last) else None

    def kept_order(self, attempts: Sequence[Attempt]) -> Ranking | None:
        """The order of the last attempt, if its failure says nothing against its connection."""
        last = attempts[-1] if attempts else None
        return last.ranking if last and not self.moves_on(last) else None

    def failed_connections(self, attempts: Sequence[Attempt]) -> list[str]:
        """The connections to try last, the earliest failure first."""
        return [
            name
            for attempt in attempts
            if attempt.connection_name and self.moves_on(attempt)
            for name in (*attempt.also_blamed, attempt.connection_name)
        ]

    def delay_after(self, attempts: Sequence[Attempt]) -> float:
        """The pause before the next attempt, in seconds; the last of these failed.

        None is needed to move to another connection. There is a pause when the connection is not to
        blame or not known, and when it has failed before, for then all others have failed as well.
        """
        *before, last = attempts
        another = last.connection_name and last.connection_name not in self.failed_connections(
            before
        )
        if another and self.moves_on(last) and not self.every_failure:
            return 0.0
        longest = max(self.delay_seconds, MOST_DELAY_SECONDS)
        doubled = min(last.number - self.settled - 1, DOUBLED_AT_MOST)
        return min(self.delay_seconds * 2.0**doubled, longest)


def settled_number(attempts: Sequence[Attempt], flow_run_failed_at: datetime | None) -> int:
    """The number of the last attempt that is over for good: a person retried after it.

    A flow run that failed and runs again was retried by somebody, who gets new attempts. One that
    crashed and runs again goes on where it was.

    Args:
        flow_run_failed_at: When the flow run ended without success; None if it never did.
    """
    if flow_run_failed_at is None:
        return 0
    return max(
        (
            attempt.number
            for attempt in attempts
            if attempt.run
            and attempt.failure
            and attempt.run.started_on
            and attempt.run.started_on < flow_run_failed_at
        ),
        default=0,
    )


def is_recorded(attempts: Sequence[Attempt], number: int) -> bool:
    """Whether there is a run for this attempt already."""
    return any(attempt.number == number for attempt in attempts)


def with_attempt(attempts: Sequence[Attempt], attempt: Attempt) -> list[Attempt]:
    """The attempts with this one added, in place of one of the same number."""
    return [*(other for other in attempts if other.number != attempt.number), attempt]
