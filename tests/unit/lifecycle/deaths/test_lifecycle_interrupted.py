"""A flow run that is cancelled or dies while it acts: the job ends as asked, and nobody is blocked.

Each action is interrupted at every call; then the hook runs, is itself interrupted, and runs again.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from flinkglue.flink.jars.sources import JarSource
from flinkglue.lifecycle.execute import execute, last_intent, next_intent
from flinkglue.lifecycle.health.watch import is_desired_to_run
from flinkglue.lifecycle.interrupted import Interrupted, OnCancel
from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, Killed, World

pytestmark = pytest.mark.exhaustive


class CancelledWorld(World):
    """A world in which runs are killed and their hooks run."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.told: list[str] = []

    def ask(self, asked: ActionRequest, by: str) -> Outcome:
        return execute(
            asked,
            next_intent(self.journal, by),
            store=self.store,
            backend=self.backend(),
            identify=JarSource().identify,
            options=self.options(),
            clock=self.clock,
        )

    def is_killed(self, asked: ActionRequest, by: str, at: int) -> bool:
        self.boundaries.restart()
        self.boundaries.at = at
        try:
            self.ask(asked, by)
        except Killed:
            return True
        finally:
            self.boundaries.restart()
        return False

    def interrupted(self, asked: ActionRequest, by: str) -> Interrupted:
        return Interrupted(
            asked,
            last_intent(self.journal, by),
            self.store,
            self.backend(),
            self.told.append,
            self.options(),
            self.clock,
        )

    def hook(
        self, asked: ActionRequest, by: str, on_cancel: OnCancel, at: int | None = None
    ) -> None:
        """The hook in the flow's process, which may be killed, and then in the worker's."""
        self.boundaries.at = at
        with suppress(Killed):
            self.interrupted(asked, by).after_cancellation(on_cancel)
        self.boundaries.restart()
        self.interrupted(asked, by).after_cancellation(on_cancel)


@pytest.fixture
def world(tmp_path: Path) -> CancelledWorld:
    return CancelledWorld(tmp_path)


def update(world: World, behaviour: Behaviour = Behaviour.OTHER_GOOD) -> ActionRequest:
    return ActionRequest(Action.UPDATE, JOB_NAME, JobChanges(jar=world.spec(behaviour).jar.uri))


def calls_of(world: CancelledWorld, asked: ActionRequest) -> int:
    """How many calls the action makes when nobody interrupts it."""
    world.boundaries.restart()
    world.ask(asked, "measured")
    return len(world.boundaries.passed)


@pytest.mark.parametrize("on_cancel", OnCancel)
@pytest.mark.parametrize("hook_at", [None, 3, 12])
def test_an_update_that_is_cancelled_anywhere(
    tmp_path: Path, on_cancel: OnCancel, hook_at: int | None
) -> None:
    """No job is lost and none is there twice; the next action is not blocked by the dead one."""
    probe = CancelledWorld(tmp_path)
    probe.running()
    last_call = calls_of(probe, update(probe))
    for at in range(2, last_call, 3):
        world = CancelledWorld(tmp_path)
        world.running()
        asked = update(world)
        assert world.is_killed(asked, "run", at)
        began = world.journal.owner(JOB_NAME) is not None
        world.hook(asked, "run", on_cancel, hook_at)
        live = world.jobmanager.live_jobs()
        assert len(live) <= 1
        assert world.journal.owner(JOB_NAME) is None
        _check_end(world, on_cancel, began, live=bool(live))


def _check_end(world: CancelledWorld, on_cancel: OnCancel, began: bool, live: bool) -> None:
    savepoints = world.journal.savepoints(JOB_NAME)
    if not began:
        assert live, "a run that had not begun leaves the job alone"
        return
    if on_cancel is OnCancel.LEAVE:
        assert live or savepoints, world.told
        return
    assert not live, world.told
    if on_cancel is OnCancel.STOP_WITH_SAVEPOINT:
        assert savepoints, world.told


def test_a_new_job_is_left_running(world: CancelledWorld) -> None:
    """And the page tells its id; a watch will look after it."""
    asked = ActionRequest(Action.NEW, JOB_NAME, JobChanges(jar=world.spec().jar.uri))
    assert world.is_killed(asked, "run", 20)
    world.hook(asked, "run", OnCancel.LEAVE)
    assert any(
        f"Flink job {world.job().job_id} of orders is RUNNING" in line for line in world.told
    )
    assert is_desired_to_run(world.store, JOB_NAME)
    entry = world.journal.entry("run:1")
    assert entry is not None
    assert entry.outcome is not None
    assert entry.outcome.failure == "the flow run was cancelled"


def test_a_new_job_is_stopped_with_a_savepoint(world: CancelledWorld) -> None:
    """It is waited for until it can be stopped, and nobody brings it back."""
    asked = ActionRequest(Action.NEW, JOB_NAME, JobChanges(jar=world.spec().jar.uri))
    assert world.is_killed(asked, "run", 20)
    world.hook(asked, "run", OnCancel.STOP_WITH_SAVEPOINT)
    assert world.jobmanager.live_jobs() == []
    assert len(world.journal.savepoints(JOB_NAME)) == 1
    assert not is_desired_to_run(world.store, JOB_NAME)


@pytest.mark.parametrize("at", range(6, 16))
def test_a_stop_that_was_under_way_is_finished(tmp_path: Path, at: int) -> None:
    """Its savepoint is taken once."""
    world = CancelledWorld(tmp_path)
    world.running()
    asked = ActionRequest(Action.STOP, JOB_NAME)
    assert world.is_killed(asked, "run", at)
    world.hook(asked, "run", OnCancel.STOP_WITH_SAVEPOINT)
    assert world.jobmanager.live_jobs() == []
    assert len(world.journal.savepoints(JOB_NAME)) == 1


@pytest.mark.parametrize("on_cancel", OnCancel)
def test_a_stop_that_drains_goes_on_draining(tmp_path: Path, on_cancel: OnCancel) -> None:
    """Whoever sees it through."""
    seen_through = 0
    for at in range(2, 80):
        world = CancelledWorld(tmp_path)
        world.running()
        asked = ActionRequest(Action.STOP, JOB_NAME, drain=True)
        if not world.is_killed(asked, "run", at):
            break
        world.hook(asked, "run", on_cancel)
        entry = world.journal.entry("run:1")
        stops = [r for r in world.jobmanager.requests if r.url.path.endswith("/stop")]
        if entry and "trigger_id" in entry.facts:
            seen_through += 1
            assert stops
            assert all(json.loads(request.content)["drain"] is True for request in stops)
    else:
        raise AssertionError("it never came to an end")
    assert seen_through > 5


def test_a_run_that_was_done_leaves_the_job_alone(world: CancelledWorld) -> None:
    """Nothing waits any more."""
    world.running()
    asked = update(world)
    world.ask(asked, "run")
    world.hook(asked, "run", OnCancel.CANCEL)
    assert world.job().behaviour is Behaviour.OTHER_GOOD


def test_a_run_that_had_not_begun_leaves_the_job_alone(world: CancelledWorld) -> None:
    """Whatever was asked for on cancel."""
    world.running()
    world.hook(update(world), "run", OnCancel.CANCEL)
    assert world.job().behaviour is Behaviour.GOOD


def test_a_crash_changes_nothing_and_tells_how_to_go_on(world: CancelledWorld) -> None:
    """The same run goes on when it is retried."""
    world.running()
    asked = update(world)
    assert world.is_killed(asked, "run", 40)
    before = [(job.job_id, job.state) for job in world.jobmanager.jobs.values()]
    world.interrupted(asked, "run").what_is_left()
    assert [(job.job_id, job.state) for job in world.jobmanager.jobs.values()] == before
    assert "Retry this flow run to resume it" in world.told[-1]
    assert world.ask(asked, "run").succeeded
