"""A process that is killed at any call, and run again: one job in the wanted state, nothing lost.

Every request to the JobManager and every write to the journal is a boundary. Each action is
interrupted at each of them, before it is done, and also after it when it changes anything; of reads
in a row at the first and the last. It is run again at once, or when Flink has forgotten the results
of its asynchronous operations.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from flinkglue.errors import Conflict, InvalidInput
from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.transaction import Refused
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import World

pytestmark = pytest.mark.exhaustive

FORGOTTEN_SECONDS = 400.0
SEED = 20240131
CHANGING_REQUESTS = ("POST", "PATCH", "DELETE")
REQUESTS = ("GET", *CHANGING_REQUESTS)
CHANGES = (*CHANGING_REQUESTS, "create", "write", "delete")
ALL_CALLS = ("GET", *CHANGES)


def _running(world: World) -> None:
    world.running()


def _stopped(world: World) -> None:
    world.stopped()


def _cancelled(world: World) -> None:
    world.running()
    world.act(Action.CANCEL, "setup:cancel")
    world.boundaries.restart()


def _lost(world: World) -> None:
    world.running()
    world.jobmanager.kill()


def _nothing(world: World) -> None:
    """NEW begins with nothing."""


@dataclass(frozen=True)
class Scenario:
    """An action, what it begins with, and what must be at its end.

    Args:
        action: The action.
        begin: Brings the world into the state before it.
        jobs: How many jobs the JobManager has seen at the end.
        runs: What the one live job does; None: there is none.
        new: What the jar to run does; None: the request names no jar.
        keeps_state: Whether the live job goes on from the count of the one before it.
        rolled_back: Whether the old jar comes back.
    """

    action: Action
    begin: Callable[[World], None]
    jobs: int
    runs: Behaviour | None
    new: Behaviour | None = None
    keeps_state: bool = False
    rolled_back: bool = False

    def request(self, world: World) -> dict[str, Any]:
        return {"spec": world.spec(self.new)} if self.new else {}

    def check(self, world: World, outcome: Outcome) -> None:
        jobs = world.jobmanager.jobs
        assert len(jobs) == self.jobs
        assert outcome.rolled_back == self.rolled_back
        assert outcome.succeeded != self.rolled_back
        self.check_live(world, outcome)
        _check_no_savepoint_lost(world)

    def check_live(self, world: World, outcome: Outcome) -> None:
        live = world.jobmanager.live_jobs()
        assert [job.behaviour for job in live] == ([self.runs] if self.runs else [])
        if live:
            assert outcome.job_id == live[0].job_id == world.journal.job_record("orders").job_id
            assert (live[0].count_at_start > 0) == self.keeps_state


def _check_no_savepoint_lost(world: World) -> None:
    stored = {path for path in world.jobmanager.stored if "/savepoints/" in path}
    assert stored == {savepoint.path for savepoint in world.journal.savepoints("orders")}


GOOD, OTHER = Behaviour.GOOD, Behaviour.OTHER_GOOD
SCENARIOS = {
    "NEW": Scenario(Action.NEW, _nothing, 1, GOOD, new=GOOD),
    "START": Scenario(Action.START, _stopped, 2, GOOD, keeps_state=True),
    "STOP": Scenario(Action.STOP, _running, 1, None),
    "UPDATE": Scenario(Action.UPDATE, _running, 2, OTHER, new=OTHER, keeps_state=True),
    "UPDATE to a jar that Flink refuses": Scenario(
        Action.UPDATE, _running, 2, GOOD, Behaviour.THROWS_WHEN_RUN, True, True
    ),
    "UPDATE to incompatible state": Scenario(
        Action.UPDATE, _running, 3, GOOD, Behaviour.INCOMPATIBLE_STATE, True, True
    ),
    "UPDATE to a crash loop": Scenario(
        Action.UPDATE, _running, 3, GOOD, Behaviour.CRASH_LOOP, True, True
    ),
    "STATELESS_UPDATE": Scenario(Action.STATELESS_UPDATE, _running, 2, OTHER, new=OTHER),
    "LAST_STATE_UPDATE": Scenario(
        Action.LAST_STATE_UPDATE, _running, 2, OTHER, new=OTHER, keeps_state=True
    ),
    "SAVEPOINT": Scenario(Action.SAVEPOINT, _running, 1, GOOD),
    "CANCEL": Scenario(Action.CANCEL, _running, 1, None),
    "DELETE": Scenario(Action.DELETE, _cancelled, 1, None),
    "RE_LAUNCH": Scenario(Action.RE_LAUNCH, _running, 2, GOOD, keeps_state=True),
    "RE_LAUNCH of a lost job": Scenario(Action.RE_LAUNCH, _lost, 1, GOOD, keeps_state=True),
}
ALL = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)


def _boundaries(scenario: Scenario, directory: Path) -> list[str]:
    world = World(directory)
    scenario.begin(world)
    scenario.check(world, world.act(scenario.action, "run", **scenario.request(world)))
    return list(world.boundaries.passed)


def _is_inner_read(passed: list[str], at: int) -> bool:
    return all(what.startswith("GET") for what in passed[max(at - 1, 0) : at + 2])


def _interruptions(
    scenario: Scenario, directory: Path, calls: tuple[str, ...] = ALL_CALLS
) -> Iterator[tuple[World, str]]:
    passed = _boundaries(scenario, directory)
    for at, what in enumerate(passed):
        if not what.startswith(calls) or _is_inner_read(passed, at):
            continue
        for before in (True,) if what.startswith("GET") else (True, False):
            world = World(directory)
            scenario.begin(world)
            world.boundaries.at, world.boundaries.before = at, before
            yield world, f"{'before' if before else 'after'} call {at}, {what}"


@ALL
@pytest.mark.parametrize(
    ("pause_seconds", "calls"), [(0.0, ALL_CALLS), (FORGOTTEN_SECONDS, CHANGES)]
)
def test_a_killed_process_that_runs_again_ends_as_if_it_had_not_been_killed(
    scenario: Scenario, pause_seconds: float, calls: tuple[str, ...], tmp_path: Path
) -> None:
    for world, where in _interruptions(scenario, tmp_path, calls):
        request = scenario.request(world)
        first = world.act_interrupted(scenario.action, "run", **request)
        assert first is None, where
        world.clock.sleep(pause_seconds)
        outcome = world.act(scenario.action, "run", **request)
        try:
            scenario.check(world, outcome)
        except AssertionError as error:
            raise AssertionError(f"killed {where}: {outcome}") from error
        assert world.journal.owner("orders") is None, where


@ALL
def test_an_answer_that_is_lost_on_its_way_changes_nothing(
    scenario: Scenario, tmp_path: Path
) -> None:
    def drop() -> None:
        raise httpx.ReadError("connection reset")

    for world, where in _interruptions(scenario, tmp_path, CHANGING_REQUESTS):
        world.boundaries.interrupt = drop
        outcome = world.act(scenario.action, "run", **scenario.request(world))
        try:
            scenario.check(world, outcome)
        except AssertionError as error:
            raise AssertionError(f"dropped {where}: {outcome}") from error


@ALL
def test_a_jobmanager_killed_in_the_middle_ends_right_or_with_the_state_told(
    scenario: Scenario, tmp_path: Path
) -> None:
    for world, where in _interruptions(scenario, tmp_path, REQUESTS):
        jobmanager = world.jobmanager

        def kill(jobmanager: Any = jobmanager) -> None:
            jobmanager.kill()
            raise httpx.ReadError("connection reset")

        world.boundaries.interrupt = kill
        try:
            outcome = world.act(scenario.action, "run", **scenario.request(world))
        except Refused:
            assert world.jobmanager.live_jobs() == [], where
            continue
        live = jobmanager.live_jobs()
        assert len(live) <= 1, where
        if scenario.runs and outcome.succeeded and scenario.action is not Action.SAVEPOINT:
            assert len(live) == 1, f"{where}: {outcome}"
        assert outcome.succeeded or outcome.story, where
        _check_no_savepoint_lost(world)


@dataclass
class Life:
    """Random actions on one job, each killed somewhere and run again until it ends."""

    world: World
    rng: random.Random
    kills: int = 0
    actions: int = 0
    log: list[str] = field(default_factory=list)

    def step(self) -> None:
        world, action = self.world, self.rng.choice(list(Action))
        self.actions += 1
        intent = f"run-{self.actions}"
        request: dict[str, Any] = {}
        if action in (Action.NEW, Action.UPDATE):
            request["spec"] = world.spec(self.rng.choice(list(Behaviour)))
        for _ in range(self.rng.choice([0, 1, 1, 2])):
            world.boundaries.at = self.rng.randrange(40)
            world.boundaries.before = self.rng.random() < 0.5
            try:
                if world.act_interrupted(action, intent, **request) is not None:
                    break
            except (Conflict, InvalidInput) as error:
                self.log.append(f"{intent} {action}: {error}")
                return
            self.kills += 1
            self.log.append(f"{intent} {action}: killed")
            world.clock.sleep(self.rng.choice([0.0, 1.0, FORGOTTEN_SECONDS]))
        try:
            outcome = world.act(action, intent, **request)
            self.log.append(f"{intent} {action}: {outcome.failure or outcome.state}")
        except (Conflict, InvalidInput) as error:
            self.log.append(f"{intent} {action}: {error}")
        world.boundaries.restart()


def test_two_hundred_random_kills_over_all_actions_make_no_double_and_lose_nothing(
    tmp_path: Path,
) -> None:
    print(f"seed {SEED}")
    life = Life(World(tmp_path), random.Random(SEED))
    while life.kills < 200:
        life.step()
        live = life.world.jobmanager.live_jobs()
        story = "\n".join(life.log[-12:])
        assert len(live) <= 1, story
        assert life.world.journal.owner("orders") is None, story
        _check_no_savepoint_lost(life.world)
        life.world.clock.sleep(life.rng.uniform(0, 20))
