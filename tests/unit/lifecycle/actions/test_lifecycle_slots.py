"""Task slots are looked at before a job that runs is ended for another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.flink.cluster_kind import is_application, why_it_grows
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.slots import Slots
from flinkglue.lifecycle.transaction import Refused
from tests.unit.lifecycle.fake_flink_jobs import Behaviour, Job
from tests.unit.lifecycle.lifecycle_world import OPTIONS, World

REPLACING = (Action.UPDATE, Action.STATELESS_UPDATE, Action.LAST_STATE_UPDATE)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Four slots, of which the job has two."""
    world = World(tmp_path)
    world.jobmanager.slots = 4
    spec = world.spec(parallelism=2)
    world.act(Action.NEW, "setup:new", spec=spec).raise_for_failure()
    world.clock.sleep(20)
    return world


def other_job(world: World, parallelism: int = 1) -> None:
    behaviour = world.job().behaviour
    other = Job("e" * 32, "payments", behaviour, 1000, None, 0, {"parallelism": parallelism})
    world.jobmanager.start(other)


@pytest.mark.parametrize("action", REPLACING)
def test_a_job_is_not_ended_for_one_that_the_cluster_has_no_room_for(
    world: World, action: Action
) -> None:
    old = world.job()
    spec = world.spec(Behaviour.OTHER_GOOD, parallelism=5)
    with pytest.raises(Refused, match="needs at least 5 task slots, and there would be 4") as told:
        world.act(action, "asked", spec=spec)
    assert "2 of 4 are free, and stopping the running job frees 2" in str(told.value)
    assert world.job() is old
    assert old.savepoint is None


@pytest.mark.parametrize("action", REPLACING)
def test_the_slots_that_it_has_itself_are_counted(world: World, action: Action) -> None:
    spec = world.spec(Behaviour.OTHER_GOOD, parallelism=4)
    world.act(action, "asked", spec=spec).raise_for_failure()


@pytest.mark.parametrize("is_told", [True, False])
def test_those_of_another_job_are_not(world: World, is_told: bool) -> None:
    """Where no TaskManager tells whose they are, only what is sure is refused."""
    other_job(world)
    world.jobmanager.tells_slots_of_jobs = is_told
    spec = world.spec(Behaviour.OTHER_GOOD, parallelism=4)
    options = OPTIONS
    if not is_told:
        assert world.backend().slots("a" * 32, 4) == Slots(4, 1, 3)
        return
    with pytest.raises(Refused, match="there would be 3: 1 of 4 are free"):
        world.act(Action.UPDATE, "asked", spec=spec, options=options)


def test_what_main_sets_itself_is_what_counts(world: World) -> None:
    world.jobmanager.own_parallelism = 1
    spec = world.spec(Behaviour.OTHER_GOOD, parallelism=9)
    world.act(Action.UPDATE, "asked", spec=spec).raise_for_failure()


def test_a_person_may_know_better(world: World) -> None:
    spec = world.spec(Behaviour.OTHER_GOOD, parallelism=9)
    options = replace(OPTIONS, check_slots=False)
    world.act(Action.UPDATE, "asked", spec=spec, options=options).raise_for_failure()


def test_a_gateway_that_keeps_settings_to_itself_keeps_no_action_from_its_end(
    tmp_path: Path,
) -> None:
    """What they would tell is unknown then, and nothing is refused for it."""
    world = World(tmp_path)
    world.running()
    world.jobmanager.slots = 4
    world.jobmanager.hides_settings = True
    taken = world.act(Action.SAVEPOINT, "nightly").raise_for_failure()
    spec = world.spec(Behaviour.OTHER_GOOD, parallelism=9)
    outcome = world.act(Action.UPDATE, "update", spec=spec).raise_for_failure()
    assert "its settings are not reported" in " ".join(outcome.story)
    assert taken.savepoint_path != outcome.savepoint_path


ELASTIC = [
    {"jobmanager.scheduler": "Adaptive"},
    {"scheduler-mode": "REACTIVE"},
    {"execution.target": "kubernetes-session"},
    {"execution.target": "yarn-session"},
    {"kubernetes.cluster-id": "orders"},
]


@pytest.mark.parametrize("settings", ELASTIC, ids=str)
def test_a_cluster_that_grows_is_trusted_to(world: World, settings: dict[str, str]) -> None:
    """And the page tells what is missing now."""
    world.jobmanager.settings |= settings
    spec = world.spec(Behaviour.OTHER_GOOD, parallelism=9)
    outcome = world.act(Action.UPDATE, "asked", spec=spec).raise_for_failure()
    assert "needs at least 9 task slots" in " ".join(outcome.story)


def test_a_job_that_has_ended_is_brought_back_without_a_look(world: World) -> None:
    """There is nothing that could be lost by it."""
    world.jobmanager.fail(world.job(), "java.io.IOException: disk full")
    world.jobmanager.slots = 1
    world.act(Action.RE_LAUNCH, "back").raise_for_failure()


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_never_is_more_missing_than_is_needed(total: int, free: int, own: int, needed: int) -> None:
    missing = Slots(total, free, own).missing_for(needed)
    assert 0 <= missing <= needed
    assert (missing == 0) == (needed <= min(total, free + own))


@pytest.mark.parametrize("settings", [{}, {"execution.target": "remote"}])
def test_a_standalone_session_cluster_is_none_of_these(settings: dict[str, str]) -> None:
    assert why_it_grows(settings) == ""
    assert not is_application(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"execution.target": "embedded"},
        {"execution.target": "kubernetes-application"},
        {"$internal.application.main": "com.example.Orders"},
    ],
)
def test_an_application_cluster_is_known_by_its_settings(settings: dict[str, str]) -> None:
    assert is_application(settings)
