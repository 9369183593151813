"""Flow runs that put a job's connections back, in a Prefect server and against the local AWS."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prefect import State
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.flow_engine import run_flow
from prefect.states import Crashed, Scheduled

from flinkglue.glue.coordination.original_order import KIND
from flinkglue.prefect.store.server_records import server_records
from flows.glue_vpc_failover import glue_vpc_failover, stop_live_runs
from localcloud.aws.glue.settings import GlueSettings
from localcloud.web.faults import Fault, FaultBook
from localcloud.web.wire import Wire
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.harness.conftest import save_aws_block
from tests.harness.glue_deaths import glue_flow_process

ORIGINAL = ["jdbc", "b", "a"]


class KillAtLook(FaultBook):
    """Kills a process when it looks at its run for the first time; it holds no lock then."""

    process_id: int | None = None

    def take(self, service: str, operation: str) -> Fault | None:
        if operation == "GetJobRun" and self.process_id:
            os.kill(self.process_id, signal.SIGKILL)
            self.process_id = None
        return super().take(service, operation)


@pytest.fixture
def killing() -> KillAtLook:
    return KillAtLook()


@pytest.fixture
def cloud(prefect_files: list[Path], killing: KillAtLook, tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK), wire=Wire(faults=killing))
    running.two_connections()
    running.connection("jdbc")
    running.job(connections=tuple(ORIGINAL), script="print('done')", Timeout=7)
    save_aws_block(running)
    before = remembered()
    yield running
    running.close()
    assert remembered() == before, "a record is left behind"


def remembered() -> set[str]:
    with server_records() as records:
        return {record.record_id for record in records.tagged(KIND)}


def created(**parameters: Any) -> FlowRun:
    defaults = {"job_name": "job", "connection_names": ["a", "b"], "strategy": "preferred"}
    with get_client(sync_client=True) as client:
        return client.create_flow_run(
            glue_vpc_failover, parameters={**defaults, "restore_order": True, **parameters}
        )


def run(flow_run: FlowRun) -> State[Any]:
    state = run_flow(glue_vpc_failover, flow_run=flow_run, return_type="state")
    assert isinstance(state, State)
    return state


def definition(cloud: AwsCloud) -> dict[str, Any]:
    job: dict[str, Any] = cloud.glue.get_job(JobName="job")["Job"]
    return {name: value for name, value in job.items() if name != "LastModifiedOn"}


def written_orders(cloud: AwsCloud) -> list[list[str]]:
    return [
        request.detail["connection_names"]
        for request in cloud.requests(operation="UpdateJob")
        if request.status == 200
    ]


def test_flow_runs_at_the_same_time_leave_the_job_as_the_first_found_it(cloud: AwsCloud) -> None:
    """Each is started with its own order, and the last one to start puts the first one's back."""
    before = definition(cloud)
    orders = (["a", "b"], ["b", "a"])
    flow_runs = [created(connection_names=order) for order in orders]
    with ThreadPoolExecutor(len(flow_runs)) as pool:
        states = list(pool.map(run, flow_runs))
    assert {state.name for state in states} == {"Completed"}
    assert definition(cloud) == before
    assert written_orders(cloud)[-1] == ORIGINAL
    taken = {r["job_run_id"]: r["connection_name"] for r in cloud.fault("glue-runs")}
    assert [taken[state.result()["job_run_id"]] for state in states] == ["a", "b"]


@pytest.mark.usefixtures("processes_of_this_server")
def test_a_flow_run_killed_before_it_put_the_order_back_does_so_when_it_goes_on(
    cloud: AwsCloud, killing: KillAtLook, tmp_path: Path
) -> None:
    """The order was written down in the Prefect server before the job was changed."""
    before = definition(cloud)
    flow_run = created()
    process = glue_flow_process.started(flow_run.id, tmp_path / "process.log")
    killing.process_id = process.pid
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert written_orders(cloud) == [["a", "b", "jdbc"]]
    with get_client(sync_client=True) as client:
        for state in (Crashed(), Scheduled()):
            client.set_flow_run_state(flow_run.id, state, force=True)
        flow_run = client.read_flow_run(flow_run.id)
    assert run(flow_run).is_completed()
    assert len(cloud.requests(operation="StartJobRun")) == 1
    assert definition(cloud) == before
    assert written_orders(cloud) == [["a", "b", "jdbc"], ORIGINAL]


def test_cancelling_puts_the_order_back(cloud: AwsCloud) -> None:
    """Also before Glue has given the run its addresses; their reservation ends as well."""
    before = definition(cloud)
    cloud.fault("glue-timing", start_delay_seconds=600)
    state = run(created(deadline_minutes=0.01))
    assert state.is_failed(), "the wait ended before the run"
    assert state.state_details.flow_run_id is not None
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(state.state_details.flow_run_id)
    stop_live_runs(glue_vpc_failover, flow_run, state)
    assert definition(cloud) == before
    with server_records() as records:
        reserved = [record.value["about"] for record in records.tagged("glue-reservation")]
    assert str(flow_run.id) not in str(reserved)
