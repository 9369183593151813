"""What a watch found about a job. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from flinkglue.errors import FlinkGlueError
from flinkglue.lifecycle.health.judgement import Degraded, Verdict
from flinkglue.lifecycle.models import JobView, SourceLag
from flinkglue.markdown import NOTHING
from flinkglue.texts import counted

FindingRow = TypedDict(
    "FindingRow",
    {"job": str, "condition": str, "why": str, "job id": str, "observed": str, "lag": str},
)
"""A finding as a row of a table, and in its event."""

NOT_JUDGED, NOT_OBSERVED = "not judged", "not observed"


@dataclass(frozen=True)
class Finding:
    """What a watch found about a job.

    Args:
        verdict: How it is; None when it was not judged.
        view: The job as it was seen last.
        not_judged: Why it was left alone.
        not_observed: Why it could not be looked at, or judged.
        is_abandoned: Whether an action on it has not ended, and its flow run has.
        relaunched_as: The Flink job id that it was brought back under.
        not_relaunched: Why it was not brought back although it was to be.
        lag: How far it is behind its sources; None: they were not read.
    """

    job_name: str
    verdict: Verdict | None = None
    view: JobView | None = None
    not_judged: str = ""
    not_observed: str = ""
    is_abandoned: bool = False
    relaunched_as: str = ""
    not_relaunched: str = ""
    lag: SourceLag | None = None

    @property
    def condition(self) -> str:
        """One word."""
        if self.relaunched_as:
            return "re-launched"
        if self.not_observed:
            return NOT_OBSERVED
        return type(self.verdict).__name__.lower() if self.verdict else NOT_JUDGED

    @property
    def is_unwell(self) -> bool:
        """Whether somebody has to look after the job."""
        is_degraded = isinstance(self.verdict, Degraded) and not self.relaunched_as
        return is_degraded or bool(self.not_observed)

    @property
    def reason(self) -> str:
        """Why it is in this condition, with the newest exception."""
        if not isinstance(self.verdict, Degraded):
            return self.not_judged or self.not_observed
        reasons = (self.verdict.reason, self.verdict.exception, self.not_relaunched)
        return "; ".join(part for part in reasons if part)

    def row(self) -> FindingRow:
        """As a row of a table."""
        return {
            "job": self.job_name,
            "condition": self.condition,
            "why": self.reason or NOTHING,
            "observed": self.view.in_words() if self.view else NOTHING,
            "lag": self.lag.in_words() if self.lag else NOTHING,
            "job id": self.relaunched_as or (self.view.job_id if self.view else NOTHING),
        }


class NoneObserved(FlinkGlueError):
    """Of no job was anything read: each finding says why.

    Args:
        findings: One for each job.
        faults: What kept them from being read.
    """

    def __init__(self, findings: Sequence[Finding], faults: Sequence[FlinkGlueError]) -> None:
        self.findings = list(findings)
        self.faults = list(faults)
        only = self.only_fault
        super().__init__(str(only) if only else unwell_in_words(findings))

    @property
    def only_fault(self) -> FlinkGlueError | None:
        """The fault, where it is the same for all jobs."""
        return self.faults[0] if len({str(fault) for fault in self.faults}) == 1 else None


def unwell_in_words(findings: Sequence[Finding]) -> str:
    """`findings_in_words`, and the reason of each that is unwell."""
    reasons = "; ".join(f"{each.job_name}: {each.reason}" for each in findings if each.is_unwell)
    return f"{findings_in_words(findings)}. {reasons}"


def findings_in_words(findings: Sequence[Finding]) -> str:
    """``2 of 3 jobs unhealthy: orders, billing``; those that could not be read are named apart."""
    jobs = counted(len(findings), "job")
    unhealthy = [each.job_name for each in findings if each.is_unwell and not each.not_observed]
    unread = [each.job_name for each in findings if each.not_observed]
    parts = [f"{len(unhealthy)} of {jobs} unhealthy: {', '.join(unhealthy)}"] if unhealthy else []
    parts += [f"{len(unread)} of {jobs} could not be read: {', '.join(unread)}"] if unread else []
    return "; ".join(parts) or f"{jobs}, none unhealthy"
