"""Processes killed at any call to ARM or to the journal: run again, the action is done once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flinkglue.lifecycle.models import Action, Outcome
from tests.unit.azure.jobs.arm_world import NAME, OPTIONS, World, spec
from tests.unit.azure.jobs.fake_arm import SAVEPOINTS
from tests.unit.lifecycle.lifecycle_world import Killed

pytestmark = pytest.mark.exhaustive

# ARM alone does not tell whether a checkpoint is there, so there is no sure way back from it.
NAMED_CHECKPOINT = {
    "savepoint_path": f"{SAVEPOINTS}/chk-1",
    "options": replace(OPTIONS, roll_back=False),
}
SETUPS: dict[Action, Any] = {
    Action.NEW: {"spec": spec()},
    Action.START: {},
    Action.STOP: {},
    Action.UPDATE: {"spec": spec("v2.jar")},
    Action.STATELESS_UPDATE: {"spec": spec("v2.jar")},
    Action.LAST_STATE_UPDATE: NAMED_CHECKPOINT,
    Action.RE_LAUNCH: NAMED_CHECKPOINT,
    Action.SAVEPOINT: {},
    Action.CANCEL: {},
    Action.DELETE: {},
}


def _prepared(action: Action) -> World:
    world = World()
    if action is not Action.NEW:
        world.act(Action.NEW, "setup", spec=spec()).raise_for_failure()
    if action is Action.START:
        world.act(Action.STOP, "setup-stop").raise_for_failure()
    if action is Action.DELETE:
        world.act(Action.CANCEL, "setup-cancel").raise_for_failure()
    world.boundaries.restart()
    world.arm.asked.clear()
    return world


def _assert_done_once(world: World, action: Action, outcome: Outcome) -> None:
    assert outcome.succeeded, (outcome.failure, outcome.story)
    runs = action not in (Action.STOP, Action.CANCEL, Action.DELETE)
    assert len(world.arm.live()) == runs
    assert world.arm.most_live <= 1
    if runs:
        assert world.journal.job_record(NAME).job_id == world.job_id()
    if action in (Action.STOP, Action.UPDATE, Action.SAVEPOINT):
        paths = [savepoint.path for savepoint in world.journal.savepoints(NAME)]
        assert paths == [outcome.savepoint_path]
    launches = [asked for asked in world.actions_asked() if asked in ("NEW", "START")]
    assert len(launches) <= 1


@pytest.mark.parametrize("action", SETUPS)
@pytest.mark.parametrize("before", [True, False])
def test_a_process_killed_at_any_call_and_run_again_does_it_once(
    action: Action, before: bool
) -> None:
    """Every request and every write to the journal, before it is done and after."""
    counted = _prepared(action)
    counted.act(action, **SETUPS[action])
    for at in range(len(counted.boundaries.passed)):
        world = _prepared(action)
        world.boundaries.at, world.boundaries.before = at, before
        with pytest.raises(Killed):
            world.act(action, **SETUPS[action])
        world.boundaries.restart()
        _assert_done_once(world, action, world.act(action, **SETUPS[action]))
