"""What Glue flow runs leave on their pages and in the event feed of a Prefect server."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from prefect import State, flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.events import emit_event
from prefect.events.schemas.automations import AutomationCore
from prefect.events.schemas.events import Event
from prefect.flow_engine import run_flow
from prefect.states import Running, Scheduled

from flinkglue.errors import InvalidInput, JobFailed
from flinkglue.glue.console import Console
from flinkglue.glue.coordination.claims import Reservation
from flinkglue.glue.coordination.run_context import coordination_over
from flinkglue.glue.models import CoolDown, JobPlace, JobRun
from flinkglue.glue.run_request import RunRequest
from flinkglue.prefect.pages.artifacts import put_markdown
from flinkglue.prefect.pages.glue_run import show_cancelled
from flinkglue.prefect.store.server_records import server_records
from flinkglue.prefect.store.variable_locks import VariableLocks
from flows.glue_connection_health import glue_connection_health
from flows.glue_vpc_failover import glue_vpc_failover
from tests.contract.aws.aws_cloud import AwsCloud
from tests.harness.conftest import save_aws_block
from tests.harness.glue.test_glue_vpc_failover import artifacts
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("prefect_files")

AUTOMATION = Path(__file__).parents[3] / "docs/automations/glue-job-exhausted.yaml"
NO_GATEWAY = (
    "VPC S3 endpoint validation failed for SubnetId: {}. VPC: vpc-1. "
    "Reason: Could not find S3 endpoint or NAT gateway"
)


def run(**parameters: Any) -> State[Any]:
    defaults = {"job_name": "job", "connection_names": "a,b", "strategy": "preferred", "retries": 1}
    return glue_vpc_failover(
        **{**defaults, "retry_delay_seconds": 0, **parameters}, return_state=True
    )


def test_a_run_that_failed_does_not_stay_running_when_nobody_answers(cloud: AwsCloud) -> None:
    """What may follow is asked after the run, which is all that there is to show then."""
    cloud.two_connections()
    cloud.job(script="import sys, time; time.sleep(1.2); sys.exit(3)")
    limit = {"max_dpu_hours": 1e-9, "ask_within_minutes": 0.02}
    state = run(retry_options=limit, retry_every_failure=True)
    assert state.is_failed()
    [page] = artifacts(state)["glue-job-run-job"]
    assert page.startswith("# Glue job job: FAILED")
    assert "## Failure of attempt 1 on a" in page
    assert page.count("No further run is started: ") == 1
    assert "and nobody answered in time" in page
    assert "glue-job.exhausted" in [each["event"] for each in events(state, "glue-job.exhausted")]
    [jobs] = artifacts(state)["glue-jobs"]
    assert "| **FAILED** | a | " in jobs


def test_a_limit_is_told_as_exhausted_and_also_on_a_retry_that_it_refuses(
    cloud: AwsCloud,
) -> None:
    """Nobody is to be asked; the page says the limit, below what the script wrote."""
    cloud.two_connections()
    cloud.job(script="import time; time.sleep(1.2)")
    why = "Resource unavailable"
    cloud.fault("fail-next-runs", job_name="job", times=1, error_message=why, after_seconds=1)
    limit = {"max_dpu_hours": 1e-9, "ask_within_minutes": 0, "retry_delay_seconds": 0}
    parameters = {"job_name": "job", "connection_names": "a,b", "retry_options": limit}
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(glue_vpc_failover, parameters=parameters)
        for attempts in (1, 2):
            state: Any = run_flow(
                glue_vpc_failover, flow_run=flow_run, parameters=parameters, return_type="state"
            )
            assert state.is_failed()
            assert "No further run is started: " in state.message
            page = artifacts(state)["glue-job-run-job"][-1]
            assert page.count("No further run is started: ") == 1
            assert "without reading the script's output" not in page
            eventually(lambda: exhausted(state) >= attempts)  # noqa: B023, called at once
            client.set_flow_run_state(flow_run.id, Scheduled(), force=True)
            flow_run = client.read_flow_run(flow_run.id)


def exhausted(state: State[Any]) -> int:
    """How often the flow run told that no attempt is left."""
    told = events(state, "glue-job.exhausted")
    return [event["event"] for event in told].count("glue-job.exhausted")


@pytest.mark.parametrize("place", ["", "prod"])
def test_a_cancelled_run_does_not_stay_running_on_a_page_of_an_earlier_version(place: str) -> None:
    """It was begun before an upgrade, under a key without the block's name."""
    with get_client(sync_client=True) as client:
        flow_run_id = client.create_flow_run(glue_vpc_failover, parameters={"job_name": "job"}).id
        page = {"type": "markdown", "key": "glue-job-run-job", "data": "# Glue job job: RUNNING"}
        client.create_artifact(ArtifactCreate(**page, flow_run_id=flow_run_id))
        now = datetime.now(UTC)
        request = RunRequest(
            "job", str(flow_run_id), now, place=JobPlace(place, ("",) if place else ())
        )
        stopped = [JobRun("job", "jr_1", "STOPPED", arguments={})]
        show_cancelled(flow_run_id, request, stopped, Console("aws", "us-east-1"), now)
        only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
        [shown] = client.read_artifacts(artifact_filter=only)
    assert "STOPPED" in str(shown.data)
    assert "RUNNING" not in str(shown.data)


def test_a_run_that_is_cancelled_before_its_page_was_begun_has_one_all_the_same() -> None:
    """Others were beginning meanwhile."""
    with get_client(sync_client=True) as client:
        flow_run_id = client.create_flow_run(glue_vpc_failover, parameters={"job_name": "job"}).id
        now = datetime.now(UTC)
        stopped = [JobRun("job", "jr_1", "STOPPED", arguments={})]
        request = RunRequest("job", str(flow_run_id), now)
        show_cancelled(flow_run_id, request, stopped, Console("aws", "us-east-1"), now)
        only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
        [shown] = client.read_artifacts(artifact_filter=only)
    assert shown.key == "glue-job-run-job"
    assert "STOPPED" in str(shown.data)


def events(state: State[Any], last: str) -> list[dict[str, Any]]:
    """The run's own events as the server has them, up to the one of this name."""
    only = {
        "event": {"prefix": ["glue-"]},
        "related": {"id": [f"prefect.flow-run.{state.state_details.flow_run_id}"]},
        "order": "ASC",
    }

    def look() -> list[dict[str, Any]]:
        with get_client(sync_client=True) as client:
            answer = client.request("POST", "/events/filter", json={"filter": only})  # type: ignore[arg-type]
        found: list[dict[str, Any]] = answer.json()["events"]
        return found if any(event["event"] == last for event in found) else []

    found: list[dict[str, Any]] = eventually(look, within_seconds=60)
    return found


def test_a_run_that_moved_tells_its_choices_its_failure_and_its_cost(cloud: AwsCloud) -> None:
    subnet_a, _ = cloud.two_connections()
    cloud.job(script="import time; time.sleep(1.2); print('done')")
    why = NO_GATEWAY.format(subnet_a)
    cloud.fault("fail-next-runs", job_name="job", times=1, error_message=why)
    state = run(price_per_dpu_hour=3600.0)
    result = state.result(raise_on_failure=False)
    page = artifacts(state)
    first, second = (json.loads(data) for data in page["connection-ranking-job"])
    assert [row["Connection"] for row in first] == ["a", "b"]
    assert [row["Connection"] for row in second] == ["b", "a"]
    assert "failed in this flow run; failed recently (on cooldown until " in second[1]["Why"]
    assert why[:40] in second[1]["Last failure"]
    [told] = page["glue-job-run-job"]
    assert "## Failure of attempt 1 on a: moved to b" in told
    assert "Manual fix needed." in told
    assert result["cost"]["estimate"] == result["cost"]["capacity_seconds"] > 0
    assert "at 3600 per DPU-hour" in told
    moved = next(e for e in events(state, "glue-job.failed-over") if "failed" in e["event"])
    assert moved["resource"]["prefect.resource.id"] == "glue-job.job"
    assert moved["payload"]["from_connection_name"] == "a"
    assert moved["payload"]["to_connection_name"] == "b"
    assert moved["payload"]["needs_a_person"] is True
    related = {each["prefect.resource.role"]: each for each in moved["related"]}
    assert related["connection"]["prefect.resource.id"] == "glue-connection.b"
    assert related["failed-connection"]["prefect.resource.id"] == "glue-connection.a"


def test_a_run_that_needs_time_keeps_its_order_and_does_not_fail_over(
    cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The strategy would have another order each time it is asked."""
    asked: list[int] = []

    def restless(connections: list[dict[str, Any]]) -> list[str]:
        asked.append(len(connections))
        return sorted((c["name"] for c in connections), reverse=len(asked) % 2 == 0)

    module = ModuleType("restless_strategy")
    module.restless = restless  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setenv("FLINKGLUE_STRATEGY_MODULES", module.__name__)
    cloud.two_connections()
    cloud.job()
    quota = "Exceeded maximum concurrent compute capacity"
    cloud.fault("fail-next-runs", job_name="job", times=2, error_message=quota)
    state = run(strategy="restless_strategy:restless")
    assert isinstance(state.result(raise_on_failure=False), JobFailed)
    assert len(asked) == 2
    told = events(state, "glue-job.exhausted")
    assert [event["event"] for event in told] == [
        "glue-job.selected",
        "glue-job.selected",
        "glue-job.exhausted",
    ]
    assert [event["payload"]["order"] for event in told[:2]] == [["a", "b"], ["a", "b"]]


def automation() -> AutomationCore:
    """The shipped automation; its notification block is another one in each account."""
    return AutomationCore.model_validate(yaml.safe_load(AUTOMATION.read_text()))


def test_the_shipped_automation_waits_for_the_event_of_a_run_without_attempts_left(
    cloud: AwsCloud,
) -> None:
    cloud.two_connections()
    cloud.job()
    cloud.fault("fail-next-runs", job_name="job", times=2, error_message="Resource unavailable")
    state = run()
    assert isinstance(state.result(raise_on_failure=False), JobFailed)
    told = events(state, "glue-job.exhausted")
    assert [event["event"] for event in told] == [
        "glue-job.selected",
        "glue-job.selected",
        "glue-job.failed-over",
        "glue-job.exhausted",
    ]
    trigger: Any = automation().trigger
    received = [Event.model_validate(event) for event in told]
    assert [trigger.expect == {event.event} for event in received] == [False, False, False, True]
    assert trigger.match.matches(received[-1].resource)
    assert received[-1].payload["attempts"] == 2
    assert cloud.account["secret_access_key"] not in json.dumps(told)


def test_no_room_anywhere_is_told_as_exhausted_too(cloud: AwsCloud) -> None:
    cloud.connection("a", "10.192.20.0/28")
    cloud.job(NumberOfWorkers=50)
    state = run(connection_names="a", when_nothing_fits="fail")
    [told] = events(state, "glue-job.exhausted")
    assert "No subnet has the 52 addresses" in told["payload"]["evidence"]
    assert told["payload"]["evidence"].endswith("(free: a 11).")
    assert told["payload"]["advice"].startswith("give the job fewer workers")
    for name in re.findall(r"event\.payload\.(\w+)", AUTOMATION.read_text()):
        assert told["payload"][name], "the shipped automation shows it"


def test_a_broken_script_is_not_told_as_exhausted(cloud: AwsCloud) -> None:
    """Another attempt would not have helped; the failed flow run has an event of its own."""
    cloud.two_connections()
    cloud.job(script="import sys; print('before'); sys.exit(3)")
    state = run()
    flow_run = f"prefect.flow-run.{state.state_details.flow_run_id}"
    emit_event(
        "glue-marker",
        {"prefect.resource.id": "glue-marker"},
        related=[{"prefect.resource.id": flow_run, "prefect.resource.role": "flow-run"}],
    )
    told = [event["event"] for event in events(state, "glue-marker")]
    assert told == ["glue-job.selected", "glue-marker"]


def test_a_run_that_was_there_already_is_told_as_adopted(cloud: AwsCloud) -> None:
    cloud.two_connections()
    cloud.job(script="print('done')")
    parameters = {"job_name": "job", "connection_names": "a,b"}
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(glue_vpc_failover, parameters=parameters)
    arguments = {"--flinkglue-run-key": f"{flow_run.id}/1", "--flinkglue-connection": "b"}
    job_run_id = cloud.start(Arguments=arguments)
    state: Any = run_flow(
        glue_vpc_failover, flow_run=flow_run, parameters=parameters, return_type="state"
    )
    *_, adopted = events(state, "glue-job.adopted")  # a first attempt has chosen before it is found
    assert adopted["payload"]["job_run_id"] == job_run_id
    assert "SUCCEEDED (adopted)" in artifacts(state)["glue-job-run-job"][0]


def test_a_flow_run_that_is_adopted_goes_on_with_the_page_of_an_earlier_version(
    cloud: AwsCloud,
) -> None:
    """The page was begun under a key without the block's name."""
    cloud.two_connections()
    cloud.job()
    save_aws_block(cloud, "prod")
    parameters = {"job_name": "job", "connection_names": "a,b", "aws_credentials": "prod"}
    page = {"type": "markdown", "key": "glue-job-run-job", "data": "# Glue job job: RUNNING"}
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(glue_vpc_failover, parameters=parameters)
        client.create_artifact(ArtifactCreate(**page, flow_run_id=flow_run.id))
        for each in (Running(), Scheduled()):  # its first process, and the worker that adopts it
            client.set_flow_run_state(flow_run.id, each, force=True)
        flow_run = client.read_flow_run(flow_run.id)
    cloud.start(Arguments={"--flinkglue-run-key": f"{flow_run.id}/1"})
    state: Any = run_flow(
        glue_vpc_failover, flow_run=flow_run, parameters=parameters, return_type="state"
    )
    pages = {key: each for key, each in artifacts(state).items() if key.startswith("glue-job-run-")}
    assert list(pages) == ["glue-job-run-job"]
    [shown] = pages["glue-job-run-job"]
    assert "SUCCEEDED (adopted)" in shown


def test_jobs_of_one_name_in_two_accounts_keep_pages_of_their_own_after_a_restart(
    prefect_files: list[Path],
) -> None:
    """The usual account's key is also that of an earlier version for the other one."""

    @flow
    def both() -> None:
        put_markdown("glue-job-run-job", "usual", "")
        put_markdown("glue-job-run-job-prod", "prod", "", ["glue-job-run-job"])

    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(both)
        for each in (Running(), Scheduled()):
            client.set_flow_run_state(flow_run.id, each, force=True)
        flow_run = client.read_flow_run(flow_run.id)
    state: Any = run_flow(both, flow_run=flow_run, return_type="state")
    pages = {key: each for key, each in artifacts(state).items() if key.startswith("glue-job-run-")}
    assert pages == {"glue-job-run-job": ["usual"], "glue-job-run-job-prod": ["prod"]}


def remember(reservation: Reservation, cool_down: CoolDown) -> None:
    with server_records() as records:
        coordination = coordination_over(records, VariableLocks(records))
        coordination.claims.reserve(reservation)
        coordination.cool_downs.start(cool_down)


def test_the_health_flow_shows_and_tells_what_each_connection_can_hold(cloud: AwsCloud) -> None:
    subnet_a = cloud.connection("a", "10.192.20.0/27")
    subnet_b = cloud.connection("b", "10.192.21.0/24", zone="us-east-1b")
    cloud.connection("c", "10.192.22.0/24", zone="us-east-1c")
    cloud.job(connections=("b", "c"))
    cloud.fault("zone-down", availability_zone="us-east-1c")
    remember(
        Reservation("other/1", "other", "a", subnet_a, "us-east-1a", 20),
        CoolDown("b", subnet_b, "Resource unavailable"),
    )
    state = glue_connection_health(connection_names="a, gone", job_names=["job"], return_state=True)
    assert state.result(raise_on_failure=False) == {
        "a": {"condition": "short of addresses", "usable_addresses": 7, "recent_failures": 0},
        "gone": {"condition": "missing", "usable_addresses": None, "recent_failures": 0},
        "b": {"condition": "failed lately", "usable_addresses": 251, "recent_failures": 1},
        "c": {"condition": "zone down", "usable_addresses": 251, "recent_failures": 0},
    }
    [page] = artifacts(state)["glue-connection-health"]
    assert "3 of 4 below the threshold" in page
    assert "| `███░░░░░░░` 7 of 27 |" in page
    assert "| 27 | 20 |" in page
    assert "us-east-1c (unavailable)" in page
    assert "Resource unavailable (on cooldown until " in page
    told = {
        e["resource"]["prefect.resource.id"]: e for e in events(state, "glue-connection.zone-down")
    }
    assert told["glue-connection.a"]["event"] == "glue-connection.short-of-addresses"
    assert told["glue-connection.a"]["payload"]["usable_addresses"] == 7
    assert told["glue-connection.gone"]["event"] == "glue-connection.missing"


def test_the_health_flow_fails_only_when_it_was_told_to(cloud: AwsCloud) -> None:
    cloud.connection("a", "10.192.20.0/28")
    asked: dict[str, Any] = {"connection_names": ["a"], "minimum_free_addresses": 12}
    assert glue_connection_health(**asked, return_state=True).is_completed()
    with pytest.raises(JobFailed, match=r"1 of 1 connections .* a: short of addresses"):
        glue_connection_health(**asked, fail_below_threshold=True)


def test_the_health_flow_refuses_to_look_at_nothing(cloud: AwsCloud) -> None:
    with pytest.raises(InvalidInput, match="job_names instead"):
        glue_connection_health()
    assert cloud.requests() == []
    cloud.job()
    with pytest.raises(InvalidInput, match="jobs that have connections"):
        glue_connection_health(job_names=["job"])
