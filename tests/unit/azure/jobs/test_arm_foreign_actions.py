"""Others act on ARM's rows as well: their launches are not doubled, their failures are theirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flinkglue.azure.jobs.rows import row_of
from flinkglue.azure.models import ArmFlinkJob
from flinkglue.errors import Conflict, DeadlineExceeded
from flinkglue.lifecycle.backend import Launch
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.transaction import Refused
from tests.unit.azure.jobs.arm_world import NAME, World, running_world, spec
from tests.unit.azure.jobs.fake_arm import SAVEPOINTS

ROW: dict[str, Any] = {
    "jobType": "FlinkJob", "jobName": NAME, "runId": "job-of-somebody", "action": "NEW",
    "actionResult": "IN_PROGRESS",
}  # fmt: skip


def test_a_launch_that_somebody_else_has_under_way_is_not_doubled() -> None:
    """Refused in the plan, by the name of its row, with nothing sent."""
    world = World()
    world.arm.rows.append(dict(ROW))
    with pytest.raises(Refused, match="job job-of-somebody has this name and is CREATED"):
        world.act(Action.NEW, spec=spec())
    assert world.actions_asked() == []
    world.arm.rows.clear()
    world.act(Action.NEW, spec=spec()).raise_for_failure()


@pytest.mark.parametrize("action", [Action.UPDATE, Action.STATELESS_UPDATE, Action.SAVEPOINT])
def test_beside_a_launch_under_way_the_name_means_two_jobs(action: Action) -> None:
    """The job that runs is not stopped for a launch that would be the second one."""
    world = running_world()
    world.arm.rows.append(dict(ROW))
    more: dict[str, Any] = {"spec": spec("v2.jar")} if action is Action.UPDATE else {}
    with pytest.raises(Refused, match=r"2 live jobs have this name.*job-of-somebody"):
        world.act(action, **more)
    assert world.actions_asked() == []


@pytest.mark.parametrize(
    "row", [ROW, ROW | {"action": "START", "jobId": "c" * 32, "status": "STOPPED"}]
)
def test_a_launch_that_began_after_the_plan_is_a_conflict_that_names_its_row(
    row: dict[str, Any],
) -> None:
    """A START shows the job before it until it has another."""
    world = World()
    world.arm.rows.append(dict(row))
    backend = world.arm.backend(world.clock)
    with pytest.raises(Conflict, match=f"{row['action']} of row job-of-somebody is in progress"):
        backend.submit(Launch(spec(), "a" * 32))
    assert world.actions_asked() == []


@pytest.mark.parametrize("action", ["STOP", "CANCEL", "SAVEPOINT"])
def test_another_action_on_a_job_that_has_ended_is_no_launch(action: str) -> None:
    """ARM's row may show our own CANCEL in progress a moment longer than Flink the job."""
    world = running_world()
    ended = {"status": "CANCELED", "action": action, "actionResult": "IN_PROGRESS"}
    world.arm.rows[0].update(ended)
    world.act(Action.STATELESS_UPDATE).raise_for_failure()
    assert world.actions_asked() == ["STATELESS_UPDATE"]


@pytest.mark.parametrize("action", ["SAVEPOINT", "LIST_SAVEPOINT", "STOP"])
def test_a_failed_action_of_somebody_else_is_no_failed_launch(action: str) -> None:
    """The job runs: refused, it would be ended for the old jar, or started twice."""
    world = running_world()
    world.act(Action.STOP, "stop").raise_for_failure()

    def somebody_acts(looks: int) -> None:
        world.arm.rows[0].update(action=action, actionResult="FAILED", jobOutput="full")

    world.arm.at_look_after_asking = somebody_acts
    outcome = world.act(Action.START).raise_for_failure()
    assert outcome.job_id == world.job_id()


def test_a_launch_is_known_by_its_setting_or_its_row() -> None:
    ours = ArmFlinkJob(NAME, "job-1", flink_configuration={"flinkglue.launch": "a" * 32})
    rows = [ours, replace(ours, run_id="job-2", flink_configuration={})]
    assert row_of(rows, "a" * 32) is rows[0]
    assert row_of(rows, "job-2") is rows[1]
    assert row_of(rows, "job-1") is None
    assert row_of([replace(ours, run_id=None, flink_configuration={})], "") is None


def test_a_savepoint_is_named_in_the_rows_own_directory_however_that_is_spelled() -> None:
    world = running_world()
    path = str(world.act(Action.STOP).raise_for_failure().savepoint_path)
    spelled = path.replace("abfs://", "abfss://")
    world.act(Action.START, savepoint_path=spelled).raise_for_failure()
    assert world.arm.asked[-1]["savePointName"] == path.removeprefix(f"{SAVEPOINTS}/")


def test_savepoints_are_not_asked_for_while_another_action_is_in_progress() -> None:
    """Its output would be replaced; the page says why they were not listed."""
    world = running_world()
    world.act(Action.SAVEPOINT).raise_for_failure()
    world.arm.asked.clear()
    progress = {"action": "STOP", "actionResult": "IN_PROGRESS", "jobOutput": "stopping"}
    world.arm.rows[0].update(progress)
    listed = world.act(Action.LIST_SAVEPOINT)
    assert "STOP of row job-1 is in progress" in "".join(listed.story)
    assert len(listed.savepoints) == 1, "the ledger's"
    assert world.actions_asked() == []
    assert world.arm.rows[0]["jobOutput"] == "stopping"


@pytest.mark.parametrize("lags", [0, 2])
def test_a_list_of_savepoints_that_fails_is_told_and_not_empty(lags: int) -> None:
    world = running_world()
    world.arm.saves, world.arm.lags = False, lags
    story = "".join(world.act(Action.LIST_SAVEPOINT).story)
    assert "java.io.IOException: no storage" in story


def test_a_list_of_savepoints_whose_operation_fails_is_told() -> None:
    world = running_world()
    world.arm.fails_operations = True
    assert "no capacity" in "".join(world.act(Action.LIST_SAVEPOINT).story)


class TestALaunchThatArmNeverFinishes:
    """Its row stays in progress and names no job."""

    def test_cancel_ends_it_so_that_its_name_is_free(self) -> None:
        world = World()
        world.arm.rows.append(dict(ROW))
        world.act(Action.CANCEL).raise_for_failure()
        assert world.actions_asked() == ["CANCEL"]
        assert world.arm.asked[0]["runId"] == "job-of-somebody"
        world.act(Action.NEW, spec=spec()).raise_for_failure()

    def test_but_not_while_it_may_only_be_slow(self) -> None:
        """It is given as long as the list may lag, and then it has its job, which is cancelled."""
        world = World()
        row = dict(ROW)
        world.arm.rows.append(row)
        began, slept = world.clock.monotonic(), world.clock.sleep

        def sleep(seconds: float) -> None:
            slept(seconds)
            if world.clock.monotonic() - began > 50 and "jobId" not in row:
                assert world.actions_asked() == []
                row.update(jobId="c" * 32, status="RUNNING", actionResult="SUCCESS")

        world.clock.sleep = sleep  # type: ignore[method-assign]
        world.act(Action.CANCEL).raise_for_failure()
        assert world.actions_asked() == ["CANCEL"]
        assert world.clock.monotonic() - began < 60

    def test_and_arms_own_update_of_a_job_is_left_alone(self) -> None:
        """It takes a savepoint first, for as long as that takes."""
        world = running_world()
        world.arm.rows[0].update(action="UPDATE", actionResult="IN_PROGRESS")
        with pytest.raises(DeadlineExceeded):
            world.arm.backend(world.clock).cancel(world.job_id())
        assert world.actions_asked() == []
