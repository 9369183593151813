"""A job that its service has forgotten may have left a newer savepoint than anybody here knows of.

Somebody stopped it with Flink's own tools. Where the storage cannot be looked into, what it left is
for a person to name.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flinkglue.lifecycle.journal.records import JobRecord
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.transaction import Refused
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, OPTIONS, World

BY_HAND = "f" * 32


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def stopped_by_hand(world: World, *, is_watched: bool) -> str:
    """Stopped with ``flink stop``, and forgotten by its JobManager; the path of what it left."""
    world.clock.sleep(1000)
    job = world.job()
    world.jobmanager.take(job.job_id, BY_HAND, stop=True)
    if is_watched:
        seen = world.backend().view(job.job_id)
        assert seen
        world.journal.record_observation(seen, JOB_NAME)
    world.jobmanager.kill()
    assert job.savepoint
    return job.savepoint


@pytest.mark.parametrize("is_watched", [True, False])
def test_start_asks_for_the_savepoint_where_no_storage_is_read(
    world: World, is_watched: bool
) -> None:
    world.running()
    ours = world.act(Action.SAVEPOINT, "nightly").raise_for_failure().savepoint_path
    by_hand = stopped_by_hand(world, is_watched=is_watched)
    world.reads_storage = False
    with pytest.raises(Refused) as refused:
        world.act(Action.START, "start")
    said = str(refused.value)
    assert str(ours) in said
    assert "/savepoints" in said  # what could not be looked at
    assert "savepoint" in str(refused.value.advice)
    assert world.jobmanager.live_jobs() == []
    named = world.act(Action.START, "named", savepoint_path=by_hand).raise_for_failure()
    assert named.savepoint_path == by_hand


def test_it_does_where_a_gateway_keeps_the_settings_to_itself(world: World) -> None:
    """Which directory the cluster writes to is not known then."""
    world.running()
    world.act(Action.SAVEPOINT, "nightly").raise_for_failure()
    stopped_by_hand(world, is_watched=True)
    world.jobmanager.hides_settings = True
    with pytest.raises(Refused, match="does not show its settings"):
        world.act(Action.START, "start")


def test_it_does_for_a_launch_after_a_stop_of_ours(world: World) -> None:
    """The stop was that of the launch before."""
    job = world.running()
    world.act(Action.STOP, "stop").raise_for_failure()
    world.act(Action.START, "start").raise_for_failure()
    world.clock.sleep(20)
    assert world.job().job_id != job.job_id
    stopped_by_hand(world, is_watched=True)
    world.reads_storage = False
    with pytest.raises(Refused, match="no longer knows job"):
        world.act(Action.START, "again")


@pytest.mark.parametrize("is_watched", [True, False])
def test_new_does_not_start_it_empty(world: World, is_watched: bool) -> None:
    world.running()
    by_hand = stopped_by_hand(world, is_watched=is_watched)
    world.reads_storage = False
    with pytest.raises(Refused, match="NEW starts without state") as refused:
        world.act(Action.NEW, "new", spec=world.spec())
    assert "without_state" in str(refused.value.advice)
    assert world.jobmanager.live_jobs() == []
    named = world.act(Action.NEW, "named", spec=world.spec(), savepoint_path=by_hand)
    assert named.raise_for_failure().savepoint_path == by_hand


def test_new_does_not_where_no_checkpoint_was_seen_either(tmp_path: Path) -> None:
    """It takes some: the first had not completed when the job came to run."""
    world = World(tmp_path, checkpoint_every_seconds=100)
    soon = replace(OPTIONS, ready=replace(OPTIONS.ready, await_checkpoint=False))
    world.act(Action.NEW, "setup", spec=world.spec(), options=soon).raise_for_failure()
    assert world.journal.job_record(JOB_NAME).checkpoint_path is None
    stopped_by_hand(world, is_watched=False)
    world.reads_storage = False
    with pytest.raises(Refused, match="NEW starts without state"):
        world.act(Action.NEW, "new", spec=world.spec())


def test_new_starts_it_empty_when_it_is_told_to(world: World) -> None:
    world.running()
    stopped_by_hand(world, is_watched=True)
    world.reads_storage = False
    world.act(Action.NEW, "new", spec=world.spec(), without_state=True).raise_for_failure()


def test_start_names_what_cannot_be_seen_when_an_older_savepoint_is_named(world: World) -> None:
    """FINISHED alone does not say that the job was stopped with the ledger's newest."""
    world.running()
    ours = world.act(Action.SAVEPOINT, "nightly").raise_for_failure().savepoint_path
    stopped_by_hand(world, is_watched=True)
    world.reads_storage = False
    named = world.act(Action.START, "named", savepoint_path=ours).raise_for_failure()
    assert f"it resumes from {ours}: the checkpoints of job" in " ".join(named.story)


@pytest.mark.parametrize("is_of_the_version_before", [True, False])
def test_a_job_that_was_stopped_here_goes_on_unasked(
    world: World, is_of_the_version_before: bool
) -> None:
    path = world.stopped()
    if is_of_the_version_before:
        world.journal.save_job_record(without_new_facts(world.journal.job_record(JOB_NAME)))
    world.jobmanager.kill()
    world.reads_storage = False
    assert world.act(Action.START, "start").raise_for_failure().savepoint_path == path


def test_a_job_that_was_cancelled_here_goes_on_unasked(world: World) -> None:
    world.running()
    path = world.act(Action.SAVEPOINT, "nightly").raise_for_failure().savepoint_path
    world.act(Action.CANCEL, "cancel").raise_for_failure()
    world.jobmanager.kill()
    world.reads_storage = False
    assert world.act(Action.START, "start").raise_for_failure().savepoint_path == path


def without_new_facts(record: JobRecord) -> JobRecord:
    """As the version before wrote it."""
    return replace(record, ended_here=False, takes_checkpoints=False)
