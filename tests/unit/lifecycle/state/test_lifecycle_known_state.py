"""State that is known in any way is neither dropped nor skipped without a person's word."""

from __future__ import annotations

from pathlib import Path

import pytest

from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.transaction import Refused
from tests.unit.lifecycle.fake_flink_jobs import Job
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, World

HAND = "f" * 31


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def lost(world: World) -> Job:
    """A job with retained checkpoints and no savepoint, whose JobManager was restarted."""
    job = world.running()
    world.jobmanager.kill()
    return job


def stopped_by_hand(world: World, job: Job, number: int = 1) -> str:
    """With Flink's own tools: the journal knows nothing of it."""
    world.job()
    world.jobmanager.take(job.job_id, f"{HAND}{number}", stop=True)
    assert job.savepoint
    return job.savepoint


def ended_after_its_savepoint(world: World, end: str) -> tuple[str, str]:
    """Its newest savepoint, and the checkpoint that it retained 1,000 s later when it ended."""
    job = world.running()
    savepoint = world.act(Action.SAVEPOINT, "nightly").raise_for_failure().savepoint_path
    assert savepoint
    world.clock.sleep(1000)
    world.job()
    if end == "cancelled":
        world.act(Action.CANCEL, "cancel").raise_for_failure()
    else:
        world.jobmanager.fail(job, "java.io.IOException: disk full")
    if end == "failed and lost":
        world.jobmanager.kill()
    return savepoint, job.checkpoints[-1][1]


class TestNew:
    @pytest.mark.parametrize("action", [Action.UPDATE, Action.STOP, Action.SAVEPOINT])
    def test_a_lost_job_is_advised_to_be_brought_back(self, world: World, action: Action) -> None:
        lost(world)
        spec = world.spec() if action is Action.UPDATE else None
        with pytest.raises(Refused, match="RE_LAUNCH restores it") as refused:
            world.act(action, "asked", spec=spec)
        assert "NEW" not in str(refused.value)

    @pytest.mark.parametrize("reads_storage", [True, False])
    def test_it_does_not_start_a_lost_job_empty(self, world: World, reads_storage: bool) -> None:
        """Also where nobody can see whether the checkpoint that was seen is still there."""
        job = lost(world)
        world.reads_storage = reads_storage
        with pytest.raises(Refused, match=r"the job has some.*checkpoint.*RE_LAUNCH"):
            world.act(Action.NEW, "new", spec=world.spec())
        world.reads_storage = True
        back = world.act(Action.RE_LAUNCH, "back").raise_for_failure()
        assert back.savepoint_path == job.checkpoints[-1][1]

    def test_it_does_when_it_is_told_to(self, world: World) -> None:
        lost(world)
        done = world.act(Action.NEW, "new", spec=world.spec(), without_state=True)
        assert done.raise_for_failure().savepoint_path is None
        assert world.job().restored is None

    def test_it_does_not_drop_what_a_failed_job_left(self, world: World) -> None:
        job = world.running()
        world.jobmanager.fail(world.job(), "java.io.IOException: disk full")
        with pytest.raises(Refused, match=rf"{job.checkpoints[-1][1]}"):
            world.act(Action.NEW, "new", spec=world.spec())

    def test_it_does_not_drop_what_a_job_left_that_the_cluster_alone_tells_of(
        self, world: World
    ) -> None:
        path = stopped_by_hand(world, world.running())
        with pytest.raises(Refused, match=f"{path}, which was not taken here"):
            world.act(Action.NEW, "new", spec=world.spec())

    def test_nor_what_the_storage_alone_tells_of(self, world: World) -> None:
        path = stopped_by_hand(world, world.running())
        world.jobmanager.kill()
        with pytest.raises(Refused, match=path):
            world.act(Action.NEW, "new", spec=world.spec())

    def test_a_job_without_checkpoints_is_started_again(self, tmp_path: Path) -> None:
        """Nobody reads the storage here; but no state of it was ever seen."""
        world = World(tmp_path, checkpoint_every_seconds=0)
        lost(world)
        world.reads_storage = False
        world.act(Action.NEW, "new", spec=world.spec()).raise_for_failure()

    def test_one_whose_checkpoints_went_with_its_cancellation_is_too(self, tmp_path: Path) -> None:
        world = World(tmp_path, retain=False)
        world.running()
        world.act(Action.CANCEL, "cancel").raise_for_failure()
        world.act(Action.NEW, "new", spec=world.spec()).raise_for_failure()

    @pytest.mark.parametrize("action", [Action.START, Action.STATELESS_UPDATE, Action.STOP])
    def test_the_word_is_for_new_alone(self, action: Action) -> None:
        with pytest.raises(InvalidInput, match="without_state"):
            ActionRequest(action, JOB_NAME, without_state=True)

    def test_it_is_not_for_a_start_from_a_savepoint(self) -> None:
        with pytest.raises(InvalidInput, match="without_state"):
            ActionRequest(Action.NEW, JOB_NAME, savepoint_path="s3://b/sp", without_state=True)


class TestReLaunch:
    @pytest.mark.parametrize("is_listed", [True, False])
    def test_a_savepoint_that_somebody_took_after_the_last_checkpoint_is_the_newest_state(
        self, world: World, is_listed: bool
    ) -> None:
        job = world.running()
        if is_listed:
            world.act(Action.SAVEPOINT, "nightly").raise_for_failure()
        world.job()
        world.jobmanager.take(job.job_id, f"{HAND}1", stop=False)
        world.jobmanager.fail(job, "java.io.IOException: disk full")
        back = world.act(Action.RE_LAUNCH, "back").raise_for_failure()
        assert back.savepoint_path == job.savepoint

    def test_one_before_the_last_checkpoint_is_not(self, world: World) -> None:
        job = world.running()
        world.jobmanager.take(job.job_id, f"{HAND}1", stop=False)
        world.clock.sleep(20)
        world.jobmanager.fail(world.job(), "java.io.IOException: disk full")
        back = world.act(Action.RE_LAUNCH, "back").raise_for_failure()
        assert back.savepoint_path == job.checkpoints[-1][1]


class TestStart:
    @pytest.mark.parametrize("reads_storage", [True, False])
    def test_it_goes_on_from_what_somebody_stopped_the_job_with(
        self, world: World, reads_storage: bool
    ) -> None:
        job = world.running()
        taken_here = world.act(Action.SAVEPOINT, "nightly").raise_for_failure().savepoint_path
        world.clock.sleep(20)
        by_hand = stopped_by_hand(world, job)
        world.reads_storage = reads_storage
        outcome = world.act(Action.START, "start").raise_for_failure()
        assert outcome.savepoint_path == by_hand
        assert f"{by_hand} was not taken here, and is newer than {taken_here}" in " ".join(
            outcome.story
        )
        newest, older = world.journal.savepoints(JOB_NAME)
        assert (newest.path, newest.origin) == (by_hand, "directory")
        assert older.path == taken_here

    def test_it_does_so_when_the_ledger_has_none(self, world: World) -> None:
        by_hand = stopped_by_hand(world, world.running())
        assert world.act(Action.START, "start").raise_for_failure().savepoint_path == by_hand

    def test_it_does_so_when_only_the_storage_tells(self, world: World) -> None:
        """The JobManager was restarted since."""
        job = world.running()
        world.act(Action.SAVEPOINT, "nightly").raise_for_failure()
        world.clock.sleep(20)
        by_hand = stopped_by_hand(world, job)
        world.jobmanager.kill()
        assert world.act(Action.START, "start").raise_for_failure().savepoint_path == by_hand

    @pytest.mark.exhaustive
    def test_a_process_that_is_killed_anywhere_takes_it_as_well(self, tmp_path: Path) -> None:
        for at in range(0, 200, 3):
            world = World(tmp_path)
            by_hand = stopped_by_hand(world, world.running())
            world.boundaries.at = at
            done = world.act_interrupted(Action.START, "start")
            outcome = done or world.act(Action.START, "start")
            assert outcome.raise_for_failure().savepoint_path == by_hand
            assert [one.path for one in world.journal.savepoints(JOB_NAME)] == [by_hand]
            assert world.job().restored == by_hand
            if done:
                return
        raise AssertionError("the action has more calls than that")

    def test_an_older_one_that_somebody_took_is_not_gone_back_to(self, world: World) -> None:
        job = world.running()
        world.jobmanager.take(job.job_id, f"{HAND}1", stop=False)
        world.clock.sleep(20)
        stopped = world.act(Action.STOP, "stop").raise_for_failure().savepoint_path
        assert world.act(Action.START, "start").raise_for_failure().savepoint_path == stopped

    def test_what_a_launch_left_comes_after_what_it_started_from(self, world: World) -> None:
        """Nobody reads the storage: the launch alone tells the order."""
        world.stopped()
        world.act(Action.START, "start").raise_for_failure()
        world.clock.sleep(20)
        by_hand = stopped_by_hand(world, world.job())
        world.reads_storage = False
        assert world.act(Action.START, "again").raise_for_failure().savepoint_path == by_hand

    @pytest.mark.parametrize("end", ["failed", "failed and lost", "cancelled"])
    def test_a_newer_checkpoint_is_not_left_behind_without_a_word(
        self, world: World, end: str
    ) -> None:
        """Both are named, and how to go on from each: nothing was launched."""
        savepoint, checkpoint = ended_after_its_savepoint(world, end)
        with pytest.raises(Refused, match="which is newer") as refused:
            world.act(Action.START, "start")
        assert f"the newest savepoint is {savepoint}" in refused.value.reason
        assert checkpoint in refused.value.reason
        assert "RE_LAUNCH" in str(refused.value.advice)
        assert f"name {savepoint} in savepoint" in str(refused.value.advice)
        assert world.jobmanager.live_jobs() == []
        named = world.act(Action.START, "named", savepoint_path=savepoint).raise_for_failure()
        assert named.savepoint_path == savepoint

    def test_what_a_cancellation_left_is_known_where_nobody_reads_the_storage(
        self, world: World
    ) -> None:
        savepoint, checkpoint = ended_after_its_savepoint(world, "cancelled")
        world.jobmanager.kill()
        world.reads_storage = False
        with pytest.raises(Refused, match=checkpoint) as refused:
            world.act(Action.START, "start")
        assert savepoint in refused.value.reason
        back = world.act(Action.RE_LAUNCH, "back").raise_for_failure()
        assert back.savepoint_path == checkpoint

    def test_a_job_that_came_to_its_own_end_has_no_newer_state(self, world: World) -> None:
        """Flink deletes the checkpoints of a job that finishes, whatever their retention."""
        job = world.running()
        savepoint = world.act(Action.SAVEPOINT, "nightly").raise_for_failure().savepoint_path
        world.clock.sleep(1000)
        world.job()
        world.jobmanager.end(job, "FINISHED")
        assert world.act(Action.START, "start").raise_for_failure().savepoint_path == savepoint

    def test_one_that_left_none_goes_on_from_its_savepoint(self, tmp_path: Path) -> None:
        """Its checkpoints went with its cancellation, as that saw."""
        world = World(tmp_path, retain=False)
        world.running()
        savepoint = world.act(Action.SAVEPOINT, "nightly").raise_for_failure().savepoint_path
        world.clock.sleep(1000)
        world.act(Action.CANCEL, "cancel").raise_for_failure()
        world.jobmanager.kill()
        world.reads_storage = False
        assert world.act(Action.START, "start").raise_for_failure().savepoint_path == savepoint

    def test_a_choice_that_nothing_decides_is_asked_for(self, world: World) -> None:
        """A job of this name that was started by hand, and no storage that tells when."""
        known = world.stopped()
        world.clock.sleep(20)
        stranger = Job(
            "e" * 32, JOB_NAME, world.jobmanager.jobs.popitem()[1].behaviour, 1100, None, 0, {}
        )
        world.jobmanager.start(stranger)
        world.clock.sleep(20)
        by_hand = stopped_by_hand(world, stranger)
        world.reads_storage = False
        with pytest.raises(Refused) as refused:
            world.act(Action.START, "start")
        assert known in str(refused.value)
        assert by_hand in str(refused.value)
        world.act(Action.START, "named", savepoint_path=by_hand).raise_for_failure()

    def test_what_the_storage_decides_is_taken(self, world: World) -> None:
        world.stopped()
        world.clock.sleep(20)
        behaviour = next(iter(world.jobmanager.jobs.values())).behaviour
        stranger = Job("e" * 32, JOB_NAME, behaviour, world.clock.seconds, None, 0, {})
        world.jobmanager.start(stranger)
        world.clock.sleep(20)
        by_hand = stopped_by_hand(world, stranger)
        assert world.act(Action.START, "start").raise_for_failure().savepoint_path == by_hand

    def test_a_savepoint_that_is_gone_again_is_no_choice(self, world: World) -> None:
        job = world.running()
        taken_here = world.act(Action.SAVEPOINT, "nightly").raise_for_failure().savepoint_path
        world.clock.sleep(20)
        by_hand = stopped_by_hand(world, job)
        del world.jobmanager.stored[by_hand]
        assert world.act(Action.START, "start").raise_for_failure().savepoint_path == taken_here
