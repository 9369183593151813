"""The eleven actions over a pretended ARM: one job per intent, whatever the service answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest

from flinkglue.errors import DeadlineExceeded, InDoubt, InvalidInput
from flinkglue.lifecycle.backend import (
    FlinkBackend,
    Launch,
    LaunchRefused,
    SavepointFailed,
    SavepointRequest,
    StoredSavepoints,
)
from flinkglue.lifecycle.models import Action, Jar, JobView, Savepoint
from flinkglue.lifecycle.savepoint_formats import SavepointFormat
from flinkglue.lifecycle.transaction import Refused
from tests.unit.azure.jobs.arm_world import NAME, OPTIONS, World, running_world, spec
from tests.unit.azure.jobs.fake_arm import SAVEPOINTS, FakeArm
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.lifecycle.lifecycle_world import Killed


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def running() -> World:
    """One job runs."""
    return running_world()


@pytest.mark.parametrize("action", [Action.SAVEPOINT, Action.STOP])
def test_a_format_that_arms_actions_do_not_take_is_not_passed_over(
    running: World, action: Action
) -> None:
    """What would be written is canonical, whatever was chosen."""
    native = replace(OPTIONS, savepoint_format=SavepointFormat.NATIVE)
    outcome = running.act(action, options=native)
    assert "ARM's actions take no savepoint format" in outcome.failure
    assert running.actions_asked() == []
    running.act(action, "again").raise_for_failure()
    assert running.journal.savepoints(NAME)[0].format == "CANONICAL"


def test_each_action_is_arms_own_where_that_means_the_same(running: World) -> None:
    """The row stays one: START and STATELESS_UPDATE go on with it."""
    running.act(Action.SAVEPOINT).raise_for_failure()
    stopped = running.act(Action.STOP).raise_for_failure()
    started = running.act(Action.START).raise_for_failure()
    assert started.savepoint_path == stopped.savepoint_path
    running.act(Action.UPDATE, spec=spec("v2.jar")).raise_for_failure()
    running.act(Action.STATELESS_UPDATE).raise_for_failure()
    running.act(Action.CANCEL).raise_for_failure()
    running.act(Action.DELETE).raise_for_failure()
    assert running.actions_asked() == [
        "SAVEPOINT", "STOP", "START", "STOP", "START", "CANCEL", "STATELESS_UPDATE", "CANCEL",
        "DELETE",
    ]  # fmt: skip
    assert running.arm.most_live == 1
    start = running.arm.asked[2]
    assert start["savePointName"] == str(stopped.savepoint_path).rpartition("/")[2]
    assert start["jarName"] == "good.jar"
    assert running.arm.rows == []


def test_an_update_whose_launch_fails_returns_to_the_old_jar(running: World) -> None:
    running.arm.bad_jars = {"bad.jar"}
    outcome = running.act(Action.UPDATE, spec=spec("bad.jar"))
    assert outcome.rolled_back
    assert "java.lang.IllegalStateException: bad release" in outcome.failure
    assert outcome.job_id == running.job_id()
    (row,) = running.arm.rows
    assert row["jarName"] == "good.jar"
    assert running.actions_asked() == ["STOP", "START", "START"]
    names = {asked.get("savePointName") for asked in running.arm.asked[1:]}
    assert names == {str(outcome.savepoint_path).rpartition("/")[2]}


def test_a_job_whose_re_launch_failed_is_still_known(running: World) -> None:
    """The row names the job before that launch, and that is not taken for a stranger's."""
    checkpoint = f"{SAVEPOINTS}/chk-1"
    running.arm.bad_jars = {"good.jar"}
    sure = replace(OPTIONS, roll_back=False)  # ARM alone does not tell whether it is there
    failed = running.act(Action.RE_LAUNCH, "first", savepoint_path=checkpoint, options=sure)
    assert failed.failure.endswith(f"its state is kept in {checkpoint}")
    assert running.arm.live() == []
    running.arm.bad_jars = set()
    again = running.act(Action.RE_LAUNCH, "again", savepoint_path=checkpoint)
    assert again.raise_for_failure().job_id == running.job_id()


@pytest.mark.parametrize("hides", [0, 3])
def test_a_submit_whose_answer_is_lost_is_found_and_not_sent_again(
    world: World, hides: int
) -> None:
    world.arm.drop, world.arm.hides = True, hides
    outcome = world.act(Action.NEW, spec=spec()).raise_for_failure()
    assert outcome.job_id == world.job_id()
    assert world.actions_asked() == ["NEW"]


def test_a_submit_that_nobody_sees_is_in_doubt_and_found_by_the_next_try(world: World) -> None:
    world.arm.drop, world.arm.hides = True, 1000
    with pytest.raises(InDoubt):
        world.act(Action.NEW, spec=spec())
    world.arm._hidden.clear()
    outcome = world.act(Action.NEW, spec=spec()).raise_for_failure()
    assert outcome.job_id == world.job_id()
    assert world.actions_asked() == ["NEW"]


def test_a_ghost_row_is_no_job(world: World) -> None:
    """It neither stands in the way nor counts as the job that was sent."""
    world.arm.rows.append({"jobName": NAME, "jobType": "FlinkJob", "action": "NEW"})
    outcome = world.act(Action.NEW, spec=spec()).raise_for_failure()
    assert outcome.job_id == world.job_id()
    assert world.actions_asked() == ["NEW"]


def test_of_double_names_the_recorded_job_is_acted_on(running: World) -> None:
    """By its run id; an older one that has ended does not confuse it."""
    old = {**running.arm.rows[0], "runId": "old", "jobId": "f" * 32, "status": "CANCELED"}
    running.arm.rows.append(old)
    ours = running.job_id()
    outcome = running.act(Action.STOP).raise_for_failure()
    assert outcome.previous_job_id == ours
    assert running.arm.asked[0]["runId"] == "job-1"
    old["status"] = "RUNNING"
    running.arm.rows[0]["status"] = "RUNNING"
    with pytest.raises(Refused, match="2 live jobs have this name"):
        running.act(Action.STOP, "again")


def test_a_stop_that_fails_leaves_the_job_and_tells_the_cause(running: World) -> None:
    """STOP-FAILED is neither an end nor an unknown job: the next STOP is asked for."""
    running.arm.saves = False
    failed = running.act(Action.STOP)
    assert "java.io.IOException: full" in failed.failure
    assert running.arm.rows[0]["status"] == "STOP-FAILED"
    running.arm.saves = True
    assert running.act(Action.STOP, "again").raise_for_failure().state == "FINISHED"


def test_an_action_in_progress_is_waited_for_and_not_asked_twice(running: World) -> None:
    running.arm.rows[0].update(action="SAVEPOINT", actionResult="IN_PROGRESS")
    with pytest.raises(DeadlineExceeded):
        running.act(Action.STOP)
    assert running.actions_asked() == []
    running.arm.rows[0]["actionResult"] = "SUCCESS"
    running.act(Action.STOP).raise_for_failure()
    assert running.actions_asked() == ["STOP"]


def test_an_operation_that_fails_refuses_the_launch(world: World) -> None:
    world.arm.fails_operations = True
    outcome = world.act(Action.NEW, spec=spec())
    assert "no capacity" in outcome.failure
    assert world.arm.live() == []


def test_a_service_that_starts_something_else_is_noticed(running: World) -> None:
    """A setting that was taken out stays in ARM's row: it is cancelled, and the old job is back."""
    running.act(Action.STOP).raise_for_failure()
    running.arm.rows[0]["flinkConfiguration"]["state.backend"] = "rocksdb"
    outcome = running.act(Action.START)
    assert "keeps state.backend" in outcome.failure
    assert running.arm.live() == []


class FlinkBesideArm:
    """The cluster's JobManager, as far as launches look at it."""

    def __init__(self, arm: FakeArm, restored_path: str | None) -> None:
        self._arm = arm
        self._restored_path = restored_path

    def guarded(self, check: Callable[[], None]) -> AbstractContextManager[None]:
        """It is only looked at."""
        return nullcontext()

    def find(self, job_name: str) -> list[JobView]:
        return []

    def view(self, job_id: str) -> JobView | None:
        row = next((row for row in self._arm.rows if row.get("jobId") == job_id), None)
        if row is None:
            return None
        state = "FINISHED" if row["status"] == "STOPPED" else str(row["status"])
        every, restored = 1.0, self._restored_path
        return JobView(
            job_id, NAME, state, 1, 1, checkpoint_every_seconds=every, restored_path=restored
        )


@pytest.mark.parametrize("restored", [None, f"{SAVEPOINTS}/savepoint-other", "same"])
def test_a_service_that_drops_the_state_is_noticed(running: World, restored: str | None) -> None:
    """What Flink says it was restored from counts: anything else is cancelled, never kept."""
    path = str(running.act(Action.STOP).raise_for_failure().savepoint_path)
    flink: Any = FlinkBesideArm(running.arm, path if restored == "same" else restored)
    backend = running.arm.backend(running.clock, flink=flink)
    launch = Launch(spec(), "a" * 32, path, running.arm.rows[0]["jobId"])
    if restored == "same":
        assert backend.submit(launch).job_id == running.job_id()
        return
    with pytest.raises(LaunchRefused, match=f"started from {restored or 'nothing'}"):
        backend.submit(launch)
    assert running.arm.live() == []


class RestartedFlink:
    """A JobManager that has forgotten its jobs; savepoints lie in storage."""

    def __init__(self, *paths: str) -> None:
        self._paths = paths

    def view(self, job_id: str) -> None:
        return None

    def find(self, job_name: str) -> list[JobView]:
        return []

    def stored_savepoints(self, job_name: str, job_ids: frozenset[str]) -> StoredSavepoints:
        return StoredSavepoints(tuple(Savepoint(job_name, "", path, 0.0) for path in self._paths))


@pytest.mark.parametrize("stored", [(), (f"{SAVEPOINTS}/savepoint-1",)])
def test_a_savepoint_whose_job_was_lost_before_arm_saw_it_is_not_lost(
    running: World, stored: tuple[str, ...]
) -> None:
    """The JobManager was restarted when the savepoint was good and ARM had not noticed."""
    flink = cast(FlinkBackend, RestartedFlink(*stored))
    backend = running.arm.backend(running.clock, flink=flink)
    newest = stored[0] if stored else None
    earlier = SavepointRequest(running.job_id(), "t", earlier_path=newest, requested_before=True)
    for request in (earlier, replace(earlier, earlier_path=f"{SAVEPOINTS}/savepoint-0")):
        expected = stored[0] if stored and request is not earlier else None
        with pytest.raises(SavepointFailed) as failed:
            backend.savepoint(request)
        assert failed.value.path == expected
        if expected:
            assert backend.stop_with_savepoint(request) == expected
        else:
            with pytest.raises(SavepointFailed, match="no longer exists"):
                backend.stop_with_savepoint(request)
    assert running.actions_asked() == []


class FlinkWithStrays:
    """Flink runs what main() submitted before it failed; ARM calls that launch failed."""

    def __init__(self, arm: FakeArm, *before: str) -> None:
        self._arm = arm
        self._before = before
        self.cancelled: list[str] = []

    def _ids(self) -> list[str]:
        failed = [row for row in self._arm.rows if row["status"] == "JOB_LAUNCH_FAILED"]
        return [*self._before, *("f" * 32 for _ in failed[:1])]

    def find(self, job_name: str) -> list[JobView]:
        live = [job_id for job_id in self._ids() if job_id not in self.cancelled]
        return [JobView(job_id, job_name, "RUNNING", 1, 1) for job_id in live]

    def view(self, job_id: str) -> JobView | None:
        return next((job for job in self.find(NAME) if job.job_id == job_id), None)

    def cancel(self, job_id: str) -> None:
        self.cancelled.append(job_id)


def test_a_job_that_a_failed_launch_submitted_does_not_live_on(world: World) -> None:
    """ARM cannot act on it, and the old job would come back beside it."""
    world.arm.bad_jars.add("bad.jar")
    flink = FlinkWithStrays(world.arm, "e" * 32)
    backend = world.arm.backend(world.clock, flink=cast(FlinkBackend, flink))
    with pytest.raises(LaunchRefused, match=r"bad release\. main\(\) had submitted job f+"):
        backend.submit(Launch(spec("bad.jar"), "a" * 32))
    assert flink.cancelled == ["f" * 32]


def killed_after_a_failed_launch(world: World, *before: str) -> tuple[FlinkWithStrays, Launch]:
    """A launch that ARM calls failed; its process died before it ended what main() submitted."""
    world.arm.bad_jars.add("bad.jar")
    flink = FlinkWithStrays(world.arm, *before)
    launch = Launch(spec("bad.jar"), "a" * 32)
    world.arm.drop = True
    with pytest.raises(LaunchRefused):
        world.arm.backend(world.clock, flink=cast(FlinkBackend, flink)).submit(launch)
    flink.cancelled.clear()
    return flink, replace(launch, requested_before=True)


def test_the_next_process_ends_it_by_what_ran_before_the_launch(world: World) -> None:
    flink, launch = killed_after_a_failed_launch(world, "e" * 32)
    backend = world.arm.backend(world.clock, flink=cast(FlinkBackend, flink))
    with pytest.raises(LaunchRefused, match=r"main\(\) had submitted job f+"):
        backend.submit(replace(launch, live_before=frozenset({"e" * 32})))
    assert flink.cancelled == ["f" * 32]


def test_where_nobody_wrote_that_down_nothing_is_launched_beside_it(world: World) -> None:
    """As the version before did not: the old job would come back beside it."""
    flink, launch = killed_after_a_failed_launch(world)
    backend = world.arm.backend(world.clock, flink=cast(FlinkBackend, flink))
    with pytest.raises(InDoubt, match=r"Flink runs job f+ under this name"):
        backend.submit(launch)
    assert flink.cancelled == []
    flink.cancelled.append("f" * 32)  # by a person
    with pytest.raises(LaunchRefused):
        backend.submit(launch)


def test_what_ran_before_is_written_down_before_anything_is_sent(world: World) -> None:
    world.boundaries.at_what = "POST runJob"
    with pytest.raises(Killed):
        world.act(Action.NEW, "new", spec=spec())
    world.boundaries.restart()
    entry = world.journal.entry("new")
    assert entry
    assert entry.facts["new_launch"]["live_before"] == []
    assert world.actions_asked() == []


def test_what_runs_when_a_launch_is_sent_again_may_be_its_own(world: World) -> None:
    """ARM shows no row of it: the process died between the decision and what ARM made of it."""
    flink = FlinkWithStrays(world.arm, "e" * 32)
    backend = world.arm.backend(world.clock, flink=cast(FlinkBackend, flink))
    launch = Launch(spec(), "a" * 32, requested_before=True, live_before=frozenset())
    with pytest.raises(InDoubt, match="may have submitted"):
        backend.submit(launch)
    assert world.actions_asked() == []


def test_a_launch_that_flink_has_lost_comes_to_an_end(world: World) -> None:
    """ARM's row stays as it was: another look tells nothing new, and nothing is sent again."""
    backend = world.arm.backend(world.clock, flink=cast(FlinkBackend, RestartedFlink()))
    launch = Launch(spec(), "a" * 32)
    for requested_before in (False, True):
        with pytest.raises(LaunchRefused, match="JobManager was restarted and lost the job"):
            backend.submit(replace(launch, requested_before=requested_before))
    assert world.actions_asked() == ["NEW"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"restore_mode": "CLAIM"}, "restore_mode"),
        ({"allow_non_restored_state": True}, "allow_non_restored_state"),
        ({"entry_class": None}, "entry_class"),
        ({"args": ("two words",)}, r"args\[0\]"),
        ({"jar": Jar("https://x/y.jar", "0" * 64)}, "^jar: 'https://x/y.jar' is not"),
        ({"job_name": "Orders"}, "job_name"),
    ],
)
def test_what_arm_would_misread_is_refused_before_any_call(
    changes: dict[str, Any], field: str
) -> None:
    arm = FakeArm()

    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    with pytest.raises(InvalidInput, match=field):
        arm.backend(Clock(), never).check_jar(spec(**changes))
