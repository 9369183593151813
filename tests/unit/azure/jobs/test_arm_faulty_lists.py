"""ARM's jobs list when it is late, unfiltered or no list: no second job, no stranger's end."""

from __future__ import annotations

from typing import cast

import pytest

from flinkglue.errors import DeadlineExceeded, InvalidInput, ServiceUnavailable
from flinkglue.lifecycle.backend import FlinkBackend, Launch
from flinkglue.lifecycle.deadline import DeadlineClock
from flinkglue.lifecycle.models import Action, JobView
from flinkglue.lifecycle.transaction import Refused
from tests.unit.azure.jobs.arm_world import World, running_world, spec
from tests.unit.lifecycle.lifecycle_world import Killed

LAUNCH = Launch(spec(), "a" * 32, requested_before=True)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def running() -> World:
    """One job runs."""
    return running_world()


def killed_after_its_post(world: World) -> None:
    """A process is gone when ARM has taken its NEW."""
    world.boundaries.at_what, world.boundaries.before = "POST runJob", False
    with pytest.raises(Killed):
        world.act(Action.NEW, spec=spec())
    world.boundaries.restart()


@pytest.mark.parametrize("shows_after_seconds", [0, 25, 59.9, 60])
def test_a_launch_that_shows_late_is_not_sent_again(
    world: World, shows_after_seconds: float
) -> None:
    """The next process waits as long as the list is allowed to lag, and looks when that ends."""
    shows_at = world.clock.monotonic() + shows_after_seconds
    world.arm.is_late = lambda: world.clock.monotonic() < shows_at
    killed_after_its_post(world)
    outcome = world.act(Action.NEW, spec=spec()).raise_for_failure()
    assert world.actions_asked() == ["NEW"]
    assert outcome.job_id == world.job_id()


def test_a_launch_that_was_not_sent_is_sent_after_that(world: World) -> None:
    """Only a process that may have sent one lets the next one wait."""
    began = world.clock.monotonic()
    world.boundaries.at_what, world.boundaries.before = "POST runJob", True
    with pytest.raises(Killed):
        world.act(Action.NEW, spec=spec())
    world.boundaries.restart()
    assert world.clock.monotonic() == began
    outcome = world.act(Action.NEW, spec=spec()).raise_for_failure()
    assert world.clock.monotonic() >= began + 60
    assert world.actions_asked() == ["NEW"]
    assert outcome.job_id == world.job_id()


@pytest.mark.parametrize("pages", [1, 1000])
def test_a_proxys_page_is_no_list_without_the_launch(world: World, pages: int) -> None:
    """Not being able to look is no reason to send again."""
    killed_after_its_post(world)
    world.arm.answers_html = pages
    if pages == 1:
        world.act(Action.NEW, spec=spec()).raise_for_failure()
    else:
        with pytest.raises(ServiceUnavailable, match="the answer is no"):
            world.act(Action.NEW, spec=spec())
    assert world.actions_asked() == ["NEW"]


def test_a_proxys_page_does_not_say_that_no_job_runs(running: World) -> None:
    running.arm.answers_html = 1000
    with pytest.raises(ServiceUnavailable, match="the answer is no"):
        running.act(Action.STOP)
    running.arm.answers_html = 0
    assert running.act(Action.STOP).raise_for_failure().state == "FINISHED"


@pytest.mark.parametrize("action", [Action.CANCEL, Action.STOP, Action.SAVEPOINT, Action.RE_LAUNCH])
def test_a_stranger_in_an_unfiltered_list_is_left_alone(running: World, action: Action) -> None:
    """A service, or a proxy before it, that does not know the filter lists every job."""
    running.arm.ignores_filter = True
    running.act(Action.CANCEL, "end").raise_for_failure()
    running.arm.asked.clear()
    running.arm.rows[0].update(jobName="payments", jobId="b" * 32, status="RUNNING")
    with pytest.raises(Refused):
        running.act(action)
    assert running.actions_asked() == []


def test_deleting_a_job_deletes_no_stranger_of_an_unfiltered_list(running: World) -> None:
    running.act(Action.CANCEL, "end").raise_for_failure()
    stranger = {**running.arm.rows[0], "jobName": "payments", "runId": "job-of-payments"}
    running.arm.rows.append(stranger)
    running.arm.ignores_filter = True
    running.act(Action.DELETE).raise_for_failure()
    assert running.arm.rows == [stranger]


@pytest.mark.parametrize("verb", ["find", "forget"])
def test_a_name_that_no_job_can_have_is_refused_before_any_call(world: World, verb: str) -> None:
    """Within ARM's filter it would name other jobs."""
    backend = world.arm.backend(world.clock, world._send)
    with pytest.raises(InvalidInput, match="job_name"):
        getattr(backend, verb)("orders or jobName eq payments")
    assert world.boundaries.passed == []


def test_the_deadline_of_the_whole_action_does_not_cut_the_wait_short(world: World) -> None:
    """It ends the action, and is no reason to send what may be on its way."""
    clock = DeadlineClock("NEW of orders", 30, world.clock)
    with pytest.raises(DeadlineExceeded, match="NEW of orders"):
        world.arm.backend(clock).submit(LAUNCH)
    assert world.actions_asked() == []


class SilentFlink:
    """A JobManager that does not show the job yet."""

    def view(self, job_id: str) -> None:
        return None

    def find(self, job_name: str) -> list[JobView]:
        return []


def test_the_deadline_of_the_whole_action_does_not_refuse_a_good_launch(world: World) -> None:
    """Flink had no time to show it: that must not lead back to the old jar."""
    clock = DeadlineClock("NEW of orders", 30, world.clock)
    backend = world.arm.backend(clock, flink=cast(FlinkBackend, SilentFlink()))
    with pytest.raises(DeadlineExceeded, match="NEW of orders"):
        backend.submit(Launch(spec(), "a" * 32))
    assert len(world.arm.live()) == 1


def test_an_operation_that_cannot_be_followed_is_no_refusal(world: World) -> None:
    """ARM has taken the launch: the list tells what became of it."""
    world.arm.forbids_operations = True
    outcome = world.act(Action.NEW, spec=spec()).raise_for_failure()
    assert outcome.job_id == world.job_id()
    assert world.actions_asked() == ["NEW"]
