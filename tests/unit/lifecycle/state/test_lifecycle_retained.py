"""From which state a job is brought back: the newest that it left, or none at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flinkglue.lifecycle.health.judgement import Degraded, Finished, Sample, verdict
from flinkglue.lifecycle.health.watch import Relaunch, remembered_end, should_relaunch
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.transaction import Refused
from tests.unit.lifecycle.fake_flink_jobs import Behaviour, Job
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, World

LAST_STATE = pytest.mark.parametrize("action", [Action.LAST_STATE_UPDATE, Action.RE_LAUNCH])
OWN_DIRECTORY = "file:/own checkpoints"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def restarted(world: World, **start: Any) -> tuple[str, Job]:
    """A job that was stopped, started again from that savepoint, and ran for a while."""
    savepoint = world.stopped()
    world.act(Action.START, "setup:start", **start).raise_for_failure()
    world.clock.sleep(20)
    return savepoint, world.job()


def forgotten(world: World) -> None:
    """The JobManager keeps an ended job for an hour; a killed one keeps none."""
    world.jobmanager.advance()
    world.jobmanager.kill()


def refused(world: World, action: Action = Action.RE_LAUNCH, **request: Any) -> str:
    """Refused before anything ended or started."""
    before = len(world.jobmanager.requests)
    with pytest.raises(Refused) as refusal:
        world.act(action, "asked", **request)
    sent = world.jobmanager.requests[before:]
    assert not any(request.method == "PATCH" or "/run" in request.url.path for request in sent)
    return str(refusal.value)


class TestAJobThatEndedInOrder:
    """It stays ended, also after Flink forgot how it ended."""

    @LAST_STATE
    def test_a_stopped_job_does_not_go_back_to_what_it_began_with(
        self, world: World, action: Action
    ) -> None:
        restarted(world)
        newest = world.act(Action.STOP, "stop").savepoint_path
        forgotten(world)
        assert "was stopped with a savepoint" in refused(world, action)
        assert world.act(Action.START, "start").savepoint_path == newest

    @LAST_STATE
    def test_a_bounded_job_does_not_run_again(self, world: World, action: Action) -> None:
        savepoint = world.stopped()
        spec = world.spec(Behaviour.BOUNDED)
        outcome = world.act(Action.START, "start", spec=spec, savepoint_path=savepoint)
        assert outcome.state == "FINISHED"
        forgotten(world)
        assert "finished by itself" in refused(world, action)

    @LAST_STATE
    def test_nor_one_that_finished_while_nobody_acted_on_it(
        self, world: World, action: Action
    ) -> None:
        """A watch saw it, or an action that was refused for it."""
        _, job = restarted(world)
        world.jobmanager.end(job, "FINISHED")
        seen = world.backend().view(job.job_id)
        assert seen
        world.journal.record_observation(seen, JOB_NAME)
        forgotten(world)
        assert "finished by itself" in refused(world, action)

    def test_nor_after_an_action_was_refused_for_its_end(self, world: World) -> None:
        _, job = restarted(world)
        world.jobmanager.end(job, "FINISHED")
        refused(world, Action.SAVEPOINT)
        forgotten(world)
        assert "finished by itself" in refused(world)

    @pytest.mark.parametrize("state", ["FINISHED", "CANCELED"])
    def test_a_watch_leaves_it_alone(self, world: World, state: str) -> None:
        """What somebody cancelled in Flink as well."""
        job = world.running()
        world.jobmanager.end(job, state)
        seen = world.backend().view(job.job_id)
        assert seen
        world.journal.record_observation(seen, JOB_NAME)
        forgotten(world)
        view = remembered_end(world.journal, JOB_NAME)
        judged = verdict([Sample(0, None), Sample(60, view)])
        assert isinstance(judged, Finished if state == "FINISHED" else Degraded)
        assert not should_relaunch(judged, view, Relaunch.WHEN_UNHEALTHY)

    def test_what_was_seen_of_one_launch_says_nothing_of_the_next(self, world: World) -> None:
        _, job = restarted(world)
        world.jobmanager.end(job, "FINISHED")
        seen = world.backend().view(job.job_id)
        assert seen
        world.journal.record_observation(seen, JOB_NAME)
        world.act(Action.START, "again").raise_for_failure()
        assert remembered_end(world.journal, JOB_NAME) is None
        world.clock.sleep(20)
        forgotten(world)
        assert world.act(Action.RE_LAUNCH, "asked").succeeded


class TestAJobThatFlinkForgot:
    """The newest of its checkpoints and of the savepoints that were taken of it."""

    @pytest.mark.parametrize("setting", ["execution.checkpointing.dir", "state.checkpoints.dir"])
    def test_its_own_checkpoint_directory_is_looked_into(self, world: World, setting: str) -> None:
        """Also for a record that tells no checkpoint, as one of an earlier release."""
        world.jobmanager.checkpoint_directory = OWN_DIRECTORY
        spec = world.spec(flink_configuration={setting: OWN_DIRECTORY})
        savepoint, job = restarted(world, spec=spec)
        record = replace(world.journal.job_record(JOB_NAME), checkpoint_path=None, ready_job_id="")
        world.journal.save_job_record(record)
        forgotten(world)
        outcome = world.act(Action.RE_LAUNCH, "asked")
        assert outcome.savepoint_path == job.checkpoints[-1][1] != savepoint
        assert world.job().restored == outcome.savepoint_path

    def test_a_directory_that_its_code_chose_is_looked_into(self, world: World) -> None:
        world.jobmanager.checkpoint_directory = OWN_DIRECTORY
        _, job = restarted(world)
        forgotten(world)
        assert world.act(Action.RE_LAUNCH, "asked").savepoint_path == job.checkpoints[-1][1]

    def test_a_savepoint_after_the_last_checkpoint_is_newer(self, world: World) -> None:
        _, job = restarted(world)
        job.checkpoints_fail = True
        world.clock.sleep(600)
        taken = world.act(Action.SAVEPOINT, "nightly").savepoint_path
        world.clock.sleep(3 * 3600)
        forgotten(world)
        outcome = world.act(Action.RE_LAUNCH, "asked")
        assert outcome.savepoint_path == taken
        assert f"the savepoint {taken}, 3 h old" in " ".join(outcome.story)

    def test_a_checkpoint_after_the_last_savepoint_is_newer(self, world: World) -> None:
        _, job = restarted(world)
        world.act(Action.SAVEPOINT, "nightly").raise_for_failure()
        world.clock.sleep(20)
        forgotten(world)
        assert world.act(Action.RE_LAUNCH, "asked").savepoint_path == job.checkpoints[-1][1]

    def test_the_storages_clock_tells_and_not_the_workers(self, world: World) -> None:
        """A worker an hour ahead would call each of its savepoints the newest state."""
        _, job = restarted(world)
        world.act(Action.SAVEPOINT, "nightly").raise_for_failure()
        (newest, *_) = world.journal.savepoints(JOB_NAME)
        world.journal.record_savepoint(replace(newest, taken_at=newest.taken_at + 3600))
        world.clock.sleep(20)
        forgotten(world)
        assert world.act(Action.RE_LAUNCH, "asked").savepoint_path == job.checkpoints[-1][1]

    def test_without_a_checkpoint_it_is_never_a_savepoint_of_an_earlier_launch(
        self, world: World
    ) -> None:
        """Somebody went back to an older one because the newer was bad."""
        oldest = world.stopped()
        world.act(Action.START, "setup:start").raise_for_failure()
        world.clock.sleep(20)
        world.act(Action.STOP, "bad state").raise_for_failure()
        world.act(Action.START, "back", savepoint_path=oldest).raise_for_failure()
        world.clock.sleep(20)
        forgotten(world)
        _lose_checkpoints(world)
        assert f"The newest state of it that is known is {oldest}" in refused(world)

    def test_what_it_began_with_is_refused_once_it_came_to_run(self, world: World) -> None:
        savepoint, _ = restarted(world)
        forgotten(world)
        _lose_checkpoints(world)
        told = refused(world)
        assert "retained no checkpoint" in told
        assert f"The newest state of it that is known is {savepoint}" in told
        assert "in savepoint" in told
        named = world.act(Action.RE_LAUNCH, "named", savepoint_path=savepoint)
        assert named.raise_for_failure().savepoint_path == savepoint

    def test_so_it_is_for_a_job_that_an_earlier_release_launched(self, world: World) -> None:
        savepoint, _ = restarted(world)
        record = replace(world.journal.job_record(JOB_NAME), checkpoint_path=None, ready_job_id="")
        world.journal.save_job_record(record)
        forgotten(world)
        _lose_checkpoints(world)
        assert savepoint in refused(world)

    def test_what_it_began_with_is_taken_when_it_never_came_to_run(self, world: World) -> None:
        savepoint = world.stopped()
        world.jobmanager.tasks_run_after_seconds = 10**6
        assert world.act(Action.START, "start").failure
        world.jobmanager.tasks_run_after_seconds = 1
        forgotten(world)
        outcome = world.act(Action.RE_LAUNCH, "asked").raise_for_failure()
        assert outcome.savepoint_path == savepoint
        assert "it never reached RUNNING" in " ".join(outcome.story)

    def test_a_savepoint_does_not_stand_in_for_checkpoints_that_nobody_can_list(
        self, world: World
    ) -> None:
        restarted(world)
        taken = world.act(Action.SAVEPOINT, "nightly").savepoint_path
        world.clock.sleep(25 * 3600)
        forgotten(world)
        world.reads_storage = False
        told = refused(world)
        assert "cannot be listed from here" in told
        assert f"The newest state of it that is known is the savepoint {taken}, 25 h old" in told


class TestWhatFlinkWasGiven:
    """A savepoint that a launch claimed is Flink's: nobody relies on it."""

    def test_a_failed_launch_does_not_call_it_kept(self, world: World) -> None:
        world.running()
        taken = world.act(Action.SAVEPOINT, "nightly").savepoint_path
        world.act(Action.CANCEL, "cancel").raise_for_failure()
        bad = world.spec(Behaviour.CRASH_LOOP, restore_mode="CLAIM")
        outcome = world.act(Action.RE_LAUNCH, "asked", spec=bad, savepoint_path=taken)
        assert f"its state was given to Flink in {taken}" in outcome.failure


class TestAJobThatLives:
    """It is not cancelled for a state that goes with it, or that is older than it thinks."""

    @LAST_STATE
    def test_a_checkpoint_from_before_a_failover_goes_with_the_job(
        self, tmp_path: Path, action: Action
    ) -> None:
        """The JobManager counts anew, and shows it as what the job went on from."""
        world = World(tmp_path, retain=False)
        job = world.running()
        _fail_over(job)
        assert "retained no checkpoint" in refused(world, action)
        assert world.job() is job

    def test_a_retained_one_is_gone_on_from(self, world: World) -> None:
        job = world.running()
        _fail_over(job)
        path = job.restored
        assert world.act(Action.RE_LAUNCH, "asked").raise_for_failure().savepoint_path == path

    @pytest.mark.parametrize(("mode", "goes_on"), [("CLAIM", False), ("NO_CLAIM", True)])
    def test_what_flink_owns_is_not_gone_back_to(
        self, world: World, mode: Any, goes_on: bool
    ) -> None:
        """A job that never came to run, whose savepoint it claimed or left alone."""
        savepoint = world.stopped()
        world.jobmanager.tasks_run_after_seconds = 10**6
        spec = world.spec(restore_mode=mode)
        assert world.act(Action.START, "start", spec=spec).failure
        world.jobmanager.tasks_run_after_seconds = 1
        if goes_on:
            assert world.act(Action.RE_LAUNCH, "asked").savepoint_path == savepoint
        else:
            assert "no retained state" in refused(world)

    def test_a_job_without_checkpoints_is_not_sent_back_to_its_beginning(
        self, tmp_path: Path
    ) -> None:
        """Nor to its newest savepoint, unless that is named."""
        world = World(tmp_path, checkpoint_every_seconds=0)
        savepoint, job = restarted(world)
        assert f"that is known is {savepoint}" in refused(world)
        taken = world.act(Action.SAVEPOINT, "by hand").savepoint_path
        world.clock.sleep(600)
        assert f"the savepoint {taken}, 10 min old" in refused(world)
        assert world.job() is job
        assert world.act(Action.RE_LAUNCH, "named", savepoint_path=taken).succeeded

    @pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
    def test_when_it_has_ended_its_savepoint_is_the_newest_that_there_is(
        self, tmp_path: Path, state: str
    ) -> None:
        """The same before and after Flink forgets it."""
        world = World(tmp_path, retain=False)
        _, job = restarted(world)
        taken = world.act(Action.SAVEPOINT, "nightly").savepoint_path
        world.jobmanager.end(job, state)
        assert world.act(Action.RE_LAUNCH, "asked").savepoint_path == taken


def _lose_checkpoints(world: World) -> None:
    """They were not retained."""
    for path in [path for path in world.jobmanager.stored if "/chk-" in path]:
        del world.jobmanager.stored[path]


def _fail_over(job: Job) -> None:
    """Another JobManager went on with it, and takes no checkpoint yet."""
    ((_, job.restored),) = job.checkpoints
    job.checkpoints, job.completed, job.tasks_running = [], 0, False
