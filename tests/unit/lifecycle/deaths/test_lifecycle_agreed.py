"""A process that asks before state is dropped, killed at any call: one new job, asked in time.

The answer outlives the process that got it only where the journal has it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flinkglue.errors import JobFailed
from flinkglue.lifecycle.agreement import perform_when_agreed
from flinkglue.lifecycle.execute import request_to_resume
from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from tests.unit.lifecycle.asking_world import AskingWorld
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, Killed

FORGOTTEN_SECONDS = 400.0


def _stopped(world: AskingWorld) -> None:
    world.stopped()


def _running(world: AskingWorld) -> None:
    world.running()


BEGINS: dict[Action, Callable[[AskingWorld], None]] = {
    Action.NEW: _stopped,
    Action.STATELESS_UPDATE: _running,
}


class FlowRun:
    """One flow run with a person at its page, who says yes each time."""

    def __init__(self, world: AskingWorld, action: Action) -> None:
        self._world = world
        jar = world.jar(Behaviour.OTHER_GOOD)
        self._request = ActionRequest(action, JOB_NAME, JobChanges(jar=jar))
        self.asked: list[str] = []

    def attempt(self, says_yes: bool = True) -> Outcome:
        """In a new process; it may be killed."""

        def agree(why: str) -> None:
            self.asked.append(why)
            if not says_yes:
                raise JobFailed("nothing was changed")

        action = self._request.action
        return perform_when_agreed(
            self._request,
            to_resume=lambda: request_to_resume(
                self._world.journal, f"run:{action}", self._request
            ),
            agree=agree,
            perform=self._world.ask,
        )


def launches(world: AskingWorld) -> int:
    return sum(request.url.path.endswith("/run") for request in world.jobmanager.requests)


def world_before(action: Action, directory: Path) -> AskingWorld:
    world = AskingWorld(directory)
    BEGINS[action](world)
    world.boundaries.restart()
    return world


@pytest.mark.exhaustive
@pytest.mark.parametrize("action", BEGINS)
def test_an_action_that_was_agreed_to_is_done_once_wherever_its_process_dies(
    tmp_path: Path, action: Action
) -> None:
    """Retried at once, or when Flink has forgotten what it was told."""
    for number in range(1000):
        world = world_before(action, tmp_path)
        world.boundaries.at, world.boundaries.before = number, False
        flow_run = FlowRun(world, action)
        try:
            flow_run.attempt()
        except Killed:
            pass
        else:
            break
        where = f"{action}, killed after {world.boundaries.passed[-1]}"
        has_launched = launches(world) == 2
        asked_before = len(flow_run.asked)
        world.boundaries.restart()
        world.clock.sleep(FORGOTTEN_SECONDS if number % 2 else 0.0)
        assert flow_run.attempt().succeeded, where
        assert len(world.jobmanager.jobs) == 2, where
        assert launches(world) == 2, where
        job = world.job()
        assert (job.behaviour, job.count_at_start) == (Behaviour.OTHER_GOOD, 0), where
        if has_launched:
            assert len(flow_run.asked) == asked_before == 1, where
    assert number > 20


@pytest.mark.parametrize("action", BEGINS)
def test_a_no_changes_nothing_and_is_asked_about_again_by_the_next_attempt(
    tmp_path: Path, action: Action
) -> None:
    world = world_before(action, tmp_path)
    live, flow_run = world.jobmanager.live_jobs(), FlowRun(world, action)
    for times in (1, 2):
        with pytest.raises(JobFailed):
            flow_run.attempt(says_yes=False)
        assert len(flow_run.asked) == times
    assert world.jobmanager.live_jobs() == live
    assert launches(world) == 1
    assert world.journal.owner(JOB_NAME) is None
