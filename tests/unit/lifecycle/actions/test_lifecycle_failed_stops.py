"""Stops whose savepoint is good and whose end is not: what is true is told, and gone on from."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from flinkglue.errors import ServiceUnavailable
from flinkglue.lifecycle.models import Action
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A JobManager whose answers about a job are up to three seconds old, as Flink's are."""
    return World(tmp_path, cached_seconds=3)


class TestASinkThatCannotCommit:
    def test_stop_tells_that_the_job_has_failed_and_where_its_state_is(self, world: World) -> None:
        world.running()
        world.jobmanager.stop_fails_after_savepoint = True
        outcome = world.act(Action.STOP, "stop")
        assert outcome.state == "FAILED"
        assert "ended as FAILED" in outcome.failure
        assert f"START resumes from the savepoint {outcome.savepoint_path}" in outcome.failure
        assert world.jobmanager.live_jobs() == []
        world.jobmanager.stop_fails_after_savepoint = False
        started = world.act(Action.START, "start").raise_for_failure()
        assert started.savepoint_path == outcome.savepoint_path

    def test_an_update_goes_on_with_the_new_jar_from_the_good_savepoint(self, world: World) -> None:
        world.running()
        world.jobmanager.stop_fails_after_savepoint = True
        outcome = world.act(Action.UPDATE, "update", spec=world.spec(Behaviour.OTHER_GOOD))
        assert outcome.succeeded
        assert world.job().behaviour is Behaviour.OTHER_GOOD
        assert world.job().restored == outcome.savepoint_path
        (kept,) = world.journal.savepoints(JOB_NAME)
        assert kept.path == outcome.savepoint_path
        assert "the sink cannot commit" in " ".join(outcome.story)

    def test_a_bad_new_jar_returns_to_the_old_one_from_it(self, world: World) -> None:
        world.running()
        world.jobmanager.stop_fails_after_savepoint = True
        bad = world.spec(Behaviour.INCOMPATIBLE_STATE)
        outcome = world.act(Action.UPDATE, "update", spec=bad)
        assert outcome.rolled_back
        assert world.job().behaviour is Behaviour.GOOD
        assert world.job().restored == outcome.savepoint_path

    @pytest.mark.parametrize("action", [Action.STOP, Action.UPDATE])
    def test_a_job_that_restarts_goes_on(self, world: World, action: Action) -> None:
        """It is seen running by an answer from after the failure, not by an older one."""
        old = world.running()
        world.jobmanager.stop_fails_after_savepoint = True
        world.jobmanager.restarts_after_seconds = 7
        spec = world.spec(Behaviour.OTHER_GOOD) if action is Action.UPDATE else None
        began_at = world.clock.seconds
        outcome = world.act(action, "asked", spec=spec)
        assert world.clock.seconds - began_at > 7
        assert (outcome.job_id, outcome.state) == (old.job_id, "RUNNING")
        assert "job keeps running" in outcome.failure
        assert world.job() is old

    def test_one_that_restarts_and_then_fails_left_a_newer_checkpoint(self, world: World) -> None:
        """An old state is never gone on from for being good."""
        old = world.running()
        world.jobmanager.stop_fails_after_savepoint = True
        world.jobmanager.restarts_after_seconds = 0.1
        world.jobmanager.later(3, lambda: world.jobmanager.fail(old, "java.io.IOException: disk"))
        outcome = world.act(Action.UPDATE, "update", spec=world.spec(Behaviour.OTHER_GOOD))
        assert outcome.succeeded
        assert outcome.savepoint_path == old.checkpoints[-1][1]
        assert world.job().restored == old.checkpoints[-1][1]

    @pytest.mark.exhaustive
    def test_a_process_that_is_killed_anywhere_comes_to_the_same_end(self, tmp_path: Path) -> None:
        for at in range(0, 200, 2):
            world = World(tmp_path, cached_seconds=3)
            world.running()
            world.jobmanager.stop_fails_after_savepoint = True
            spec = world.spec(Behaviour.OTHER_GOOD)
            world.boundaries.at = at
            done = world.act_interrupted(Action.UPDATE, "asked", spec=spec)
            outcome = done or world.act(Action.UPDATE, "asked", spec=spec)
            assert outcome.savepoint_path in world.jobmanager.stored
            assert world.job().behaviour is Behaviour.OTHER_GOOD
            assert len(world.journal.savepoints(JOB_NAME)) == 1
            if done:
                return
        raise AssertionError("the action has more calls than that")


class TestAJobManagerThatLeaves:
    def test_an_application_cluster_that_is_gone_after_its_stop_has_stopped(
        self, tmp_path: Path
    ) -> None:
        world = World(tmp_path)
        world.running()
        world.jobmanager.application = True
        began_at = world.clock.seconds
        outcome = world.act(Action.STOP, "stop").raise_for_failure()
        assert (outcome.state, outcome.job_id) == ("FINISHED", "")
        assert outcome.savepoint_path in world.jobmanager.stored
        assert "the cluster is gone" in " ".join(outcome.story)
        assert world.clock.seconds - began_at < 120
        (kept,) = world.journal.savepoints(JOB_NAME)
        assert (kept.path, kept.flink_version) == (outcome.savepoint_path, "2.3.0")
        assert world.journal.observed_job_record(JOB_NAME).ended_as == "FINISHED"

    def test_it_has_also_when_its_name_left_with_it(self, tmp_path: Path) -> None:
        """As the Service of an application on Kubernetes does."""
        world = World(tmp_path)
        world.running()
        world.jobmanager.application = True
        unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        world.jobmanager.gone = httpx.ConnectError("Name or service not known")
        world.jobmanager.gone.__cause__ = unknown
        outcome = world.act(Action.STOP, "stop").raise_for_failure()
        assert "the cluster is gone" in " ".join(outcome.story)

    def test_it_has_also_when_the_process_that_asked_is_killed(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        world.running()
        world.jobmanager.application = True
        world.boundaries.at_what, world.boundaries.before = "write savepoint", False
        assert world.act_interrupted(Action.STOP, "stop") is None
        world.boundaries.at_what = ""
        outcome = world.act(Action.STOP, "stop").raise_for_failure()
        (kept,) = world.journal.savepoints(JOB_NAME)
        assert kept.path == outcome.savepoint_path

    def test_a_session_cluster_that_is_down_has_not_left(self, tmp_path: Path) -> None:
        """The path is in the ledger at once, and the same intent goes on when it is back."""
        world = World(tmp_path)
        world.running()

        def go_down() -> None:
            world.jobmanager.is_down = True

        world.boundaries.at_what, world.boundaries.before = "write savepoint", False
        world.boundaries.interrupt = go_down
        with pytest.raises(ServiceUnavailable):
            world.act(Action.STOP, "stop")
        (kept,) = world.journal.savepoints(JOB_NAME)
        world.boundaries.at_what = ""
        world.jobmanager.is_down = False
        outcome = world.act(Action.STOP, "stop").raise_for_failure()
        assert outcome.savepoint_path == kept.path

    def test_nor_has_an_application_whose_jobmanager_answers_with_an_error(
        self, tmp_path: Path
    ) -> None:
        world = World(tmp_path)
        world.running()
        world.jobmanager.application = True
        world.jobmanager.answers_with = 500
        with pytest.raises(ServiceUnavailable):
            world.act(Action.STOP, "stop")
