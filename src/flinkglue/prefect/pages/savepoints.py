"""What the page of a savepoint run shows: each job's new savepoint, and which ones went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prefect.artifacts import create_table_artifact

from flinkglue.lifecycle.actions.inventory import Disposals
from flinkglue.markdown import NOTHING, text
from flinkglue.texts import counted, printable


@dataclass(frozen=True)
class JobReport:
    """One job of a savepoint run.

    Args:
        disposals: What the retention did; None when there are no limits.
        failure: Why it could not be done.
    """

    job_name: str
    path: str = ""
    disposals: Disposals | None = None
    failure: str = ""

    def summary(self) -> dict[str, Any]:
        """As plain values."""
        disposed = self.disposals.disposed if self.disposals else ()
        return {"savepoint": self.path, "disposed": [gone.path for gone in disposed]}

    @property
    def is_well(self) -> bool:
        """Whether it was done, and its limits let something go if there was anything to let go."""
        disposals = self.disposals or Disposals()
        is_stuck = bool(disposals.failed or disposals.skipped) and not disposals.disposed
        return not (self.failure or is_stuck)

    @property
    def trouble(self) -> str:
        """What could not be done, in words; empty: everything was."""
        disposals = self.disposals or Disposals()
        kept = [f"{kept.path}: {reason}" for kept, reason in disposals.failed]
        why = disposals.skipped or "; ".join(kept)
        return self.failure or (f"not disposed of: {why}" if why else "")

    def row(self) -> dict[str, Any]:
        """As a row of a table; a page shows as much of its end as it has room for."""
        disposals = self.disposals or Disposals()
        row = {
            "job": self.job_name,
            "trouble": self.trouble or NOTHING,
            "new savepoint": self.path or NOTHING,
            "disposed of": "\n".join(gone.path for gone in disposals.disposed) or NOTHING,
        }
        return {title: printable(value) for title, value in row.items()}


def report_in_words(reports: Sequence[JobReport]) -> str:
    """``2 new savepoints, 1 disposed of; trouble: orders``."""
    new = sum(bool(report.path) for report in reports)
    disposed = sum(len((report.disposals or Disposals()).disposed) for report in reports)
    troubled = ", ".join(report.job_name for report in reports if report.trouble)
    told = f"{counted(new, 'new savepoint')}, {disposed} disposed of"
    return f"{told}; trouble: {troubled}" if troubled else told


def show_report(reports: Sequence[JobReport]) -> None:
    """One row per job."""
    create_table_artifact(
        [report.row() for report in reports],
        key="flink-savepoint-report",
        description=text(report_in_words(reports)),
    )
