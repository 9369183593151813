"""ARM's row shows its newest action, and late: what it said before is no answer to this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from flinkglue.azure.jobs.rows import view_of
from flinkglue.azure.models import ArmFlinkJob
from flinkglue.errors import ServiceUnavailable
from flinkglue.lifecycle.backend import FlinkBackend, SavepointFailed, SavepointRequest
from flinkglue.lifecycle.models import Action, JobView
from flinkglue.lifecycle.state_paths import is_same_path
from tests.unit.azure.jobs.arm_world import NAME, World, running_world, spec
from tests.unit.azure.jobs.fake_arm import SAVEPOINTS, FakeArm
from tests.unit.lifecycle.lifecycle_world import Killed


@pytest.fixture
def failed_before() -> World:
    """A job runs, its STOP failed yesterday, and today the list is two looks behind."""
    world = running_world()
    world.arm.saves = False
    assert "java.io.IOException: full" in world.act(Action.STOP, "yesterday").failure
    world.arm.saves, world.arm.lags = True, 2
    world.arm.asked.clear()
    world.boundaries.restart()
    return world


def test_yesterdays_failure_is_not_todays_answer(failed_before: World) -> None:
    """Taken for it, the update would leave the job that ARM has just stopped."""
    outcome = failed_before.act(Action.UPDATE, spec=spec("v2.jar")).raise_for_failure()
    assert failed_before.actions_asked() == ["STOP", "START"]
    assert outcome.job_id == failed_before.job_id()
    (savepoint,) = failed_before.journal.savepoints(NAME)
    assert savepoint.path == outcome.savepoint_path


@pytest.mark.parametrize("before", [True, False])
def test_a_process_that_goes_on_knows_what_the_row_said_before(
    failed_before: World, before: bool
) -> None:
    """The plan has it: neither believed again, nor asked for twice."""
    failed_before.boundaries.at_what, failed_before.boundaries.before = "POST runJob", before
    with pytest.raises(Killed):
        failed_before.act(Action.STOP)
    failed_before.boundaries.restart()
    outcome = failed_before.act(Action.STOP).raise_for_failure()
    assert failed_before.actions_asked() == ["STOP"]
    assert outcome.savepoint_path == failed_before.arm.rows[0]["lastSavePoint"]


@pytest.mark.parametrize("verb", ["stop_with_savepoint", "savepoint"])
def test_so_does_one_whose_plan_was_written_without_what_the_row_said(
    failed_before: World, verb: str
) -> None:
    """By an earlier release: the row may show yesterday's failure, so it looks for its own."""
    failed_before.arm.rows[0]["action"] = "STOP" if verb == "stop_with_savepoint" else "SAVEPOINT"
    backend = failed_before.arm.backend(failed_before.clock)
    request = SavepointRequest(failed_before.job_id(), "t", mark="", requested_before=True)
    path = getattr(backend, verb)(request)
    assert path == failed_before.arm.rows[0]["lastSavePoint"]
    assert len(failed_before.actions_asked()) == 1


def test_a_failure_in_the_same_words_is_believed_when_the_list_cannot_lag_any_more(
    failed_before: World,
) -> None:
    """The cause has not passed: the same action, result and output as yesterday."""
    failed_before.arm.saves = False
    began = failed_before.clock.monotonic()
    assert "java.io.IOException: full" in failed_before.act(Action.STOP).failure
    assert failed_before.clock.monotonic() >= began + 60
    assert failed_before.actions_asked() == ["STOP"]


def test_a_failure_in_the_same_words_is_believed_once_it_was_seen_in_progress(
    failed_before: World,
) -> None:
    arm = failed_before.arm
    arm.saves, arm.lags, began = False, 0, failed_before.clock.monotonic()

    def shows_progress(looks: int) -> None:
        progress = looks == 1
        arm.rows[0]["actionResult"] = "IN_PROGRESS" if progress else "FAILED"

    arm.at_look_after_asking = shows_progress
    assert "java.io.IOException: full" in failed_before.act(Action.STOP).failure
    assert failed_before.clock.monotonic() < began + 60
    assert failed_before.actions_asked() == ["STOP"]


def test_a_stop_that_was_lost_on_its_way_is_asked_for_again(failed_before: World) -> None:
    """Yesterday's failure does not answer for what never arrived."""
    failed_before.arm.drop_before = True
    failed_before.act(Action.STOP).raise_for_failure()
    assert failed_before.actions_asked() == ["STOP", "STOP"]


def test_yesterdays_failed_cancellation_is_not_todays_answer() -> None:
    world = running_world()
    world.arm.rows[0].update(action="CANCEL", actionResult="FAILED", jobOutput="no capacity")
    world.arm.lags = 2
    assert world.act(Action.CANCEL).raise_for_failure().state == "CANCELED"
    assert world.actions_asked() == ["CANCEL"]


@dataclass
class FlinkBeside:
    """The cluster's JobManager, which tells savepoints in words of its own."""

    arm: FakeArm
    tells: Callable[[str], str]
    state: str = "RUNNING"
    leaves: bool = False

    def guarded(self, check: Callable[[], None]) -> AbstractContextManager[None]:
        """It is only looked at."""
        return nullcontext()

    def view(self, job_id: str) -> JobView | None:
        row = next((row for row in self.arm.rows if row.get("jobId") == job_id), None)
        if self.leaves and row is not None and row["status"] == "STOPPED":
            raise ServiceUnavailable("Flink", "GetJob", f"job {job_id}", "connection refused")
        if row is None:
            return None
        state = "FINISHED" if row["status"] == "STOPPED" else self.state
        path = self.tells(row.get("lastSavePoint") or "")
        return JobView(job_id, NAME, state, 1, 1, savepoint_path=path or None)

    def find(self, job_name: str) -> list[JobView]:
        views = (self.view(row["jobId"]) for row in self.arm.rows if row.get("jobId"))
        return [view for view in views if view is not None]

    def flink_version(self) -> str:
        return "1.17.0"

    def settings(self) -> Mapping[str, str]:
        return {}

    def stored_savepoints(self, job_name: str, job_ids: frozenset[str]) -> Any:
        raise AssertionError("the job is there")


def in_flinks_spelling(path: str) -> str:
    return path.replace("abfs://", "abfss://") + "/" if path else ""


TELLINGS = {
    "abfss and a slash": in_flinks_spelling,
    "taken over Flink's REST": lambda path: f"{SAVEPOINTS}/savepoint-of-somebody",
}


@pytest.fixture(params=TELLINGS)
def two_words(request: pytest.FixtureRequest) -> World:
    """A job with a savepoint, which ARM and Flink do not tell in the same words."""
    world = running_world()
    world.act(Action.SAVEPOINT, "before").raise_for_failure()
    world.flink = cast(FlinkBackend, FlinkBeside(world.arm, TELLINGS[request.param]))
    world.arm.asked.clear()
    return world


@pytest.mark.parametrize("lags", [0, 2])
def test_each_savepoint_is_asked_for_and_new(two_words: World, lags: int) -> None:
    """An old one under another name would be told as new for ever."""
    two_words.arm.lags = lags
    paths = []
    for number in range(2):
        outcome = two_words.act(Action.SAVEPOINT, f"savepoint-{number}").raise_for_failure()
        assert is_same_path(outcome.savepoint_path, two_words.arm.rows[0]["lastSavePoint"])
        paths.append(outcome.savepoint_path)
    assert two_words.actions_asked() == ["SAVEPOINT", "SAVEPOINT"]
    assert len(set(paths)) == 2


@pytest.mark.parametrize("application", [True, False])
def test_an_application_that_left_with_its_job_has_stopped_by_arms_word(
    two_words: World, application: bool
) -> None:
    """The JobManager of a session cluster that does not answer is waited for."""
    two_words.arm.application = application
    cast(FlinkBeside, two_words.flink).leaves = True
    if not application:
        with pytest.raises(ServiceUnavailable):
            two_words.act(Action.STOP)
        return
    outcome = two_words.act(Action.STOP).raise_for_failure()
    assert outcome.savepoint_path == two_words.arm.rows[0]["lastSavePoint"]
    assert two_words.journal.savepoints(NAME)[0].path == outcome.savepoint_path


def test_a_stop_of_a_job_that_ended_by_itself_does_not_tell_an_old_savepoint(
    two_words: World,
) -> None:
    """It ended between the plan and the stop."""
    job_id = two_words.job_id()
    backend = two_words.arm.backend(two_words.clock, flink=two_words.flink)
    view = backend.view(job_id)
    assert view is not None
    cast(FlinkBeside, two_words.flink).state = "FINISHED"
    request = SavepointRequest(job_id, "t", view.savepoint_path, mark=view.mark)
    for requested_before in (False, True):
        with pytest.raises(SavepointFailed, match="before a savepoint was taken") as failed:
            backend.stop_with_savepoint(replace(request, requested_before=requested_before))
        assert failed.value.path is None
    assert two_words.actions_asked() == []


def test_the_size_of_an_older_savepoint_is_not_told_of_a_newer_one() -> None:
    """ARM's row has the newer one some seconds before Flink's statistics do."""
    older, newer = f"{SAVEPOINTS}/savepoint-1", f"{SAVEPOINTS}/savepoint-2"
    state = JobView("a" * 32, NAME, "RUNNING", savepoint_path=older, savepoint_size_bytes=5)
    seen = view_of(ArmFlinkJob(NAME, last_save_point=newer), state)
    assert (seen.savepoint_path, seen.savepoint_size_bytes) == (newer, None)
    same = view_of(ArmFlinkJob(NAME, last_save_point=older.replace("abfs:", "abfss:")), state)
    assert same.savepoint_size_bytes == 5
