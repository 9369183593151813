"""The deployment flink-job-action on a worker: what a flow run's buttons do to the Flink job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from tests.harness.execution import cancel, read, resume, retry, suspend
from tests.harness.flink.deployed_job import QUICK, DeployedJob, ended, flink_job_action
from tests.harness.flink.served_flink import ServedJobManager
from tests.harness.worker.thread_worker import Worker, logged, state_name, worker_of
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.waiting import eventually

POOL = "flink"
WAITING = {"stable_seconds": 250, "deadline_minutes": 10}
"""So long that the flow run is under way when its button is pressed."""


@pytest.fixture(scope="module")
def worker(prefect_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with worker_of(POOL, tmp_path_factory.mktemp("worker")) as running:
        yield running


@pytest.fixture(scope="module")
def deployment_id(worker: Worker) -> UUID:
    return flink_job_action(POOL)


@pytest.fixture
def job(deployment_id: UUID, flink: ServedJobManager, tmp_path: Path) -> DeployedJob:
    return DeployedJob(deployment_id, flink, tmp_path)


def test_cancel_leaves_stops_or_cancels_the_job_as_the_form_says(
    deployment_id: UUID, flink: ServedJobManager, tmp_path: Path
) -> None:
    """Also of a flow run that was suspended before, which the server sets to Cancelled at once."""
    ends = {"leave": "RUNNING", "stop_with_savepoint": "FINISHED", "cancel": "CANCELED"}
    jobs = {on_cancel: DeployedJob(deployment_id, flink, tmp_path) for on_cancel in ends}
    flow_runs = [
        job.request("NEW", wait_options={**WAITING, "on_cancel": on_cancel})
        for on_cancel, job in jobs.items()
    ]
    eventually(lambda: flink.sent("POST", "/run") == len(jobs))
    suspend(flow_runs[-1])
    for flow_run_id in flow_runs:
        cancel(flow_run_id)
    assert ended(*flow_runs) == ["Cancelled"] * len(jobs)
    eventually(
        lambda: (
            {on_cancel: job.states for on_cancel, job in jobs.items()}
            == {on_cancel: [state] for on_cancel, state in ends.items()}
        )
    )
    for flow_run_id in flow_runs:
        log = eventually(lambda i=flow_run_id: "Finished in state" in logged(i) and logged(i))
        assert "Crash detected" not in log
    assert sum("/savepoints/" in path for path in flink.stored) == 1


def test_retry_shows_what_succeeded_and_tries_again_what_failed(
    job: DeployedJob, flink: ServedJobManager
) -> None:
    """Another flow run is another action."""
    new = job.request("NEW")
    assert ended(new) == ["Completed"]
    retry(new)
    eventually(lambda: read(new).run_count == 2 and state_name(new) == "Completed")
    assert job.states == ["RUNNING"]
    assert flink.sent("POST", "/run") == 1

    again = job.request("NEW")
    assert ended(again) == ["Failed"]
    state = read(again).state
    assert state is not None
    assert "has this name and is RUNNING" in str(state.message)
    assert flink.sent("POST", "/run") == 1

    job.change_program(Behaviour.CRASH_LOOP)
    update = job.request("UPDATE")
    assert ended(update) == ["Failed"]
    assert job.jobs[-1].behaviour is Behaviour.GOOD, "it was rolled back"
    before = len(job.jobs)
    job.change_program(Behaviour.OTHER_GOOD)
    retry(update)
    eventually(lambda: read(update).run_count == 2 and state_name(update) == "Completed")
    assert job.jobs[-1].behaviour is Behaviour.OTHER_GOOD
    assert job.jobs[-1].restored
    assert len(job.jobs) == before + 1


def test_a_suspended_action_is_executed_once_and_ends_when_it_is_resumed(
    job: DeployedJob, flink: ServedJobManager
) -> None:
    """The action is one step; a flow run ends at its next one, or is done by then."""
    flink.answers_launches.clear()
    flow_run_id = job.request("NEW", wait_options=QUICK)
    eventually(lambda: flink.sent("POST", "/run"))
    suspend(flow_run_id)
    flink.answers_launches.set()
    eventually(lambda: job.states == ["RUNNING"])
    eventually(lambda: state_name(flow_run_id) in ("Suspended", "Completed"))
    if state_name(flow_run_id) == "Suspended":
        resume(flow_run_id)
    assert ended(flow_run_id) == ["Completed"]
    assert job.states == ["RUNNING"]
    assert flink.sent("POST", "/run") == 1
