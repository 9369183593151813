"""Which live Glue runs a sweep holds for orphans, and what it shows of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect.client.schemas.objects import StateType

from flinkglue.glue.console import Console
from flinkglue.glue.models import RUN_KEY_ARGUMENT, WAIT_FOR_END_ARGUMENT, JobRun
from flinkglue.glue.monitoring.sweep import (
    FlowRunState,
    RunCondition,
    SweepRules,
    SweptRun,
    flow_run_id_of,
    judged,
    may_wait,
)
from flinkglue.glue.monitoring.sweep_report import sweep_markdown

OWNER = "0190b3a4-7f3e-7c55-8d8e-2f6a3c1b9d10"
NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
RULES = SweepRules(cancelling_for=timedelta(minutes=15))


def live(key: str | None = f"{OWNER}/2", job_run_id: str = "jr_1") -> JobRun:
    arguments = {} if key is None else {RUN_KEY_ARGUMENT: key}
    return JobRun("orders", job_run_id, "RUNNING", arguments=arguments)


def flow_run(state_type: str, minutes_ago: float = 60) -> FlowRunState:
    since = NOW - timedelta(minutes=minutes_ago)
    return FlowRunState(state_type, state_type.capitalize(), since)


def verdict(state: FlowRunState | None, rules: SweepRules = RULES) -> SweptRun:
    return judged(live(), OWNER, state, rules, NOW)


@pytest.mark.parametrize(
    ("key", "owner"),
    [
        (f"{OWNER}/2", OWNER),
        (f"{OWNER}/12", OWNER),
        (f"{OWNER}/", None),
        (f"{OWNER}/x", None),
        (OWNER, None),
        ("nightly/1", None),
        ("", None),
        (None, None),
    ],
)
def test_a_run_key_tells_the_flow_run(key: str | None, owner: str | None) -> None:
    """A run that somebody else started, or marked by hand, is nobody's here."""
    assert flow_run_id_of(live(key)) == owner


@pytest.mark.parametrize("also", [(), ("CRASHED", "FAILED", "COMPLETED")])
def test_the_run_of_a_flow_run_that_the_server_does_not_know_is_never_an_orphan(
    also: tuple[str, ...],
) -> None:
    """Another Prefect server may use the same account."""
    swept = verdict(None, SweepRules(timedelta(0), also))
    assert swept.condition is RunCondition.UNKNOWN_FLOW_RUN
    assert "another server" in swept.note


@pytest.mark.parametrize(
    ("state_type", "minutes_ago", "condition"),
    [
        ("CANCELLED", 0, RunCondition.ORPHAN),
        ("CANCELLING", 14.9, RunCondition.BEING_CANCELLED),
        ("CANCELLING", 15.1, RunCondition.ORPHAN),
        ("CRASHED", 60, RunCondition.LEFT_BEHIND),
        ("FAILED", 60, RunCondition.LEFT_BEHIND),
        ("COMPLETED", 60, RunCondition.LEFT_BEHIND),
        ("SCHEDULED", 60, RunCondition.WANTED),
        ("PENDING", 60, RunCondition.WANTED),
        ("RUNNING", 60, RunCondition.WANTED),
        ("PAUSED", 60, RunCondition.WANTED),
        ("INVENTED_LATER", 60, RunCondition.WANTED),
    ],
)
def test_the_state_of_the_flow_run_decides(
    state_type: str, minutes_ago: float, condition: RunCondition
) -> None:
    swept = verdict(flow_run(state_type, minutes_ago))
    assert swept.condition is condition
    assert state_type.capitalize() in swept.note


def test_every_state_of_prefect_is_judged_above() -> None:
    """A new one is left alone until somebody has decided what it means."""
    judged_above = {"CANCELLED", "CANCELLING", "CRASHED", "FAILED", "COMPLETED"}
    left_alone = {"SCHEDULED", "PENDING", "RUNNING", "PAUSED"}
    assert {state_type.value for state_type in StateType} == judged_above | left_alone


def test_runs_of_crashed_flow_runs_are_orphans_only_when_that_was_asked_for() -> None:
    rules = SweepRules(timedelta(minutes=15), also=("CRASHED",))
    assert verdict(flow_run("CRASHED"), rules).is_orphan
    assert not verdict(flow_run("FAILED"), rules).is_orphan
    assert not verdict(flow_run("RUNNING"), rules).is_orphan


def test_the_page_shows_every_run_and_explains_what_is_not_as_usual() -> None:
    swept = [
        judged(live(job_run_id="jr_lost"), OWNER, flow_run("CANCELLED"), RULES, NOW),
        judged(live(job_run_id="jr_fine"), OWNER, flow_run("RUNNING"), RULES, NOW),
        judged(live(job_run_id="jr_alien"), OWNER, None, RULES, NOW),
    ]
    page = sweep_markdown(
        swept,
        {"billing": "AWS Glue GetJobRuns failed"},
        Console("aws", "eu-west-1"),
        lambda flow_run_id: f"https://prefect.example/{flow_run_id}",
        stop=False,
    )
    assert page.startswith("# Live Glue runs: 1 wanted, 1 unknown flow run, 1 orphan\n")
    assert "#/job/orders/run/jr_lost) | RUNNING | **orphan** |" in page
    assert f"[{OWNER}](https://prefect.example/{OWNER}) | Cancelled | 2026-01-02 11:00 |" in page
    assert f"| **unknown flow run** | {OWNER} | – | – |" in page
    assert "*stop* of this flow run is off" in page
    assert "**jr_lost**: its flow run is Cancelled" in page
    assert "**jr_fine**" not in page
    assert "**billing**: AWS Glue GetJobRuns failed" in page


def test_the_page_of_a_sweep_that_found_nothing_says_so() -> None:
    page = sweep_markdown([], {}, Console("aws", "eu-west-1"), lambda _: None, stop=True)
    assert page == "# Live Glue runs: none of this project"


@pytest.mark.parametrize("also", [(), ("COMPLETED",), ("CRASHED", "FAILED", "COMPLETED")])
def test_a_run_that_its_flow_run_was_not_to_wait_for_is_wanted_whatever_is_stopped_also(
    also: tuple[str, ...],
) -> None:
    """Its flow run has completed as it should; one that was to wait for it has not."""
    rules = SweepRules(timedelta(minutes=15), also)
    completed = flow_run("COMPLETED")
    assert verdict(replace(completed, waits=False), rules).condition is RunCondition.WANTED
    assert verdict(completed, rules).condition is not RunCondition.WANTED


@pytest.mark.parametrize("also", [(), ("COMPLETED",)])
def test_a_run_that_tells_that_it_is_left_to_itself_is_believed(also: tuple[str, ...]) -> None:
    """What the server keeps of a flow run's parameters may be a template or be left out."""
    rules, completed = SweepRules(timedelta(minutes=15), also), flow_run("COMPLETED")
    left = replace(live(), arguments={**live().arguments, WAIT_FOR_END_ARGUMENT: "false"})
    assert judged(left, OWNER, completed, rules, NOW).condition is RunCondition.WANTED
    assert judged(live(), OWNER, completed, rules, NOW).condition is not RunCondition.WANTED


@pytest.mark.parametrize(
    ("wait_for_end", "waits"),
    [(True, True), (None, True), ("true", True), (1, True),
     (False, False), ("false", False), ("no", False), (0, False), ("{{ wait }}", False)],
)  # fmt: skip
def test_a_parameter_that_may_have_been_false_stops_no_run(wait_for_end: Any, waits: bool) -> None:
    """A text is what a command line sends."""
    assert may_wait(wait_for_end) is waits


def test_a_run_that_was_not_to_be_waited_for_is_an_orphan_when_its_flow_run_was_cancelled() -> None:
    assert verdict(replace(flow_run("CANCELLED"), waits=False)).is_orphan
    rules = SweepRules(timedelta(minutes=15), also=("FAILED",))
    assert verdict(replace(flow_run("FAILED"), waits=False), rules).is_orphan
