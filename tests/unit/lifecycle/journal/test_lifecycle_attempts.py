"""What an intent asks for is written down whole, and what became of it is never done again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import InvalidInput, ServiceUnavailable
from flinkglue.lifecycle.models import LAUNCHING, RESTORE_MODES, Action, Jar, JobSpec
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from flinkglue.lifecycle.request.document import changed_field, request_document
from tests.unit.lifecycle.asking_world import AskingWorld
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, Killed

OTHER = Behaviour.OTHER_GOOD


@pytest.fixture
def world(tmp_path: Path) -> AskingWorld:
    return AskingWorld(tmp_path)


def new(world: AskingWorld) -> ActionRequest:
    return ActionRequest(Action.NEW, JOB_NAME, JobChanges(jar=world.jar()))


def test_what_ended_in_an_attempt_is_not_done_again_in_it(world: AskingWorld) -> None:
    """A task that is tried again, as a call to the server failed after the outcome was recorded."""
    world.running()
    path = world.directory / "release.jar"
    path.write_text(Behaviour.CRASH_LOOP)
    asked = ActionRequest(Action.UPDATE, JOB_NAME, JobChanges(jar=str(path)))
    outcome = world.ask(asked, attempt="run:1")
    assert outcome.rolled_back
    path.unlink()
    launches = len(world.jobmanager.jobs)
    assert world.ask(asked, attempt="run:1") == outcome
    assert len(world.jobmanager.jobs) == launches
    path.write_text(Behaviour.GOOD)
    assert world.ask(asked, attempt="run:2").succeeded


def test_a_server_that_fails_after_the_outcome_fails_and_repeats_nothing(
    world: AskingWorld,
) -> None:
    """Whichever call to it is the first to fail."""
    world.ask(new(world))
    world.clock.sleep(10)
    outcome = world.ask(ActionRequest(Action.UPDATE, JOB_NAME, JobChanges(jar=world.jar(OTHER))))
    assert outcome.succeeded
    passed = world.boundaries.passed
    recorded = len(passed) - 1 - passed[::-1].index("swap intent")
    for at in range(recorded + 1, len(passed)):
        fresh = AskingWorld(world.directory)
        fresh.ask(new(fresh))
        fresh.clock.sleep(10)
        fresh.boundaries.at = at

        def fail() -> None:
            raise ServiceUnavailable("Prefect", "POST", "it", "Internal Server Error", status=500)

        fresh.boundaries.interrupt = fail
        update = ActionRequest(Action.UPDATE, JOB_NAME, JobChanges(jar=fresh.jar(OTHER)))
        assert fresh.ask(update).succeeded
        assert len(fresh.jobmanager.jobs) == 2


def test_all_that_an_intent_asks_for_stays_as_it_was(world: AskingWorld) -> None:
    """Another drain is another STOP."""
    world.running()
    world.boundaries.at_what = "POST /jobs/" + world.job().job_id + "/stop"
    with pytest.raises(Killed):
        world.ask(ActionRequest(Action.STOP, JOB_NAME, drain=True))
    world.boundaries.restart()
    with pytest.raises(InvalidInput, match="drain"):
        world.ask(ActionRequest(Action.STOP, JOB_NAME))
    assert world.ask(ActionRequest(Action.STOP, JOB_NAME, drain=True, take_over=True)).succeeded


LAUNCH = st.sampled_from(sorted(LAUNCHING))


@given(
    action=LAUNCH,
    savepoint=st.none() | st.just("file:/s/savepoint-1"),
    job_id=st.sampled_from(["", "a" * 32]),
    take_over=st.booleans(),
    args=st.lists(st.text()).map(tuple),
    settings=st.dictionaries(st.text(), st.text()),
    restore_mode=st.sampled_from(RESTORE_MODES),
    non_restored=st.booleans(),
)
def test_what_is_asked_for_is_written_down_whole(
    action: Action,
    savepoint: str | None,
    job_id: str,
    take_over: bool,
    args: tuple[str, ...],
    settings: dict[str, str],
    restore_mode: Any,
    non_restored: bool,
) -> None:
    spec = JobSpec(
        JOB_NAME,
        Jar("/jars/a.jar", "a" * 64, 1),
        args=args,
        flink_configuration=settings,
        allow_non_restored_state=non_restored,
        restore_mode=restore_mode,
    )
    path = savepoint if action in (Action.NEW, Action.START, Action.RE_LAUNCH) else None
    begun = ActionRequest(action, JOB_NAME, savepoint_path=path, job_id=job_id)
    written = json.loads(json.dumps(request_document("run:1", begun, spec)))
    again = replace(begun, take_over=take_over)
    assert changed_field(written, request_document("run:1", again, spec)) == ""
    other = replace(spec, parallelism=spec.parallelism + 1)
    assert changed_field(written, request_document("run:1", again, other)) == "spec"
    another = replace(begun, job_id="c" * 32)
    assert changed_field(written, request_document("run:1", another, spec)) == "job_id"


@given(drain=st.booleans(), job_id=st.sampled_from(["", "b" * 32]), take_over=st.booleans())
def test_a_stop_is_written_down_whole(drain: bool, job_id: str, take_over: bool) -> None:
    begun = ActionRequest(Action.STOP, JOB_NAME, job_id=job_id, drain=drain)
    written = json.loads(json.dumps(request_document("run:1", begun, None)))
    again = replace(begun, take_over=take_over)
    assert changed_field(written, request_document("run:1", again, None)) == ""
    other = replace(begun, drain=not drain)
    assert changed_field(written, request_document("run:1", other, None)) == "drain"
