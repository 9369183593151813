"""A flow run that was interrupted goes on with what was agreed to on its page, and asks no more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flinkglue.lifecycle.execute import entry_to_resume, request_to_resume
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from flinkglue.lifecycle.transaction import WouldDropState
from tests.unit.lifecycle.asking_world import AskingWorld
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, Killed

LAUNCH = "swap job"
"""The first thing that a NEW changes when it has decided."""


@pytest.fixture
def world(tmp_path: Path) -> AskingWorld:
    return AskingWorld(tmp_path)


def launching(world: AskingWorld, action: Action) -> ActionRequest:
    return ActionRequest(action, JOB_NAME, JobChanges(jar=world.jar(Behaviour.OTHER_GOOD)))


def killed(world: AskingWorld, request: ActionRequest, at_what: str) -> None:
    world.boundaries.at_what = at_what
    with pytest.raises(Killed):
        world.ask(request)
    world.boundaries.restart()


def resumed(world: AskingWorld, request: ActionRequest) -> ActionRequest | None:
    return request_to_resume(world.journal, f"run:{request.action}", request)


def test_a_new_that_may_drop_state_goes_on_without_it_after_a_crash(world: AskingWorld) -> None:
    """Its parameters do not say so: a person agreed on its page."""
    world.stopped()
    request = launching(world, Action.NEW)
    with pytest.raises(WouldDropState):
        world.ask(request)
    assert resumed(world, request) is None, "nothing was decided: it is asked about"
    agreed = replace(request, without_state=True)
    killed(world, agreed, LAUNCH)
    assert resumed(world, request) == agreed
    assert world.ask(agreed).succeeded
    assert len(world.jobmanager.jobs) == 2


@pytest.mark.parametrize(("at_what", "has_decided"), [(LAUNCH, True), ("swap intent", False)])
def test_a_new_that_was_not_asked_about_goes_on_as_it_was_requested(
    world: AskingWorld, at_what: str, has_decided: bool
) -> None:
    request = launching(world, Action.NEW)
    killed(world, request, at_what)
    assert resumed(world, request) == (request if has_decided else None)
    assert world.ask(request).succeeded
    assert len(world.jobmanager.jobs) == 1


def test_a_stateless_update_is_not_asked_about_when_it_is_under_way_or_done(
    world: AskingWorld,
) -> None:
    """Silence would end it in the middle, and say that nothing was changed."""
    world.running()
    request = launching(world, Action.STATELESS_UPDATE)
    assert resumed(world, request) is None
    killed(world, request, LAUNCH)
    assert resumed(world, request) == request
    assert world.ask(request).succeeded
    assert resumed(world, request) == request


def test_an_attempt_after_a_failed_one_is_asked_about_again(world: AskingWorld) -> None:
    world.running()
    path = world.directory / "bad.jar"
    path.write_text(Behaviour.CRASH_LOOP)
    request = ActionRequest(Action.STATELESS_UPDATE, JOB_NAME, JobChanges(jar=str(path)))
    assert not world.ask(request).succeeded
    assert resumed(world, request) is None


def test_the_stop_before_a_deletion_is_known_while_it_is_under_way_and_when_it_is_done(
    world: AskingWorld,
) -> None:
    """Who retries the flow run has confirmed the deletion before."""
    job, request = world.running(), ActionRequest(Action.STOP, JOB_NAME)
    assert entry_to_resume(world.journal, "run:STOP") is None
    killed(world, request, f"POST /jobs/{job.job_id}/stop")
    assert entry_to_resume(world.journal, "run:STOP") is not None
    assert world.ask(request).succeeded
    assert entry_to_resume(world.journal, "run:STOP") is not None
