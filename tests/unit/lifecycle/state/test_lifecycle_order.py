"""Which savepoint is newer: by the order in which they were taken, never by one machine's clock."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flinkglue.lifecycle.actions.inventory import apply_retention
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.state.retention import Retention
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, World

_HOUR = 3600.0
_AHEAD = st.floats(-400 * 24 * _HOUR, 400 * 24 * _HOUR)
_LIMITS = st.builds(
    Retention,
    keep=st.none() | st.integers(1, 3),
    most_age_seconds=st.none() | st.sampled_from([1.0, 60.0, 24 * _HOUR]),
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@settings(max_examples=50, deadline=None)
@given(
    lives=st.lists(st.tuples(_AHEAD, _AHEAD, _AHEAD), min_size=1, max_size=3),
    at_the_end=_AHEAD,
    limits=_LIMITS,
    reads_storage=st.booleans(),
)
@pytest.mark.exhaustive
def test_a_start_goes_on_from_the_last_stop_whatever_the_clocks_say(
    lives: list[tuple[float, float, float]],
    at_the_end: float,
    limits: Retention,
    reads_storage: bool,
) -> None:
    """And no retention has disposed of it."""
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        world.reads_storage = reads_storage
        world.running()
        for number, (nightly, stopping, starting) in enumerate(lives):
            world.clock.ahead_seconds = nightly
            world.act(Action.SAVEPOINT, f"savepoint {number}").raise_for_failure()
            world.clock.sleep(20)
            world.clock.ahead_seconds = stopping
            stopped = world.act(Action.STOP, f"stop {number}").raise_for_failure()
            world.clock.ahead_seconds = starting
            apply_retention(JOB_NAME, limits, world.backend(), world.journal, world.now)
            started = world.act(Action.START, f"start {number}").raise_for_failure()
            assert started.savepoint_path == stopped.savepoint_path
            world.clock.sleep(20)
        world.clock.ahead_seconds = at_the_end
        last = world.act(Action.STOP, "last stop").raise_for_failure().savepoint_path
        apply_retention(JOB_NAME, limits, world.backend(), world.journal, world.now)
        assert last in world.jobmanager.stored
        (newest, *_) = world.journal.savepoints(JOB_NAME)
        assert newest.path == last
        listed = world.act(Action.LIST_SAVEPOINT, "list").savepoints
        assert listed[0].path == last


def test_one_that_an_earlier_release_wrote_is_older_than_each_that_has_its_place(
    world: World,
) -> None:
    """Whatever the clock of the machine said that wrote it."""
    world.running()
    world.act(Action.SAVEPOINT, "before").raise_for_failure()
    (before,) = world.journal.savepoints(JOB_NAME)
    world.journal.record_savepoint(replace(before, sequence=0, taken_at=before.taken_at + _HOUR))
    stopped = world.act(Action.STOP, "stop").raise_for_failure().savepoint_path
    assert [one.path for one in world.journal.savepoints(JOB_NAME)] == [stopped, before.path]


def test_a_savepoint_is_told_from_a_checkpoint_by_flinks_own_numbers(world: World) -> None:
    """Nobody here reads the storage, and the worker's clock was an hour ahead."""
    world.reads_storage = False
    job = world.running()
    world.clock.ahead_seconds = _HOUR
    world.act(Action.SAVEPOINT, "nightly").raise_for_failure()
    world.clock.sleep(20)
    world.clock.ahead_seconds = 0
    world.jobmanager.fail(world.job(), "java.io.IOException: disk full")
    assert world.act(Action.RE_LAUNCH, "back").savepoint_path == job.checkpoints[-1][1]


def test_a_savepoint_that_is_newer_than_the_last_checkpoint_is_known_as_that(world: World) -> None:
    """The worker's clock was an hour behind."""
    world.reads_storage = False
    world.running()
    world.clock.ahead_seconds = -_HOUR
    taken = world.act(Action.SAVEPOINT, "nightly").raise_for_failure().savepoint_path
    world.clock.ahead_seconds = 0
    world.jobmanager.fail(world.job(), "java.io.IOException: disk full")
    assert world.act(Action.RE_LAUNCH, "back").savepoint_path == taken


def test_an_age_is_measured_by_the_storages_clock(world: World) -> None:
    """The machine that acts is two days ahead: nothing is two days old for that."""
    job = world.running()
    world.act(Action.SAVEPOINT, "nightly").raise_for_failure()
    world.clock.sleep(_HOUR)
    world.act(Action.SAVEPOINT, "hourly").raise_for_failure()
    world.clock.ahead_seconds = 48 * _HOUR
    limits = Retention(most_age_seconds=24 * _HOUR)
    done = apply_retention(JOB_NAME, limits, world.backend(), world.journal, world.now)
    assert done.disposed == ()
    assert not job.is_terminal


def test_a_forgotten_jobs_savepoints_keep_their_order(world: World) -> None:
    """DELETE forgets the record that counts them."""
    first = world.stopped()
    world.act(Action.DELETE, "delete").raise_for_failure()
    world.act(Action.NEW, "new", spec=world.spec(), savepoint_path=first).raise_for_failure()
    world.clock.sleep(20)
    world.clock.ahead_seconds = -_HOUR
    second = world.act(Action.STOP, "again").raise_for_failure().savepoint_path
    assert [one.path for one in world.journal.savepoints(JOB_NAME)] == [second, first]
