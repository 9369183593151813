"""The state diagram of the runbook against the actions themselves: each action in each state."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.transaction import Refused
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, World

RUNBOOK = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "flink-runbook.md"
_EDGE = re.compile(r"^    (\S+) --> (\S+): (.+)$", re.MULTILINE)
_NOBODY = "[*]"


def drawn() -> dict[tuple[str, Action], str]:
    """Where each action leads from each state; edges that are no action are left out."""
    diagram = RUNBOOK.read_text(encoding="utf-8").split("stateDiagram-v2")[1].split("```")[0]
    return {
        (begin, Action(label)): end
        for begin, end, labels in _EDGE.findall(diagram)
        for label in labels.split(", ")
        if label in list(Action)
    }


def stopped(world: World) -> None:
    world.act(Action.STOP, "before").raise_for_failure()


def cancelled(world: World) -> None:
    world.act(Action.CANCEL, "before").raise_for_failure()


def failed(world: World) -> None:
    world.jobmanager.end(world.job(), "FAILED")


def finished(world: World) -> None:
    world.jobmanager.end(world.job(), "FINISHED")


STATES: dict[str, Callable[[World], None]] = {
    "Running": lambda world: None,
    "Stopped": stopped,
    "Cancelled": cancelled,
    "Failed": failed,
    "Lost": lambda world: world.jobmanager.kill(),
    "Finished": finished,
}


def state_of(world: World) -> str:
    """The state of the diagram that the job is in now."""
    if world.journal.job_record(JOB_NAME).spec is None:
        return _NOBODY
    if world.jobmanager.live_jobs():
        return "Running"
    newest = list(world.jobmanager.jobs.values())[-1]
    if newest.state == "FINISHED" and world.journal.savepoints(JOB_NAME):
        return "Stopped"
    return newest.state.capitalize().replace("Canceled", "Cancelled")


def brought_into(world: World, state: str, action: Action) -> None:
    if state == _NOBODY:
        return
    world.running()
    if action is Action.START and state not in ("Running", "Stopped"):
        world.act(Action.SAVEPOINT, "earlier").raise_for_failure()
    STATES[state](world)


# Not drawn: what changes nothing.
CASES = [
    (state, action)
    for state in (_NOBODY, *STATES)
    for action in Action
    if action is not Action.LIST_SAVEPOINT and (state, action) != (_NOBODY, Action.DELETE)
]


@pytest.mark.parametrize(("state", "action"), CASES)
def test_an_action_is_taken_exactly_where_the_runbook_draws_it(
    tmp_path: Path, state: str, action: Action
) -> None:
    """And it leads to where the arrow points."""
    world = World(tmp_path)
    brought_into(world, state, action)
    launches = action in (Action.NEW, Action.UPDATE)
    spec = world.spec(Behaviour.OTHER_GOOD) if launches else None
    try:
        world.act(action, "asked", spec=spec).raise_for_failure()
    except (Refused, InvalidInput):
        assert (state, action) not in drawn()
        return
    assert drawn().get((state, action)) == state_of(world)
