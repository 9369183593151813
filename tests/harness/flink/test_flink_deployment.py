"""The deployments of Flink jobs in processes of their own: a flow run's buttons, and questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.deployments.runner import RunnerDeployment

from flinkglue.blocks.flink import FlinkRestCluster
from tests.harness.execution import Execute, created, read, resume, suspend
from tests.harness.flink.served_flink import ServedJobManager, served_jobmanager
from tests.harness.flow_logs import logs_of
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.waiting import eventually

CLUSTER = "flink-rest-cluster/flink"
QUICK = {"stable_seconds": 0.1, "deadline_minutes": 2}


@pytest.fixture(scope="module")
def deployment_ids(prefect_files: list[Path]) -> dict[str, UUID]:
    places = {
        "flink-job-action": "flows/flink_job_action.py:flink_job_action",
        "flink-cluster-delete": "flows/delete_flink_cluster.py:delete_flink_cluster_flow",
    }
    return {
        name: UUID(str(RunnerDeployment.from_entrypoint(place, name=name).apply()))
        for name, place in places.items()
    }


@pytest.fixture
def flink(prefect_files: list[Path]) -> Iterator[ServedJobManager]:
    with served_jobmanager() as jobmanager:
        FlinkRestCluster(url=jobmanager.url).save("flink", overwrite=True)
        yield jobmanager


class Job:
    """One job, acted on by flow runs of the deployment."""

    def __init__(self, deployment_id: UUID, folder: Path) -> None:
        self._deployment_id = deployment_id
        self.name = f"orders {uuid4()}"
        path = folder / "good.jar"
        path.write_text(Behaviour.GOOD)
        self.program = {"jar": str(path)}

    def request(self, action: str, **groups: Any) -> UUID:
        given = {"wait_options": QUICK, **groups}
        return created(
            self._deployment_id, action=action, job_name=self.name, cluster=CLUSTER, **given
        )


@pytest.fixture
def job(deployment_ids: dict[str, UUID], flink: ServedJobManager, tmp_path: Path) -> Job:
    return Job(deployment_ids["flink-job-action"], tmp_path)


def state_name(flow_run_id: UUID) -> str | None:
    return read(flow_run_id).state_name


def launches(flink: ServedJobManager) -> int:
    return flink.sent("POST", "/run")


def test_a_suspended_action_is_executed_once_and_ends_when_it_is_resumed(
    job: Job, flink: ServedJobManager, execute: Execute
) -> None:
    """The action is one step; a flow run ends at its next one, or is done by then."""
    slow = QUICK | {"stable_seconds": 100}  # of the JobManager's time, 5 s of ours
    flow_run_id = job.request("NEW", program=job.program, wait_options=slow)
    execution = execute(flow_run_id)
    eventually(lambda: launches(flink))
    suspend(flow_run_id)
    execution.wait()
    if state_name(flow_run_id) == "Suspended":
        resume(flow_run_id)
        execute(flow_run_id).wait()
    assert state_name(flow_run_id) == "Completed"
    assert launches(flink) == 1


@pytest.mark.parametrize("drop_state", [True, False, None])
def test_a_new_of_a_job_with_state_asks_before_it_drops_that(
    job: Job, flink: ServedJobManager, execute: Execute, drop_state: bool | None
) -> None:
    """Nobody answers in the last case; nothing is changed then."""
    for action, groups in (("NEW", {"program": job.program}), ("STOP", {})):
        done = job.request(action, **groups)
        execute(done).wait()
        assert state_name(done) == "Completed"
    minutes = 0.1 if drop_state is None else 10
    flow_run_id = job.request(
        "NEW", program=job.program, advanced_options={"ask_within_minutes": minutes}
    )
    execution = execute(flow_run_id)
    if drop_state is not None:
        eventually(lambda: state_name(flow_run_id) == "Paused")
        resume(flow_run_id, drop_state=drop_state)
    execution.wait()
    assert state_name(flow_run_id) == ("Completed" if drop_state else "Failed"), logs_of(
        flow_run_id
    )
    assert launches(flink) == (2 if drop_state else 1)


def test_a_cluster_is_deleted_only_by_who_repeats_its_name(
    deployment_ids: dict[str, UUID], flink: ServedJobManager, execute: Execute
) -> None:
    """A wrong name is refused before anything is called: there is no block to call with."""
    flow_run_id = created(
        deployment_ids["flink-cluster-delete"], cluster_name="flink1", cluster="nowhere"
    )
    execution = execute(flow_run_id)
    eventually(lambda: state_name(flow_run_id) == "Paused")
    resume(flow_run_id, confirm_cluster_name="flink2")
    execution.wait()
    flow_run = read(flow_run_id)
    assert flow_run.state_name == "Failed"
    assert flow_run.state is not None
    assert "confirm_cluster_name: 'flink2' is not accepted" in (flow_run.state.message or "")
