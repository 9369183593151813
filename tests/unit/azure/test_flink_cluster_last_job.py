"""A cluster is deleted only when its job has ended, or has left its last savepoint."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from flinkglue.azure.clusters.last_job import LastJob, last_job
from flinkglue.azure.models import ArmFlinkJob
from flinkglue.errors import JobFailed
from flinkglue.lifecycle.backend import FlinkBackend
from flinkglue.lifecycle.models import JobView
from tests.unit.azure.jobs.arm_world import NAME, World, running_world

JOB_ID = f"{1:032x}"
RUNNING = ArmFlinkJob(NAME, "job-1", JOB_ID, "NEW", "RUNNING", "SUCCESS", "running")
STOPPED = replace(RUNNING, action="STOP", status="STOPPED")
GHOST = ArmFlinkJob(NAME, "job-2", action="NEW")


class Flink:
    """A cluster's JobManager that knows one job, or none."""

    def __init__(self, state: str | None) -> None:
        self._state = state

    def view(self, job_id: str) -> JobView | None:
        return JobView(job_id, NAME, self._state, 1, 1) if self._state else None


def judged(rows: list[ArmFlinkJob], flink: str | None = "RUNNING") -> LastJob | None:
    return last_job(rows, Flink(flink).view)


def test_a_cluster_without_jobs_has_none() -> None:
    assert judged([]) is None


@pytest.mark.parametrize("rows", [[RUNNING], [RUNNING, GHOST], [STOPPED, RUNNING, GHOST]])
def test_a_job_that_runs_is_found(rows: list[ArmFlinkJob]) -> None:
    """Beside ghosts and ended jobs, too."""
    assert judged(rows) == LastJob(NAME, is_running=True)


@pytest.mark.parametrize("status", ["STOPPED", "CANCELED", "FINISHED", "JOB_LAUNCH_FAILED"])
def test_a_job_that_has_ended_by_arms_word_has_ended(status: str) -> None:
    """Whatever Flink says: it may not remember, or be another cluster's."""
    row = replace(RUNNING, status=status)
    assert judged([row], None) == LastJob(NAME)
    assert judged([row], "FINISHED") == LastJob(NAME)


def test_flinks_word_on_this_very_job_counts() -> None:
    """ARM's list is behind."""
    assert judged([RUNNING], "FINISHED") == LastJob(NAME)


UNSURE: dict[str, tuple[list[ArmFlinkJob], str | None]] = {
    "no job id": ([replace(RUNNING, job_id=None)], "RUNNING"),
    "a ghost alone": ([GHOST], "RUNNING"),
    "a ghost beside an ended job": ([STOPPED, GHOST], "FINISHED"),
    "a launch under way": ([replace(GHOST, action_result="IN_PROGRESS")], None),
    "a START under way": (
        [replace(STOPPED, action="START", action_result="IN_PROGRESS")],
        "FINISHED",
    ),
    "a ghost beside a job that Flink has seen end": ([RUNNING, GHOST], "FINISHED"),
    "a launch beside a job": ([RUNNING, replace(GHOST, action_result="IN_PROGRESS")], "RUNNING"),
    "no job id beside a job": ([RUNNING, replace(RUNNING, job_id=None)], "RUNNING"),
    "an unknown state": ([replace(RUNNING, job_id=None, status="SOMETHING_NEW")], None),
    "no name": ([replace(RUNNING, job_name=None)], "RUNNING"),
    "an empty row": ([ArmFlinkJob()], None),
    "another cluster's Flink": ([RUNNING], None),
    "two live jobs": ([RUNNING, replace(RUNNING, run_id="job-3", job_id="b" * 32)], "RUNNING"),
}


@pytest.mark.parametrize("case", UNSURE)
def test_what_nobody_can_tell_is_refused_with_words_on_how_to_go_on(case: str) -> None:
    rows, flink = UNSURE[case]
    job = judged(rows, flink)
    assert job is not None
    with pytest.raises(JobFailed, match=r"Nothing was deleted.*take_last_savepoint off"):
        job.check_is_certain()


def test_the_flink_of_another_cluster_does_not_say_that_the_job_is_gone() -> None:
    """Its 404 is about jobs of its own: the backend's word, followed to its end."""
    world: World = running_world()
    flink: Any = Flink(None)
    backend = world.arm.backend(world.clock, flink=cast(FlinkBackend, flink))
    rows = [ArmFlinkJob.from_row({"properties": row}) for row in world.arm.rows]
    job = last_job(rows, backend.view)
    assert job is not None
    assert "the Flink REST URL may be that of another cluster" in job.doubt
