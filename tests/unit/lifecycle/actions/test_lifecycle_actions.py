"""The eleven actions against a JobManager on the wire."""

from dataclasses import replace
from pathlib import Path

import pytest

from flinkglue.errors import Conflict, InvalidInput
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.transaction import Refused
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import OPTIONS, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_new_runs_one_job_with_no_state_under_the_id_that_the_journal_knows(world: World) -> None:
    outcome = world.act(Action.NEW, "run-1", spec=world.spec())
    job = world.job()
    assert outcome.succeeded
    assert outcome.job_id == job.job_id == world.journal.job_record("orders").job_id
    assert job.restored is None
    assert job.name == "orders"
    assert job.body["jobId"] == job.job_id


def test_new_of_a_bounded_job_ends_with_it_finished(world: World) -> None:
    first = world.act(Action.NEW, "run-1", spec=world.spec(Behaviour.BOUNDED))
    again = world.act(Action.NEW, "run-2", spec=world.spec(Behaviour.BOUNDED))
    assert (first.state, again.state) == ("FINISHED", "FINISHED")
    assert len(world.jobmanager.jobs) == 2


def test_stop_then_start_keeps_the_count(world: World) -> None:
    running = world.running()
    stop = world.act(Action.STOP, "run-2")
    assert stop.savepoint_path
    assert running.state == "FINISHED"
    start = world.act(Action.START, "run-3")
    assert start.savepoint_path == stop.savepoint_path
    assert world.job().count_at_start == running.count_at_end > 0
    assert world.job().body["restoreMode"] == "NO_CLAIM"


def test_stop_fails_with_the_cause_and_the_job_goes_on_when_the_directory_cannot_be_written(
    world: World,
) -> None:
    world.running()
    world.jobmanager.unwritable = True
    outcome = world.act(Action.STOP, "run-2")
    assert "Permission denied" in outcome.failure
    assert outcome.state == "RUNNING"
    assert world.job().job_id == outcome.job_id
    assert world.journal.savepoints("orders") == []


def test_a_stop_that_failed_after_a_good_savepoint_keeps_the_path(world: World) -> None:
    world.running()
    world.jobmanager.stop_fails_after_savepoint = True
    outcome = world.act(Action.STOP, "run-2")
    assert "failed during stopping" in outcome.failure
    assert outcome.savepoint_path in world.jobmanager.stored
    (kept,) = world.journal.savepoints("orders")
    assert kept.path == outcome.savepoint_path


def test_update_keeps_the_count_and_tells_what_changed(world: World) -> None:
    old = world.running()
    new_spec = world.spec(Behaviour.OTHER_GOOD, parallelism=2)
    outcome = world.act(Action.UPDATE, "run-2", spec=new_spec)
    assert outcome.succeeded
    assert world.job().behaviour is Behaviour.OTHER_GOOD
    assert world.job().count_at_start == old.count_at_end > 0
    assert [change.field for change in outcome.changes] == ["jar", "parallelism"]
    assert outcome.previous_job_id == old.job_id
    ((_, content),) = world.jobmanager.jars.values()
    assert content == Behaviour.OTHER_GOOD, "the superseded jar is deleted, the running one is kept"


@pytest.mark.parametrize("bad", [Behaviour.THROWS_IN_MAIN, Behaviour.MISSING_CLASS])
def test_update_does_not_touch_the_old_job_when_no_plan_can_be_made(
    world: World, bad: Behaviour
) -> None:
    old = world.running()
    outcome = world.act(Action.UPDATE, "run-2", spec=world.spec(bad))
    assert not outcome.succeeded
    assert world.job() is old
    assert not outcome.rolled_back
    assert outcome.job_id == old.job_id


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        (Behaviour.THROWS_WHEN_RUN, "no broker"),
        (Behaviour.INCOMPATIBLE_STATE, "StateMigrationException"),
        (Behaviour.CRASH_LOOP, "fails after 50 events"),
    ],
)
def test_update_returns_to_the_old_jar_from_the_same_savepoint(
    world: World, bad: Behaviour, cause: str
) -> None:
    old = world.running()
    outcome = world.act(Action.UPDATE, "run-2", spec=world.spec(bad))
    assert outcome.rolled_back
    assert cause in outcome.failure
    assert "The old job runs again from" in outcome.failure
    assert world.job().behaviour is Behaviour.GOOD
    assert world.job().count_at_start == old.count_at_end > 0
    assert world.job().restored == outcome.savepoint_path
    assert outcome.job_id == world.job().job_id


def test_update_with_a_stop_that_fails_leaves_the_old_job(world: World) -> None:
    old = world.running()
    world.jobmanager.unwritable = True
    outcome = world.act(Action.UPDATE, "run-2", spec=world.spec(Behaviour.OTHER_GOOD))
    assert "The old job keeps running" in outcome.failure
    assert world.job() is old


def test_update_is_refused_when_the_old_jar_is_nowhere(world: World) -> None:
    old = world.running()
    world.jobmanager.jars.clear()
    Path(world.spec().jar.uri).write_text("overwritten")
    with pytest.raises(Refused, match="its jar is gone"):
        world.act(Action.UPDATE, "run-2", spec=world.spec(Behaviour.OTHER_GOOD))
    assert world.job() is old


def test_stateless_update_loses_the_count(world: World) -> None:
    old = world.running()
    outcome = world.act(Action.STATELESS_UPDATE, "run-2", spec=world.spec(Behaviour.OTHER_GOOD))
    assert outcome.succeeded
    assert old.state == "CANCELED"
    assert world.job().restored is None


@pytest.mark.parametrize("action", [Action.LAST_STATE_UPDATE, Action.RE_LAUNCH])
def test_the_newest_checkpoint_of_the_ended_job_is_taken(world: World, action: Action) -> None:
    """The checkpoint that was known before the cancellation is subsumed by a newer one."""
    old = world.running()
    known = old.checkpoints[-1][1]

    def let_a_checkpoint_pass() -> None:
        world.clock.sleep(5)

    world.boundaries.interrupt = let_a_checkpoint_pass
    world.boundaries.at_what = f"PATCH /jobs/{old.job_id}"
    outcome = world.act(action, "run-2").raise_for_failure()
    assert known not in world.jobmanager.stored
    assert world.job().restored == old.checkpoints[-1][1] == outcome.savepoint_path
    assert 0 < world.job().count_at_start <= old.count_at_end


@pytest.mark.parametrize("action", [Action.LAST_STATE_UPDATE, Action.RE_LAUNCH])
def test_a_last_state_action_is_refused_before_anything_ends_without_a_retained_checkpoint(
    tmp_path: Path, action: Action
) -> None:
    world = World(tmp_path, retain=False)
    old = world.running()
    with pytest.raises(Refused, match="no retained state"):
        world.act(action, "run-2")
    assert world.job() is old
    assert not any(request.method == "PATCH" for request in world.jobmanager.requests)


def test_re_launch_brings_back_a_job_that_the_jobmanager_lost(world: World) -> None:
    old = world.running()
    world.jobmanager.kill()
    outcome = world.act(Action.RE_LAUNCH, "run-2")
    assert outcome.succeeded
    assert world.job().job_id != old.job_id
    assert world.job().count_at_start > 0


def test_re_launch_is_refused_when_nobody_can_look_for_the_lost_jobs_checkpoints(
    world: World,
) -> None:
    world.running()
    world.jobmanager.kill()
    world.reads_storage = False
    with pytest.raises(
        Refused,
        match=r"no retained state .* not known: file:/the state/checkpoints/.* cannot be listed",
    ):
        world.act(Action.RE_LAUNCH, "run-2")


def test_savepoint_leaves_the_job_running_and_is_listed(world: World) -> None:
    job = world.running()
    taken = world.act(Action.SAVEPOINT, "run-2")
    assert world.job() is job
    (listed,) = world.act(Action.LIST_SAVEPOINT, "run-3").savepoints
    assert listed.path == taken.savepoint_path
    assert listed.is_stored
    assert (listed.origin, listed.job_id) == ("SAVEPOINT", job.job_id)
    assert listed.jar_sha256 == world.spec().jar.sha256


def test_savepoints_in_a_directory_that_nobody_can_list_are_never_called_gone(
    world: World,
) -> None:
    """Neither when no directory can be listed, nor when another one than theirs is."""
    world.running()
    elsewhere = replace(OPTIONS, savepoint_directory="s3://bucket/savepoints")
    taken = world.act(Action.SAVEPOINT, "run-2", options=elsewhere).savepoint_path
    outcome = world.act(Action.LIST_SAVEPOINT, "run-3")
    assert [(listed.path, listed.is_stored) for listed in outcome.savepoints] == [(taken, None)]
    world.reads_storage = False
    outcome = world.act(Action.LIST_SAVEPOINT, "run-4")
    assert [(listed.path, listed.is_stored) for listed in outcome.savepoints] == [(taken, None)]
    assert outcome.story[0] == "the ledger has 1"
    assert "file:/the state/savepoints cannot be listed from here" in outcome.story[1]
    assert outcome.not_listed == (outcome.story[1],)
    assert outcome.succeeded, "a part was answered, and the rest is named"


def test_a_savepoint_that_somebody_deleted_is_listed_as_gone(world: World) -> None:
    world.running()
    taken = world.act(Action.SAVEPOINT, "run-2").savepoint_path
    world.jobmanager.stored.pop(taken)
    (listed,) = world.act(Action.LIST_SAVEPOINT, "run-3").savepoints
    assert (listed.path, listed.is_stored) == (taken, False)


def test_cancel_ends_the_job_and_delete_forgets_it_with_its_jars(world: World) -> None:
    job = world.running()
    with pytest.raises(Refused, match="RUNNING"):
        world.act(Action.DELETE, "run-2")
    assert world.act(Action.CANCEL, "run-3").state == job.state == "CANCELED"
    world.act(Action.DELETE, "run-4")
    assert world.jobmanager.jars == {}
    assert world.journal.job_record("orders").spec is None


def test_the_same_intent_twice_is_done_once(world: World) -> None:
    first = world.act(Action.NEW, "run-1", spec=world.spec())
    assert world.act(Action.NEW, "run-1", spec=world.spec()) == first
    assert len(world.jobmanager.jobs) == 1


def test_new_is_refused_while_a_job_of_the_name_lives_or_has_a_savepoint(world: World) -> None:
    world.running()
    with pytest.raises(Refused, match="has this name"):
        world.act(Action.NEW, "run-2", spec=world.spec())
    world.act(Action.STOP, "run-3")
    with pytest.raises(Refused, match="without state"):
        world.act(Action.NEW, "run-4", spec=world.spec())


def test_start_is_refused_without_a_savepoint_rather_than_started_clean(world: World) -> None:
    world.running()
    world.act(Action.CANCEL, "run-2")
    with pytest.raises(Refused, match="no savepoint"):
        world.act(Action.START, "run-3")
    assert world.jobmanager.live_jobs() == []


def test_two_live_jobs_of_one_name_are_not_guessed_between(world: World) -> None:
    job = world.running()
    stranger = world.jobmanager.jobs.setdefault("f" * 32, type(job)(**vars(job)))
    stranger.job_id = "f" * 32
    with pytest.raises(Refused, match="2 live jobs"):
        world.act(Action.STOP, "run-2")
    world.act(Action.CANCEL, "run-3", job_id="f" * 32).raise_for_failure()
    assert world.job() is job


def test_a_job_that_an_unfinished_intent_owns_is_left_alone(world: World) -> None:
    world.boundaries.at = 12
    assert world.act_interrupted(Action.NEW, "run-1", spec=world.spec()) is None
    with pytest.raises(Conflict, match="run-1 has not ended"):
        world.act(Action.NEW, "run-2", spec=world.spec())
    outcome = world.act(Action.NEW, "run-1", spec=world.spec())
    assert outcome.succeeded
    assert len(world.jobmanager.live_jobs()) == 1


def test_an_intent_cannot_be_used_for_something_else(world: World) -> None:
    world.running()
    with pytest.raises(InvalidInput, match="intent"):
        world.act(Action.STOP, "setup:new")


@pytest.mark.parametrize("action", [Action.NEW, Action.UPDATE])
def test_what_to_run_is_asked_for_before_any_call(world: World, action: Action) -> None:
    with pytest.raises(InvalidInput, match="spec"):
        world.act(action, "run-1")
    assert world.jobmanager.requests == []
