"""Whether the job of a cluster that is to be deleted still runs, or that is not certain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flinkglue.azure.clusters.creation import the_job
from flinkglue.azure.jobs.rows import is_in_progress, view_of
from flinkglue.azure.models import ArmFlinkJob
from flinkglue.errors import JobFailed
from flinkglue.lifecycle.models import JobView


@dataclass(frozen=True)
class LastJob:
    """The job of a cluster.

    Args:
        job_name: Its name in ARM's list; empty when no row names one.
        is_running: Whether it lives.
        doubt: Why nobody can say that no job runs; empty when it is certain.
    """

    job_name: str
    is_running: bool = False
    doubt: str = ""

    def check_is_certain(self) -> None:
        """Return when it is certain whether a job runs.

        Raises:
            JobFailed: It is not; says how to go on.
        """
        if self.doubt:
            raise JobFailed(
                f"{self.doubt}. Nothing was deleted, because it may keep running without its last "
                "savepoint. What to do: check the job in the portal and run this again when ARM "
                "lists it as RUNNING, STOPPED or CANCELED; or, if you need no savepoint, run this "
                "with take_last_savepoint off."
            )


def last_job(rows: Sequence[ArmFlinkJob], view: Callable[[str], JobView | None]) -> LastJob | None:
    """What is known of a cluster's job; None: ARM lists none.

    Only ARM's own word that it has ended, or Flink's of this very job, says that none runs.

    Args:
        rows: All of ARM's list.
        view: Reads a job by its Flink job id, from Flink too where that is reached.
    """
    chosen = the_job(list(rows)) or next(iter(rows), None)
    if chosen is None:
        return None
    live = [row for row in rows if is_in_progress(row) or not view_of(row).is_terminal]
    # A ghost beside a job that lives is that job's own, or has no state yet that could be lost.
    telling = [row for row in live if not row.is_ghost or is_in_progress(row)] or live
    if not telling:
        return LastJob(chosen.job_name or "")
    row = telling[0]
    if len(telling) > 1:
        named = "; ".join(map(_in_words, telling))
        return LastJob(row.job_name or "", doubt=f"ARM lists {len(telling)} live jobs: {named}")
    if not (row.job_id and row.job_name):
        return LastJob(row.job_name or "", doubt=f"ARM lists a job that may run: {_in_words(row)}")
    observed = view(row.job_id)
    if observed is None:
        doubt = (
            f"ARM lists {_in_words(row)}, and Flink does not know it: the Flink REST URL may be "
            "that of another cluster, or its JobManager was restarted"
        )
        return LastJob(row.job_name, doubt=doubt)
    if observed.is_terminal and (is_in_progress(row) or len(live) > 1):
        return LastJob(
            row.job_name, doubt=f"A launch may be in progress in addition to {_in_words(row)}"
        )
    return LastJob(row.job_name, is_running=not observed.is_terminal)


def _in_words(row: ArmFlinkJob) -> str:
    return (
        f"job {row.job_name or 'without a name'} (row {row.run_id}, Flink job id "
        f"{row.job_id or 'none'}) as {row.status or 'without a state'} after {row.action} "
        f"{row.action_result or 'without a result'}"
    )
