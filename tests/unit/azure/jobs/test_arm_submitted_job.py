"""A run that is cancelled ends the job that it submitted, also when the list shows it late."""

from __future__ import annotations

import pytest

from flinkglue.azure.jobs.submission import Submission
from flinkglue.azure.jobs.submitted_job import SubmittedJob
from flinkglue.lifecycle.interrupted import OnCancel
from tests.unit.azure.jobs.arm_world import NAME, World, running_world
from tests.unit.azure.jobs.fake_arm import CLUSTER, patience_by


@pytest.fixture
def world() -> World:
    """A job runs."""
    return running_world()


def ended(world: World, how: OnCancel) -> list[str]:
    """What the run's log tells."""
    told: list[str] = []
    clock = world.clock
    arm, timeouts = world.arm.client(clock), patience_by(clock)
    SubmittedJob(Submission(arm, CLUSTER, timeouts, told.append), NAME).end(how)
    return told


@pytest.mark.parametrize(
    ("how", "action"), [(OnCancel.CANCEL, "CANCEL"), (OnCancel.STOP_WITH_SAVEPOINT, "STOP")]
)
def test_a_job_that_shows_late_is_ended(world: World, how: OnCancel, action: str) -> None:
    """Called never submitted, it would be left behind; the log says at once that it is awaited."""
    shows_at = world.clock.monotonic() + 60
    world.arm.is_late = lambda: world.clock.monotonic() < shows_at
    told = ended(world, how)
    assert told[0] == f"Job {NAME} is not launched yet: waiting up to 60 s."
    assert world.actions_asked() == [action]
    assert world.arm.live() == []


def test_a_job_that_never_shows_was_never_submitted(world: World) -> None:
    world.arm.is_late = lambda: True
    began = world.clock.monotonic()
    assert ended(world, OnCancel.CANCEL)[-1].endswith("there is nothing to end.")
    assert world.clock.monotonic() >= began + 60


def test_yesterdays_failed_stop_does_not_answer_for_todays(world: World) -> None:
    """The list is behind."""
    world.arm.rows[0].update(action="STOP", actionResult="FAILED", jobOutput="full")
    for _ in range(3):
        world.arm.client(world.clock).list_jobs(CLUSTER, NAME)
    world.arm.lags = 2
    told = ended(world, OnCancel.STOP_WITH_SAVEPOINT)
    assert "has stopped with the savepoint abfs://" in told[-1]
    assert world.actions_asked() == ["STOP"]
