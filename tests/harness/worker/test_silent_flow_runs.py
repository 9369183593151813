"""Flow runs that the server calls Running although their process is gone: found, and ended.

The server failed just as they ended, or their machine died. What a live process does is done here
as Prefect's flow engine does it: an event, again and again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.responses import SetStateStatus
from prefect.events import emit_event
from prefect.states import Cancelled, Completed, Crashed, Running

from flinkglue.blocks.forms.flink_job import HealthOptions, SilentRunOptions
from flinkglue.lifecycle.models import Action
from flinkglue.prefect.store.action_owners import FLOWS as OF_FLINK
from flinkglue.prefect.store.flow_run_signs import HEARTBEAT
from flinkglue.prefect.store.silent_flow_runs import FOUND, SilentFlowRun
from flinkglue.prefect.store.thread_ownership import THREAD_PREFIX
from flinkglue.tasks.glue_sweep import FLOWS as OF_GLUE
from flinkglue.tasks.glue_sweep import RENAMED_FLOWS
from flinkglue.tasks.silent_flow_runs import end_silent_flow_runs
from flows.flink_job_action import flink_job_action
from flows.flink_savepoints import flink_savepoints
from flows.flink_watch import flink_watch
from flows.glue_run_sweep import glue_run_sweep
from flows.glue_vpc_failover import glue_vpc_failover
from flows.wait_for_glue_run import wait_for_glue_run_flow
from tests.contract.aws.aws_cloud import AwsCloud
from tests.harness.flink.test_flink_watch_owners import BLOCK, Job, cluster, job, prefect
from tests.harness.glue.test_glue_run_sweep import cloud, flow_run, glue_run
from tests.waiting import eventually, repeating

__all__ = ["cloud", "cluster", "job", "prefect"]  # fixtures
pytestmark = pytest.mark.usefixtures("prefect_files")
SILENT_MINUTES = 0.2
"""So little is refused in the forms. A stall of a loaded machine is a third of it at most."""


def beat(flow_run_id: UUID) -> None:
    resource = {"prefect.resource.id": f"prefect.flow-run.{flow_run_id}"}
    emit_event(event=HEARTBEAT, resource=resource)


def once_alive(flow_run_id: UUID) -> UUID:
    """A flow run whose process gave signs of life before it died."""
    beat(flow_run_id)
    beat(flow_run_id)
    return flow_run_id


def of_thread_worker(flow_run_id: UUID) -> UUID:
    """A flow run that the next thread worker of its pool adopts when its own one has died."""
    with get_client(sync_client=True) as client:
        pid = f"{THREAD_PREFIX}{uuid4().hex}"
        client.update_flow_run(flow_run_id, infrastructure_pid=pid)
    return flow_run_id


def events_about(flow_run_id: UUID) -> list[str]:
    """Of what was found, newest first: once only while it stays the same."""
    about = {"resource": {"id": [f"silent-flow-run.{flow_run_id}"]}, "order": "DESC"}

    def look() -> list[str]:
        with get_client(sync_client=True) as client:
            found = client.request("POST", "/events/filter", json={"filter": about}).json()  # type: ignore[arg-type]
        names = [event["event"] for event in found["events"]]
        return names if "silent-flow-run.crashed" in names else []

    names: list[str] = eventually(look, within_seconds=30)
    return names


def end(*flow_run_ids: UUID) -> None:
    """So that nobody observes them any more."""
    with get_client(sync_client=True) as client:
        for one in flow_run_ids:
            client.set_flow_run_state(one, Cancelled(), force=True)


def state_of(flow_run_id: UUID) -> tuple[str, str]:
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(flow_run_id).state
    assert state
    return state.type.value, state.message or ""


def shown(state: Any) -> dict[str, str]:
    """The conditions on the page of the run, by flow run."""
    with get_client(sync_client=True) as client:
        body = {"artifacts": {"flow_run_id": {"any_": [str(state.state_details.flow_run_id)]}}}
        found = client.request("POST", "/artifacts/filter", json=body).json()  # type: ignore[arg-type]
    rows = [one["data"] for one in found if one["key"] == "silent-flow-runs"]
    return {row["id"]: row["condition"] for table in rows for row in json.loads(table)}


def test_the_sweep_ends_what_has_no_process_and_nothing_else(cloud: AwsCloud) -> None:
    dead, lives, works = (once_alive(flow_run(Running())) for _ in range(3))
    glue_run(cloud, works)
    mute = flow_run(Running())
    threaded = of_thread_worker(once_alive(flow_run(Running())))
    elsewhere = once_alive(flow_run(Running(), region="eu-west-1"))
    with repeating(lambda: beat(lives)):
        swept = glue_run_sweep.with_options(validate_parameters=False)(
            ["job"], stop=True, silent_minutes=SILENT_MINUTES, return_state=True
        )
    assert shown(swept) == {
        str(dead): "set to Crashed",
        str(mute): "not judged",
        str(threaded): "no process",
    }
    kind, message = state_of(dead)
    assert kind == "CRASHED"
    assert "No sign of life for" in message
    assert "None of its Glue runs is live" in message
    assert {state_of(one)[0] for one in (lives, works, mute, threaded, elsewhere)} == {"RUNNING"}
    assert swept.is_completed(), "what another worker adopts is no failure of the sweep"
    end(lives, works, mute, threaded, elsewhere)


def test_the_watch_reports_a_run_whose_claim_is_renewed_no_more(
    job: Job, cluster: Any, prefect: Any, tmp_path: Path
) -> None:
    """The claim alone shows it: neither run sends heartbeats that arrive."""
    other = Job(cluster, prefect, tmp_path / "orders.jar")
    other.act(Action.NEW)
    dead = job.act(Action.UPDATE, dies_before="submit", ends=False)
    lives = other.act(Action.UPDATE, dies_before="submit", ends=False, lives=True)
    once_alive(lives.id)
    with other.renewed():
        state = flink_watch(
            [job.name, other.name],
            BLOCK,
            health_options=HealthOptions(watch_seconds=0),
            silent_run_options=SilentRunOptions.model_construct(silent_minutes=SILENT_MINUTES),
            return_state=True,
        )
    assert shown(state) == {str(dead.id): "no process"}
    assert [state_of(run.id)[0] for run in (dead, lives)] == ["RUNNING", "RUNNING"]
    end(lives.id)
    again = flink_watch(
        [job.name],
        BLOCK,
        health_options=HealthOptions(watch_seconds=0),
        silent_run_options=SilentRunOptions.model_construct(
            silent_minutes=SILENT_MINUTES, end_silent_runs=True
        ),
        return_state=True,
    )
    assert shown(again) == {str(dead.id): "set to Crashed"}
    assert state_of(dead.id)[0] == "CRASHED"
    assert events_about(dead.id) == ["silent-flow-run.crashed", FOUND]


def test_a_run_that_moved_on_meanwhile_is_left_as_it_is() -> None:
    """It ended by itself; or it was retried, and runs in another state of the same name."""
    ended, retried = flow_run(Running()), flow_run(Running())
    with get_client(sync_client=True) as client:
        seen = [client.read_flow_run(one) for one in (ended, retried)]
        client.set_flow_run_state(ended, Completed(), force=True)
        client.set_flow_run_state(retried, Running(), force=True)
    silent = [SilentFlowRun(str(run.id), run.name, run.state_id, 600.0) for run in seen]

    @flow
    def crash() -> list[SilentFlowRun]:
        return end_silent_flow_runs(silent, {}, "")

    assert [one.ended for one in crash()] == [False, False]
    assert [state_of(one)[0] for one in (ended, retried)] == ["COMPLETED", "RUNNING"]


def test_the_server_itself_refuses_to_call_an_ended_run_crashed() -> None:
    """What holds when a run ends in the moment between the look and the change."""
    ended = flow_run(Completed())
    with get_client(sync_client=True) as client:
        assert client.set_flow_run_state(ended, Crashed()).status is not SetStateStatus.ACCEPT
    assert state_of(ended)[0] == "COMPLETED"


def test_the_flow_engine_sends_the_heartbeats_that_are_observed() -> None:
    """From the process of the flow, at its start."""

    @flow
    def short() -> None:
        return None

    state = short(return_state=True)
    body = {"filter": {"event": {"name": [HEARTBEAT]}, "order": "DESC"}, "limit": 50}
    is_of_run = f"prefect.flow-run.{state.state_details.flow_run_id}"

    def arrived() -> bool:
        with get_client(sync_client=True) as client:
            found = client.request("POST", "/events/filter", json=body).json()["events"]  # type: ignore[arg-type]
        return any(event["resource"]["prefect.resource.id"] == is_of_run for event in found)

    assert eventually(arrived, within_seconds=30)


def test_the_flow_runs_of_these_flows_are_searched() -> None:
    named = {glue_vpc_failover.name, wait_for_glue_run_flow.name}
    assert named | {*RENAMED_FLOWS} == {*OF_GLUE}
    assert {flink_job_action.name, flink_savepoints.name, flink_watch.name} == {*OF_FLINK}
