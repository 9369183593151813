"""What stays as it ran last, and what a bad launch returns to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flinkglue.lifecycle.journal.records import document_of
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from flinkglue.lifecycle.transaction import Refused
from tests.unit.lifecycle.asking_world import AskingWorld
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import JOB_NAME

FOR_ONE_LAUNCH = JobChanges(restore_mode="CLAIM", allow_non_restored_state=True)
RE_LAUNCH = ActionRequest(Action.RE_LAUNCH, JOB_NAME)
STOP = ActionRequest(Action.STOP, JOB_NAME)
START = ActionRequest(Action.START, JOB_NAME)


@pytest.fixture
def world(tmp_path: Path) -> AskingWorld:
    return AskingWorld(tmp_path)


def update(world: AskingWorld, behaviour: Behaviour | None = None, **changes: Any) -> ActionRequest:
    jar = world.jar(behaviour) if behaviour else None
    return ActionRequest(Action.UPDATE, JOB_NAME, JobChanges(jar=jar, **changes))


def claimed(world: AskingWorld) -> None:
    """A job that took its savepoint over, and then ran for a while."""
    world.stopped()
    start = ActionRequest(Action.START, JOB_NAME, FOR_ONE_LAUNCH)
    world.ask(start, "claim").raise_for_failure()
    world.clock.sleep(20)


def asked_of_flink(world: AskingWorld) -> tuple[str, bool]:
    body = world.job().body
    return body["restoreMode"], body["allowNonRestoredState"]


class TestOfOneLaunchAlone:
    """CLAIM and non-restored state are never asked for again by themselves."""

    def test_the_launch_itself_asks_for_them(self, world: AskingWorld) -> None:
        claimed(world)
        assert asked_of_flink(world) == ("CLAIM", True)

    @pytest.mark.parametrize("action", [Action.START, Action.RE_LAUNCH, Action.LAST_STATE_UPDATE])
    def test_the_next_launch_does_not(self, world: AskingWorld, action: Action) -> None:
        claimed(world)
        if action is Action.START:
            stopped = world.ask(STOP, "next").savepoint_path
            assert stopped
        world.ask(ActionRequest(action, JOB_NAME), "next").raise_for_failure()
        assert asked_of_flink(world) == ("NO_CLAIM", False)
        assert action is not Action.START or stopped in world.jobmanager.stored

    def test_a_rollback_does_not(self, world: AskingWorld) -> None:
        claimed(world)
        outcome = world.ask(update(world, Behaviour.CRASH_LOOP), "bad")
        assert outcome.rolled_back
        assert asked_of_flink(world) == ("NO_CLAIM", False)
        assert outcome.savepoint_path in world.jobmanager.stored

    def test_nor_when_the_record_was_written_with_them(self, world: AskingWorld) -> None:
        world.stopped()
        spec = document_of(world.spec(restore_mode="CLAIM", allow_non_restored_state=True))
        record = world.store.read("job", JOB_NAME) or {}
        document = {**record, "spec": spec, "good_spec": spec}
        world.store.write("job", JOB_NAME, document)
        world.ask(START).raise_for_failure()
        assert asked_of_flink(world) == ("NO_CLAIM", False)


def started_late(world: AskingWorld, behaviour: Behaviour = Behaviour.OTHER_GOOD) -> None:
    """The newest launch was not ready in time, and runs well since then."""
    world.stopped()
    world.jobmanager.tasks_run_after_seconds = 100
    changes = JobChanges(jar=world.jar(behaviour), parallelism=4)
    assert world.ask(ActionRequest(Action.START, JOB_NAME, changes), "late").failure
    world.jobmanager.tasks_run_after_seconds = 1
    world.clock.sleep(3600)


class TestAJobThatCameToRunLate:
    """The last launch is what counts, ready in time or not."""

    def test_re_launch_starts_it_again(self, world: AskingWorld) -> None:
        started_late(world)
        outcome = world.ask(RE_LAUNCH).raise_for_failure()
        assert outcome.changes == ()
        assert world.job().behaviour is Behaviour.OTHER_GOOD
        assert world.job().body["parallelism"] == 4

    def test_re_launch_starts_it_again_after_the_jobmanager_lost_it(
        self, world: AskingWorld
    ) -> None:
        started_late(world)
        world.jobmanager.kill()
        world.ask(RE_LAUNCH).raise_for_failure()
        assert world.job().behaviour is Behaviour.OTHER_GOOD

    def test_an_update_keeps_what_the_form_leaves_empty(self, world: AskingWorld) -> None:
        started_late(world)
        world.ask(update(world, args=("--fast",))).raise_for_failure()
        assert world.job().behaviour is Behaviour.OTHER_GOOD
        assert world.job().body["parallelism"] == 4
        assert [change.field for change in world.shown[-1]] == ["args"]

    def test_a_bad_update_returns_to_it(self, world: AskingWorld) -> None:
        started_late(world)
        outcome = world.ask(update(world, Behaviour.CRASH_LOOP))
        assert outcome.rolled_back
        assert world.job().behaviour is Behaviour.OTHER_GOOD
        assert "is stable now" in " ".join(outcome.story)
        assert "The old job runs again" in outcome.failure

    def test_a_watch_that_saw_it_well_is_believed(self, world: AskingWorld) -> None:
        """The job is not looked at for longer; what the watch wrote is about this launch alone."""
        started_late(world)
        seen = world.backend().view(world.job().job_id)
        assert seen
        world.journal.record_observation(seen, JOB_NAME, ran_well=True)
        outcome = world.ask(update(world, Behaviour.CRASH_LOOP))
        assert outcome.rolled_back
        assert world.job().behaviour is Behaviour.OTHER_GOOD
        assert "is stable now" not in " ".join(outcome.story)
        now = world.journal.observed_job_record(JOB_NAME)
        assert now.checkpoint_path != seen.checkpoint_path

    def test_but_not_to_one_that_never_ran_well(self, world: AskingWorld) -> None:
        """The way back is what ran well before it, and is called that."""
        started_late(world, Behaviour.CRASH_LOOP)
        outcome = world.ask(update(world, Behaviour.THROWS_WHEN_RUN))
        assert outcome.rolled_back
        assert world.job().behaviour is Behaviour.GOOD
        assert "What ran well before it, good.jar, runs again" in outcome.failure
        assert "The old job" not in outcome.failure


def failed_after_its_savepoint(world: AskingWorld) -> tuple[str, str]:
    """Its newest savepoint, and the checkpoint that it retained 1,000 s later when it failed."""
    world.running()
    savepoint = world.act(Action.SAVEPOINT, "nightly").raise_for_failure().savepoint_path
    world.clock.sleep(1000)
    job = world.job()
    world.jobmanager.end(job, "FAILED")
    assert savepoint
    return savepoint, job.checkpoints[-1][1]


class TestALaunchThatNeverCameToRun:
    """It does not hide what the job before it left."""

    @pytest.mark.parametrize("is_forgotten", [True, False])
    @pytest.mark.parametrize("tries", [1, 2])
    def test_re_launch_does_not_go_back_behind_the_job_before(
        self, world: AskingWorld, is_forgotten: bool, tries: int
    ) -> None:
        """START takes the savepoint that is named; what it leaves is told and not forgotten."""
        savepoint, checkpoint = failed_after_its_savepoint(world)
        bad = world.spec(Behaviour.INCOMPATIBLE_STATE)
        for number in range(tries):
            started = world.act(Action.START, f"start {number}", spec=bad, savepoint_path=savepoint)
            assert started.failure
            assert started.savepoint_path == savepoint
            told = " ".join(started.story)
            assert f"left {checkpoint}, " in told
            assert told.count("which is newer") == 1
        if is_forgotten:
            world.jobmanager.kill()
        good = world.spec()
        world.clock.sleep(3600)
        for action in (Action.RE_LAUNCH, Action.START):
            with pytest.raises(
                Refused, match=f"left {re.escape(checkpoint)}, 60 min old, which is newer"
            ):
                world.act(action, "again", spec=good)
        assert world.jobmanager.live_jobs() == []
        named = world.act(Action.RE_LAUNCH, "named", spec=good, savepoint_path=checkpoint)
        assert named.raise_for_failure().savepoint_path == checkpoint
        world.clock.sleep(20)
        newest = world.act(Action.RE_LAUNCH, "later").raise_for_failure()
        assert newest.savepoint_path not in (savepoint, checkpoint)

    def test_what_was_named_is_gone_on_from_when_it_was_the_newest(
        self, world: AskingWorld
    ) -> None:
        """Also after the launch before it went back too far."""
        savepoint, checkpoint = failed_after_its_savepoint(world)
        bad = world.spec(Behaviour.INCOMPATIBLE_STATE)
        assert world.act(Action.START, "too far", spec=bad, savepoint_path=savepoint).failure
        assert world.act(Action.START, "named", spec=bad, savepoint_path=checkpoint).failure
        again = world.act(Action.RE_LAUNCH, "again", spec=world.spec()).raise_for_failure()
        assert again.savepoint_path == checkpoint

    @pytest.mark.parametrize("action", [Action.LAST_STATE_UPDATE, Action.RE_LAUNCH])
    def test_nor_does_a_savepoint_that_was_named(self, world: AskingWorld, action: Action) -> None:
        """The job had failed, so that it is no way back by itself."""
        savepoint, checkpoint = failed_after_its_savepoint(world)
        bad = world.spec(Behaviour.INCOMPATIBLE_STATE)
        assert world.act(action, "named", spec=bad, savepoint_path=savepoint).failure
        with pytest.raises(Refused, match=re.escape(checkpoint)):
            world.act(Action.RE_LAUNCH, "again", spec=world.spec())

    def test_where_nobody_can_list_checkpoints_a_stopped_job_goes_on(
        self, world: AskingWorld
    ) -> None:
        """It was stopped with that savepoint: there is nothing newer to look for."""
        savepoint = world.stopped()
        world.jobmanager.kill()
        world.reads_storage = False
        bad = world.spec(Behaviour.INCOMPATIBLE_STATE)
        assert world.act(Action.START, "start", spec=bad).failure
        again = world.act(Action.RE_LAUNCH, "again", spec=world.spec()).raise_for_failure()
        assert again.savepoint_path == savepoint

    def test_and_one_that_failed_needs_a_name(self, world: AskingWorld) -> None:
        savepoint, _ = failed_after_its_savepoint(world)
        world.jobmanager.kill()
        world.reads_storage = False
        bad = world.spec(Behaviour.INCOMPATIBLE_STATE)
        assert world.act(Action.START, "start", spec=bad, savepoint_path=savepoint).failure
        with pytest.raises(Refused, match=r"checkpoints of job .* are not known"):
            world.act(Action.RE_LAUNCH, "again", spec=world.spec())
        named = world.act(Action.RE_LAUNCH, "named", spec=world.spec(), savepoint_path=savepoint)
        assert named.succeeded

    def test_a_launch_that_flink_refused_left_nothing_that_is_newer(
        self, world: AskingWorld
    ) -> None:
        """Nobody reads the storage here, and no job of it was ever there."""
        savepoint = world.stopped()
        world.reads_storage = False
        refused = world.act(Action.START, "bad", spec=world.spec(Behaviour.THROWS_WHEN_RUN))
        assert refused.failure
        again = world.act(Action.START, "again", spec=world.spec()).raise_for_failure()
        assert again.savepoint_path == savepoint
