"""The eleven actions over a pretended ARM: one job per intent, whatever the service answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.azure.job_rows import listed_savepoints, row_of, savepoint_of, state_of, view_of
from flinkglue.azure.models import ArmFlinkJob
from flinkglue.errors import DeadlineExceeded, InDoubt, InvalidInput
from flinkglue.lifecycle.actions import perform
from flinkglue.lifecycle.backend import (
    FlinkBackend,
    Launch,
    LaunchRefused,
    SavepointFailed,
    SavepointRequest,
    StoredSavepoints,
)
from flinkglue.lifecycle.journal import Journal
from flinkglue.lifecycle.models import (
    TERMINAL_STATES,
    Action,
    Jar,
    JobSpec,
    JobView,
    Outcome,
    Savepoint,
)
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.transaction import ActionOptions, ActionRequest, Refused
from tests.unit.fake_arm import DIRECTORY, SAVEPOINTS, STEADY, FakeArm
from tests.unit.fake_flink_jobs import Clock
from tests.unit.lifecycle_world import Boundaries, Killed, MemoryStore

NAME = "orders"
OPTIONS = ActionOptions(ready=ReadyLimits(within_seconds=60, stable_seconds=2), pace=STEADY)
RESTORING = {Action.LAST_STATE_UPDATE, Action.RE_LAUNCH}


def spec(jar_name: str = "good.jar", **changes: Any) -> JobSpec:
    jar = Jar(f"{DIRECTORY}/{jar_name}", jar_name.encode().hex().ljust(64, "0")[:64])
    return replace(JobSpec(NAME, jar, "com.example.Job", ("--rate", "5")), **changes)


class World:
    """ARM, a journal, and processes that may be killed at every call."""

    def __init__(self) -> None:
        self.arm = FakeArm()
        self.clock = Clock()
        self.boundaries = Boundaries()
        self.journal = Journal(MemoryStore(self.boundaries))

    def _send(self, request: httpx.Request) -> httpx.Response:
        what = f"{request.method} {request.url.path.rsplit('/', 1)[-1]}"
        answer: httpx.Response = self.boundaries.cross(what, lambda: self.arm(request))
        return answer

    def act(self, action: Action, intent: str = "", **request: Any) -> Outcome:
        asked = ActionRequest(intent or action, action, NAME, **request)
        backend = self.arm.backend(self.clock, self._send)
        now = self.clock.monotonic
        return perform(asked, backend, self.journal, options=OPTIONS, clock=self.clock, now=now)

    def actions_asked(self) -> list[str]:
        return [asked["action"] for asked in self.arm.asked]

    def job_id(self) -> str:
        """The one live job."""
        (row,) = self.arm.live()
        return str(row["jobId"])


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def running(world: World) -> World:
    """One job runs."""
    world.act(Action.NEW, "setup", spec=spec()).raise_for_failure()
    world.arm.asked.clear()
    return world


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
    failed = running.act(Action.RE_LAUNCH, "first", savepoint_path=checkpoint)
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

    def stored_savepoints(self, job_name: str, job_ids: frozenset[str]) -> StoredSavepoints:
        return StoredSavepoints(tuple(Savepoint(job_name, "", path, 0.0) for path in self._paths))


@pytest.mark.parametrize("stored", [(), (f"{SAVEPOINTS}/savepoint-1",)])
def test_a_savepoint_whose_job_was_lost_before_arm_saw_it_is_not_lost(
    running: World, stored: tuple[str, ...]
) -> None:
    """The JobManager was restarted when the savepoint was good and ARM had not noticed."""
    flink = cast(FlinkBackend, RestartedFlink(*stored))
    backend = running.arm.backend(running.clock, flink=flink)
    earlier = SavepointRequest(running.job_id(), "t", earlier_path=stored[0] if stored else None)
    for request in (earlier, replace(earlier, earlier_path=f"{SAVEPOINTS}/savepoint-0")):
        expected = stored[0] if stored and request is not earlier else None
        with pytest.raises(SavepointFailed) as failed:
            backend.savepoint(request)
        assert failed.value.path == expected
        if expected:
            assert backend.stop_with_savepoint(request) == expected
        else:
            with pytest.raises(SavepointFailed, match="not there any more"):
                backend.stop_with_savepoint(request)
    assert running.actions_asked() == []


def test_a_launch_that_flink_has_lost_comes_to_an_end(world: World) -> None:
    """ARM's row stays as it was: another look tells nothing new, and nothing is sent again."""
    backend = world.arm.backend(world.clock, flink=cast(FlinkBackend, RestartedFlink()))
    launch = Launch(spec(), "a" * 32)
    for asked_before in (False, True):
        with pytest.raises(LaunchRefused, match="JobManager was restarted and lost the job"):
            backend.submit(replace(launch, asked_before=asked_before))
    assert world.actions_asked() == ["NEW"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"restore_mode": "CLAIM"}, "restore_mode"),
        ({"allow_non_restored_state": True}, "allow_non_restored_state"),
        ({"entry_class": None}, "entry_class"),
        ({"args": ("two words",)}, r"args\[0\]"),
        ({"jar": Jar("https://x/y.jar", "0" * 64)}, "job_jar_directory"),
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


SETUPS: dict[Action, Any] = {
    Action.NEW: {"spec": spec()},
    Action.START: {},
    Action.STOP: {},
    Action.UPDATE: {"spec": spec("v2.jar")},
    Action.STATELESS_UPDATE: {"spec": spec("v2.jar")},
    Action.LAST_STATE_UPDATE: {"savepoint_path": f"{SAVEPOINTS}/chk-1"},
    Action.RE_LAUNCH: {"savepoint_path": f"{SAVEPOINTS}/chk-1"},
    Action.SAVEPOINT: {},
    Action.CANCEL: {},
    Action.DELETE: {},
}


def _prepared(action: Action) -> World:
    world = World()
    if action is not Action.NEW:
        world.act(Action.NEW, "setup", spec=spec()).raise_for_failure()
    if action is Action.START:
        world.act(Action.STOP, "setup-stop").raise_for_failure()
    if action is Action.DELETE:
        world.act(Action.CANCEL, "setup-cancel").raise_for_failure()
    world.boundaries.restart()
    world.arm.asked.clear()
    return world


def _assert_done_once(world: World, action: Action, outcome: Outcome) -> None:
    assert outcome.succeeded, (outcome.failure, outcome.story)
    runs = action not in (Action.STOP, Action.CANCEL, Action.DELETE)
    assert len(world.arm.live()) == runs
    assert world.arm.most_live <= 1
    if runs:
        assert world.journal.job_record(NAME).job_id == world.job_id()
    if action in (Action.STOP, Action.UPDATE, Action.SAVEPOINT):
        paths = [savepoint.path for savepoint in world.journal.savepoints(NAME)]
        assert paths == [outcome.savepoint_path]
    launches = [asked for asked in world.actions_asked() if asked in ("NEW", "START")]
    assert len(launches) <= 1


@pytest.mark.parametrize("action", SETUPS)
@pytest.mark.parametrize("before", [True, False])
def test_a_process_killed_at_any_call_and_run_again_does_it_once(
    action: Action, before: bool
) -> None:
    """Every request and every write to the journal, before it is done and after."""
    counted = _prepared(action)
    counted.act(action, **SETUPS[action])
    for at in range(len(counted.boundaries.passed)):
        world = _prepared(action)
        world.boundaries.at, world.boundaries.before = at, before
        with pytest.raises(Killed):
            world.act(action, **SETUPS[action])
        world.boundaries.restart()
        _assert_done_once(world, action, world.act(action, **SETUPS[action]))


anything = st.none() | st.text(max_size=12) | st.integers() | st.lists(st.text(max_size=3))
PROPERTIES = (
    "jobName", "runId", "jobId", "action", "status", "actionResult", "jobOutput", "lastSavePoint",
    "flinkConfiguration", "args",
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(PROPERTIES), anything))
def test_no_row_crashes_the_backend(properties: dict[str, Any]) -> None:
    """Missing fields and unknown statuses are read, and never count as an end."""
    row = ArmFlinkJob.from_row({"properties": properties})
    view = view_of(row)
    savepoint_of(row), listed_savepoints(row), row_of([row], "x" * 32)
    known = {"FINISHED", "CANCELED", "FAILED", "STOPPED", "CANCELLED", "DELETED"}
    status = str(properties.get("status")).strip().upper().replace("-", "_")
    if status not in known | {"JOB_LAUNCH_FAILED", "LAUNCH_FAILED"}:
        assert state_of(row) not in TERMINAL_STATES
        assert not view.is_terminal


@given(st.lists(st.dictionaries(st.sampled_from(PROPERTIES), anything), max_size=4))
def test_rows_of_others_never_stop_a_launch(rows: list[dict[str, Any]]) -> None:
    arm = FakeArm()
    arm.rows = [{**row, "jobName": "another"} for row in rows]
    view = arm.backend(Clock()).submit(Launch(spec(), "a" * 32))
    assert view.state == "RUNNING"


@pytest.mark.parametrize(
    ("output", "paths"),
    [
        ('["abfs://c@a.dfs.net/s/savepoint-2", "abfs://c@a.dfs.net/s/savepoint-1/"]', [2, 1]),
        ("abfs://c@a.dfs.net/s/savepoint-1\nabfs://c@a.dfs.net/s/savepoint-2", [1, 2]),
        (r'{"list":["abfs:\/\/c@a.dfs.net\/s\/savepoint-1"]}', [1]),
        ('"abfs://c@a.dfs.net/s/savepoint-1\\nabfs://c@a.dfs.net/s/savepoint-2"', [1, 2]),
        ("none", []),
    ],
)
def test_savepoints_are_read_from_whatever_text_lists_them(output: str, paths: list[int]) -> None:
    """The shape of LIST_SAVEPOINT's answer is not published."""
    expected = [f"abfs://c@a.dfs.net/s/savepoint-{number}" for number in paths]
    assert listed_savepoints(ArmFlinkJob(job_output=output)) == expected


def test_a_savepoint_in_a_directory_with_a_space_is_one_savepoint() -> None:
    path = "file:/home/a b/local cloud/savepoints/savepoint-0a1b2c-0123456789ab"
    assert listed_savepoints(ArmFlinkJob(job_output=json.dumps([path, path]))) == [path]
    assert listed_savepoints(ArmFlinkJob(job_output=json.dumps({path: {"size": 1}}))) == [path]
    told = ArmFlinkJob(job_output=f"Savepoint completed. Path: {path} (1 KB)")
    assert savepoint_of(told) == path
