"""Waiting for a job: what counts as reached, as failed, and as not yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.jobs.state import (
    ENDED_BY_SOMEBODY,
    FAILED_STATES,
    FINISHED,
    JobProgress,
    WaitUntil,
)
from flinkglue.azure.jobs.waiting import JobWatch
from flinkglue.azure.models import ArmFlinkJob, FlinkClusterId
from flinkglue.errors import DeadlineExceeded
from flinkglue.http.auth import BearerToken
from flinkglue.lifecycle.models import JobView
from flinkglue.stack_trace import last_cause
from tests.azure_on_the_wire import JOB_ID, AzureOnTheWire, Clock, error

CLUSTER = FlinkClusterId("sub", "group", "pool1", "flink1")
JOB = ArmFlinkJob(job_name="wordcount-1", job_id=JOB_ID)
Watch = Callable[..., JobWatch]


def flink(state: str, tasks: int = 0, running: int = 0, **details: Any) -> JobView:
    """The job as Flink shows it."""
    return JobView(
        JOB_ID, "wordcount-1", state, tasks_total=tasks, tasks_running=running, **details
    )


@pytest.fixture
def azure() -> AzureOnTheWire:
    azure = AzureOnTheWire()
    azure.rows = [azure.row("wordcount-1")]
    return azure


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def watch(azure: AzureOnTheWire, told: list[str]) -> Watch:
    def make(*looks: JobView | None) -> JobWatch:
        clock = Clock()
        tokens = BearerToken(SecretStr("token-1"))
        arm = ArmClient(tokens, transport=httpx.MockTransport(azure), clock=clock)
        seen = iter(looks)
        look = (lambda job_id: next(seen)) if looks else None
        return JobWatch(arm, CLUSTER, JOB, look, told.append, clock)

    return make


def statuses(azure: AzureOnTheWire, values: Iterable[str]) -> None:
    """One answer of the jobs list for each."""
    for value in values:
        rows = [azure.row("wordcount-1", status=value)]
        azure.fail("GET", "/jobs", httpx.Response(200, json={"value": rows}))


def test_running_waits_for_the_tasks(watch: Watch) -> None:
    """Flink says RUNNING while tasks still wait for slots: that does not count."""
    view = watch(
        None,
        flink("CREATED", 2, 0),
        flink("RUNNING", 2, 0),
        flink("RUNNING", 2, 1),
        flink("RUNNING", 2, 2),
    ).until(WaitUntil.RUNNING, 60)
    assert view.tasks_verified
    assert view.in_words() == "RUNNING, 2 of 2 tasks active, NEW SUCCESS"


def test_without_flink_arms_word_is_taken_and_said(watch: Watch) -> None:
    """No REST URL: RUNNING by ARM counts, as not verified."""
    view = watch().until(WaitUntil.RUNNING, 60)
    assert view.state == "RUNNING"
    assert not view.tasks_verified
    assert not view.queried_flink


def test_flink_that_cannot_be_asked_is_waited_for(watch: Watch) -> None:
    """With a REST URL, ARM's RUNNING alone is not enough."""
    view = watch(None, None, None, flink("RUNNING", 1, 1)).until(WaitUntil.RUNNING, 60)
    assert view.tasks_verified


def test_finished_is_running_too(watch: Watch) -> None:
    """A short job may be over before anybody saw it run."""
    assert watch(flink("FINISHED", 2, 2)).until(WaitUntil.RUNNING, 60).state == FINISHED


def test_flink_is_quicker_than_arm(watch: Watch) -> None:
    """ARM's list may lag: FINISHED by Flink's word ends the wait."""
    view = watch(flink("RUNNING", 2, 2), flink("FINISHED", 2, 2, duration_seconds=4.2)).until(
        WaitUntil.FINISHED, 60
    )
    assert view.summary() == {
        "job_name": "wordcount-1",
        "job_id": JOB_ID,
        "state": "FINISHED",
        "duration_seconds": 4.2,
        "tasks_verified": True,
    }


def test_unknown_statuses_keep_waiting(watch: Watch, azure: AzureOnTheWire) -> None:
    """The status is an open string: what nobody knows does not end a wait."""
    statuses(azure, ["Dreaming", "IN_PROGRESS", "STOP-FAILED", "FINISHED"])
    assert watch().until(WaitUntil.FINISHED, 60).state == FINISHED
    assert len(azure.requests) == 4


def test_rows_that_vanish_or_turn_ghostly_keep_waiting(watch: Watch, azure: AzureOnTheWire) -> None:
    """The last row that told something stays in place."""
    ghost = azure.row("wordcount-1", jobId=None, status=None, jobOutput=None)
    other = azure.row("wordcount-1", jobId="0" * 32, status="FINISHED")
    for rows in ([ghost], [], [ghost, azure.row("wordcount-1", status="RUNNING"), other]):
        azure.fail("GET", "/jobs", httpx.Response(200, json={"value": rows}))
    azure.rows = [azure.row("wordcount-1", status="FINISHED"), other]
    view = watch().until(WaitUntil.FINISHED, 60)
    assert view.row.job_id == JOB_ID
    assert len(azure.requests) == 4


def test_a_launch_that_failed_is_told_with_its_last_cause(
    watch: Watch, azure: AzureOnTheWire
) -> None:
    """The recorded status, and the last Caused by of the text."""
    output = "org.x.DeployException: Could not\n at y\nCaused by: java.io.FileNotFoundException: z"
    azure.rows = [azure.row("wordcount-1", status="JOB_LAUNCH_FAILED", jobOutput=output)]
    view = watch().until(WaitUntil.FINISHED, 60)
    assert view.failure == "JOB_LAUNCH_FAILED: java.io.FileNotFoundException: z"


def test_a_job_that_flink_failed_is_told_with_flinks_cause(watch: Watch) -> None:
    """ARM still says RUNNING; Flink knows better."""
    view = watch(flink("FAILED", 2, exception="java.io.IOException: disk is full")).until(
        WaitUntil.RUNNING, 60
    )
    assert view.failure is not None
    assert "disk is full" in view.failure


@pytest.mark.parametrize("status", ["CANCELED", "STOPPED"])
def test_a_job_that_somebody_ended_has_not_finished(
    watch: Watch, azure: AzureOnTheWire, status: str
) -> None:
    """It will never finish, so the wait ends, and not as a success."""
    azure.rows = [azure.row("wordcount-1", status=status)]
    view = watch().until(WaitUntil.FINISHED, 60)
    assert view.failure == f"{status} by somebody else while it was waited for"


def test_an_outage_of_arm_does_not_end_a_wait(
    watch: Watch, azure: AzureOnTheWire, told: list[str]
) -> None:
    """Minutes without an answer are told and waited out."""
    azure.fail("GET", "/jobs", error(503, "ServerBusy", "Busy."), times=30)
    azure.rows = [azure.row("wordcount-1", status="FINISHED")]
    assert watch().until(WaitUntil.FINISHED, 3600).state == FINISHED
    assert any("still waiting" in line and "Busy" in line for line in told)


def test_the_deadline_holds_over_all_looks(watch: Watch) -> None:
    """It says what was seen last, and that the job may still run."""
    watched = watch()
    with pytest.raises(DeadlineExceeded, match=r"RUNNING.*may still be running"):
        watched.until(WaitUntil.FINISHED, 90)
    assert watched.clock.monotonic() == pytest.approx(90, abs=1)


def test_every_change_is_told_once(watch: Watch, told: list[str]) -> None:
    """One line per decision, with the id."""
    running = flink("RUNNING", 2, 2)
    watch(running, running, running, flink("FINISHED", 2, 2)).until(WaitUntil.FINISHED, 60)
    assert [JOB_ID in line for line in told] == [True, True]


states = st.text() | st.sampled_from(sorted(FAILED_STATES | ENDED_BY_SOMEBODY | {FINISHED}))


@given(st.none() | states, st.none() | states, st.sampled_from(WaitUntil))
def test_a_state_is_never_both_failed_and_reached(
    arm: str | None, state: str | None, until: WaitUntil
) -> None:
    """And only known ends end a wait for the end."""
    view = JobProgress(ArmFlinkJob(status=arm), flink(state) if state else None)
    assert not (view.failure and view.has_reached(until))
    if until is WaitUntil.FINISHED and (view.failure or view.has_reached(until)):
        assert view.state in FAILED_STATES | ENDED_BY_SOMEBODY | {FINISHED}


@given(st.none() | st.text())
def test_any_text_has_a_last_cause_or_none(text: str | None) -> None:
    """Job output is free text."""
    cause = last_cause(text)
    assert cause is None or "\n" not in cause
