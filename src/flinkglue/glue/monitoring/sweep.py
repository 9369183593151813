"""Live Glue runs and the flow runs that started them: which are orphans. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypedDict
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from flinkglue.glue.models import JobRun


class RunCondition(StrEnum):
    """How a live Glue run stands to the flow run that started it."""

    WANTED = "wanted"
    BEING_CANCELLED = "being cancelled"
    LEFT_BEHIND = "left behind"
    UNKNOWN_FLOW_RUN = "unknown flow run"
    ORPHAN = "orphan"
    STOPPED = "stopped"

    @property
    def is_expected(self) -> bool:
        """Whether somebody takes care of the run, so that there is nothing to report."""
        return self in (RunCondition.WANTED, RunCondition.BEING_CANCELLED)


@dataclass(frozen=True)
class FlowRunState:
    """A flow run's state: Prefect's type of it, its name, and since when.

    `waits`: it stays until its Glue runs have ended, so that one that outlives it is left behind;
    for runs that do not say it themselves (`JobRun.is_left_to_itself`).
    """

    type: str
    name: str
    since: datetime
    waits: bool = True


@dataclass(frozen=True)
class SweepRules:
    """When a live Glue run is an orphan.

    Args:
        cancelling_for: A flow run that is Cancelling for longer has nobody who stops its run.
        also: State types, beside CANCELLED, of flow runs whose Glue runs are orphans.
            A run that its COMPLETED flow run was not to wait for is wanted all the same.
    """

    cancelling_for: timedelta
    also: Collection[str] = field(default=())


class SweptRunRecord(TypedDict):
    """A swept run as plain JSON values: in the flow run's result and in its event."""

    job_name: str
    job_run_id: str
    state: str
    condition: str
    flow_run_id: str
    flow_run_state: str | None
    note: str


@dataclass(frozen=True)
class SweptRun:
    """A live Glue run of this project, and what a sweep made of it.

    `flow_run` is None when the server does not know it; `note` says why it is in this condition.
    """

    run: JobRun
    flow_run_id: str
    flow_run: FlowRunState | None
    condition: RunCondition
    note: str = ""

    @property
    def is_orphan(self) -> bool:
        """Whether it lives and nobody will stop it."""
        return self.condition is RunCondition.ORPHAN

    def describe(self) -> str:
        """In one line, with the id to search for."""
        return f"run {self.run.job_run_id} of job {self.run.job_name}: {self.condition.value}" + (
            f", {self.note}" if self.note else ""
        )

    def to_dict(self) -> SweptRunRecord:
        """As plain JSON values."""
        return {
            "job_name": self.run.job_name,
            "job_run_id": self.run.job_run_id,
            "state": self.run.state,
            "condition": self.condition.value,
            "flow_run_id": self.flow_run_id,
            "flow_run_state": self.flow_run.name if self.flow_run else None,
            "note": self.note,
        }


def flow_run_id_of(run: JobRun) -> str | None:
    """The flow run that started it, by its run key; None when no flow run of this project did."""
    owner, slash, number = (run.key or "").partition("/")
    if not slash or not number.isdecimal():
        return None
    try:
        return str(UUID(owner))
    except ValueError:
        return None


def judged(
    run: JobRun, flow_run_id: str, flow_run: FlowRunState | None, rules: SweepRules, now: datetime
) -> SweptRun:
    """What is to become of a live run.

    A run is an orphan only when its flow run is known, and over for good: other Prefect servers may
    use the same account, and a flow run that crashed or failed can be retried by a person.
    """
    condition, note = _judgement(run, flow_run, rules, now)
    return SweptRun(run, flow_run_id, flow_run, condition, note)


def may_wait(wait_for_end: Any) -> bool:
    """Whether a flow run with this value of the parameter waits for the end of its Glue runs.

    The flow may have been given a text, or a template that only it resolved. Whatever is not
    clearly true may have been false, and then its runs must not be stopped.

    Args:
        wait_for_end: As the Prefect server keeps it; None: it was left out.
    """
    if wait_for_end is None:
        return True
    try:
        return TypeAdapter(bool).validate_python(wait_for_end)
    except ValidationError:
        return False


def _judgement(
    run: JobRun, flow_run: FlowRunState | None, rules: SweepRules, now: datetime
) -> tuple[RunCondition, str]:
    if flow_run is None:
        return RunCondition.UNKNOWN_FLOW_RUN, (
            "this Prefect server does not know its flow run: it was deleted, or belongs to another "
            "server that uses this account"
        )
    if flow_run.type == "CANCELLING":
        return _cancelling(now - flow_run.since, rules)
    waited_for = flow_run.waits and not run.is_left_to_itself
    if flow_run.type == "COMPLETED" and not waited_for:  # whatever is to be stopped also
        return RunCondition.WANTED, "its flow run does not wait for its end"
    if flow_run.type == "CANCELLED" or flow_run.type in rules.also:
        return RunCondition.ORPHAN, f"its flow run is {flow_run.name}"
    if flow_run.type in ("CRASHED", "FAILED", "COMPLETED"):
        return RunCondition.LEFT_BEHIND, (
            f"its flow run is {flow_run.name}; retrying the flow run adopts it, else stop it"
        )
    return RunCondition.WANTED, f"its flow run is {flow_run.name}"


def _cancelling(lasts: timedelta, rules: SweepRules) -> tuple[RunCondition, str]:
    since = f"its flow run is Cancelling for {lasts.total_seconds() / 60:.0f} min"
    if lasts > rules.cancelling_for:
        return RunCondition.ORPHAN, since
    return RunCondition.BEING_CANCELLED, since
