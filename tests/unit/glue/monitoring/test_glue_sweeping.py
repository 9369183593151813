"""Orphans are stopped only when they still are orphans right before the stop."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from flinkglue.errors import ServiceUnavailable
from flinkglue.glue.models import JobRun
from flinkglue.glue.monitoring.sweep import RunCondition, SweptRun
from flinkglue.glue.monitoring.sweeping import MOST_IDS_A_STOP, JudgeAgain, stop_orphans
from tests.contract.aws.aws_cloud import HastyClock
from tests.unit.glue.glue_on_the_wire import RunsOnTheWire

LOG = logging.getLogger(__name__)


@pytest.fixture
def wire() -> RunsOnTheWire:
    """Where a run that stops has stopped at the second look at the list."""
    wire = RunsOnTheWire()

    def ends(operation: str, _: object) -> None:
        if operation == "GetJobRuns":
            for run in [run for runs in wire.runs.values() for run in runs]:
                if run["JobRunState"] == "STOPPING":
                    run["JobRunState"] = "STOPPED"

    wire.before = ends
    return wire


def orphan(run: JobRun) -> SweptRun:
    return SweptRun(run, "owner", None, RunCondition.ORPHAN, "its flow run is Cancelled")


def swept(wire: RunsOnTheWire, runs: Sequence[JobRun], judge_again: JudgeAgain) -> list[SweptRun]:
    return stop_orphans(
        wire.client,
        [orphan(run) for run in runs],
        judge_again=judge_again,
        deadline_seconds=60,
        log=LOG,
        clock=HastyClock(0),
    )


def states(wire: RunsOnTheWire) -> list[str]:
    return [run["JobRunState"] for runs in wire.runs.values() for run in runs]


def test_a_run_whose_flow_run_was_retried_meanwhile_is_not_stopped(wire: RunsOnTheWire) -> None:
    """While an earlier batch was being stopped, for example: each batch is judged on its own."""
    runs = [wire.start("nightly", at=at) for at in range(MOST_IDS_A_STOP + 2)]
    retried = runs[-1].job_run_id

    def retried_after_the_first_stop(some: Sequence[SweptRun]) -> list[SweptRun]:
        if "BatchStopJobRun" not in wire.calls:
            return list(some)
        wanted = RunCondition.WANTED
        return [
            replace(each, condition=wanted) if each.run.job_run_id == retried else each
            for each in some
        ]

    after = swept(wire, runs, retried_after_the_first_stop)
    assert states(wire) == ["STOPPED"] * (len(runs) - 1) + ["STARTING"]
    assert [each.condition for each in after[:-1]] == [RunCondition.STOPPED] * (len(runs) - 1)
    assert after[-1].condition is RunCondition.WANTED
    assert wire.counted()["BatchStopJobRun"] == 2


def test_nothing_is_stopped_when_nobody_is_an_orphan_any_more(wire: RunsOnTheWire) -> None:
    [after] = swept(
        wire,
        [wire.start("nightly")],
        lambda some: [replace(each, condition=RunCondition.WANTED) for each in some],
    )
    assert after.condition is RunCondition.WANTED
    assert wire.counted() == {}


def test_what_cannot_be_judged_again_is_not_stopped_and_says_why(wire: RunsOnTheWire) -> None:
    def away(some: Sequence[SweptRun]) -> list[SweptRun]:
        if some[0].run.job_name == "nightly":
            raise ServiceUnavailable("Prefect", "POST /flow_runs/filter", "1 flow runs", "away")
        return list(some)

    first, second = swept(wire, [wire.start("nightly"), wire.start("weekly")], away)
    assert first.condition is RunCondition.ORPHAN
    assert "POST /flow_runs/filter" in first.note
    assert second.condition is RunCondition.STOPPED
    assert states(wire) == ["STARTING", "STOPPED"]
