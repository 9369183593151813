"""What an intent means: how far it holds, and what it is made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flinkglue.errors import InvalidInput, ServiceUnavailable
from flinkglue.flink.jars.sources import JarSource
from flinkglue.lifecycle.execute import execute, next_intent, requested_by_command
from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from tests.unit.lifecycle.asking_world import AskingWorld
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, Killed

PARALLEL = ActionRequest(Action.UPDATE, JOB_NAME, JobChanges(parallelism=2))


@pytest.fixture
def world(tmp_path: Path) -> AskingWorld:
    """A job runs."""
    world = AskingWorld(tmp_path)
    world.ask(ActionRequest(Action.NEW, JOB_NAME, JobChanges(jar=world.jar()))).raise_for_failure()
    world.clock.sleep(20)
    return world


def updated_by_another(world: AskingWorld) -> None:
    changes = JobChanges(jar=world.jar(Behaviour.OTHER_GOOD), args=("--topic", "orders"))
    world.ask(ActionRequest(Action.UPDATE, JOB_NAME, changes), "another").raise_for_failure()
    world.clock.sleep(20)


def assert_only_parallelism_changed(world: AskingWorld, outcome: Outcome) -> None:
    assert [change.field for change in outcome.changes] == ["parallelism"]
    assert [change.field for change in world.shown[-1]] == ["parallelism"]
    job = world.job()
    assert job.behaviour is Behaviour.OTHER_GOOD
    assert (job.body["programArgsList"], job.body["parallelism"]) == (["--topic", "orders"], 2)


class TestATryThatDecidedNothing:
    """What it left empty is as the job runs when it is really begun."""

    def test_an_outage_of_the_jobmanager_leaves_nothing_behind(self, world: AskingWorld) -> None:
        world.jobmanager.is_down = True
        with pytest.raises(ServiceUnavailable):
            world.ask(PARALLEL, "run")
        world.jobmanager.is_down = False
        updated_by_another(world)
        assert_only_parallelism_changed(world, world.ask(PARALLEL, "run").raise_for_failure())

    def test_nor_does_one_of_the_prefect_server(self, world: AskingWorld) -> None:
        """Its entry is written, and the job was not claimed."""
        world.boundaries.at_what = "swap claim"

        def fail() -> None:
            raise ServiceUnavailable("Prefect", "update", "variable", "500")

        world.boundaries.interrupt = fail
        with pytest.raises(ServiceUnavailable):
            world.ask(PARALLEL, "run")
        world.boundaries.at_what = ""
        updated_by_another(world)
        assert_only_parallelism_changed(world, world.ask(PARALLEL, "run").raise_for_failure())

    @pytest.mark.exhaustive
    def test_nor_does_a_process_that_is_killed_at_any_call(self, tmp_path: Path) -> None:
        for at in range(20):
            world = AskingWorld(tmp_path)
            world.ask(ActionRequest(Action.NEW, JOB_NAME, JobChanges(jar=world.jar())))
            world.clock.sleep(20)
            world.boundaries.restart()
            world.boundaries.at = at
            with pytest.raises(Killed):
                world.ask(PARALLEL, "run")
            world.boundaries.restart()
            entry = world.journal.entry("run:UPDATE:1")
            if entry and "plan" in entry.facts:
                return
            # The killed intent stands in the way of another one while nobody gives it up.
            spec = world.spec(Behaviour.OTHER_GOOD, args=("--topic", "orders"))
            record = world.journal.job_record(JOB_NAME)
            world.journal.save_job_record(replace(record, spec=spec))
            world.ask(PARALLEL, "run").raise_for_failure()
            job = world.job()
            assert (job.behaviour, job.body["parallelism"]) == (Behaviour.OTHER_GOOD, 2)
        raise AssertionError("nothing was planned")

    def test_it_still_means_what_was_asked(self, world: AskingWorld) -> None:
        world.boundaries.at_what = "swap claim"
        with pytest.raises(Killed):
            world.ask(PARALLEL, "run")
        world.boundaries.restart()
        with pytest.raises(InvalidInput, match="with the same request"):
            world.ask(replace(PARALLEL, changes=JobChanges(parallelism=3)), "run")


class TestTheIntentOfACommand:
    """The number of a build serves for all that it does."""

    def test_another_action_or_job_may_have_the_same(self, tmp_path: Path) -> None:
        world = AskingWorld(tmp_path)
        new = ActionRequest(Action.NEW, JOB_NAME, JobChanges(jar=world.jar()))
        for asked in (
            new,
            ActionRequest(Action.STOP, JOB_NAME),
            ActionRequest(Action.START, JOB_NAME),
        ):
            command(world, asked).raise_for_failure()
            world.clock.sleep(20)
        command(world, replace(new, job_name="payments")).raise_for_failure()
        mains = world.jobmanager.mains
        command(world, new).raise_for_failure()  # it was done
        assert world.jobmanager.mains == mains
        assert len(world.jobmanager.live_jobs()) == 2

    def test_one_that_the_version_before_began_goes_on(self, world: AskingWorld) -> None:
        before = {"requested_by": "build-1842"}
        done = command(world, PARALLEL, **before).raise_for_failure()
        world.clock.sleep(20)
        assert command(world, PARALLEL) == done
        command(world, ActionRequest(Action.STOP, JOB_NAME)).raise_for_failure()


def command(
    world: AskingWorld, asked: ActionRequest, requested_by: str = "", **more: Any
) -> Outcome:
    """As ``python -m infra.flink_action --intent build-1842`` asks.

    Args:
        requested_by: What the version before made of that.
    """
    requested_by = requested_by or requested_by_command(world.journal, "build-1842", asked)
    return execute(
        asked,
        next_intent(world.journal, requested_by, "attempt"),
        store=world.store,
        backend=world.backend(),
        identify=JarSource().identify,
        options=world.options(),
        clock=world.clock,
        attempt="attempt",
        **more,
    )
