"""Jars whose main() submits no job, or more than one, or fails when its job has been submitted.

What Flink answers to them was measured on 1.20.5 and 2.3.0.
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from flinkglue.lifecycle.backend import LaunchRefused, MoreThanOneJob
from flinkglue.lifecycle.models import Action
from tests.unit.flink.rest_bench import JOB_ID, Bench, errors, failing, unknown_job
from tests.unit.lifecycle.fake_flink_jobs import Behaviour, Job
from tests.unit.lifecycle.lifecycle_world import World

AFTER_SUBMIT = (Behaviour.THROWS_AFTER_SUBMIT, Behaviour.THROWS_AFTER_SUBMIT_OF_BOUNDED)
SEVERAL = (Behaviour.TWO_JOBS, Behaviour.TWO_JOBS_OF_ONE_ENVIRONMENT)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


class TestMainFailsAfterItsSubmit:
    """As one does that asks for the job's result: a job submitted over REST has none to give."""

    @pytest.mark.parametrize("behaviour", AFTER_SUBMIT)
    @pytest.mark.parametrize("version", ["1.17", "2.3"])
    def test_the_job_is_there_and_the_cause_is_told(
        self, tmp_path: Path, version: str, behaviour: Behaviour
    ) -> None:
        bench = Bench(tmp_path, version=version)
        view = bench.backend().submit(bench.launch(behaviour))
        assert view.job_id == JOB_ID
        assert "submitted in detached mode" in view.main_failure
        assert len(bench.sent("POST", "/run")) == 1

    def test_the_job_shows_up_a_moment_later(self, bench: Bench) -> None:
        bench.instead = failing(JOB_ID, *[unknown_job()] * 3)
        view = bench.backend().submit(bench.launch(Behaviour.THROWS_AFTER_SUBMIT))
        assert view.job_id == JOB_ID

    def test_a_job_that_failed_at_its_restore_is_refused(self, bench: Bench) -> None:
        """The submit is answered with the job's failure, and the job is listed as FAILED."""
        answer = errors(400, "Could not run", "Caused by: StateMigrationException: new serializer")

        def refuse(request: httpx.Request) -> httpx.Response | None:
            if not request.url.path.endswith("/run"):
                return None
            bench.jobmanager.transport.handle_request(request)
            bench.jobmanager.end(bench.jobmanager.jobs[JOB_ID], "FAILED")
            return answer

        bench.instead = refuse
        with pytest.raises(LaunchRefused, match="new serializer"):
            bench.backend().submit(bench.launch())

    def test_new_runs_it_and_says_so(self, world: World) -> None:
        outcome = world.act(Action.NEW, "new", spec=world.spec(Behaviour.THROWS_AFTER_SUBMIT))
        assert outcome.succeeded, outcome.failure
        assert outcome.state == "RUNNING"
        (line,) = [line for line in outcome.story if "main()" in line]
        assert "submitted in detached mode" in line

    def test_new_counts_one_that_came_to_its_own_end(self, world: World) -> None:
        spec = world.spec(Behaviour.THROWS_AFTER_SUBMIT_OF_BOUNDED)
        outcome = world.act(Action.NEW, "new", spec=spec).raise_for_failure()
        assert outcome.state == "FINISHED"

    def test_update_replaces_the_old_job(self, world: World) -> None:
        world.running()
        spec = world.spec(Behaviour.THROWS_AFTER_SUBMIT)
        outcome = world.act(Action.UPDATE, "update", spec=spec).raise_for_failure()
        assert world.job().job_id == outcome.job_id
        assert world.job().behaviour is Behaviour.THROWS_AFTER_SUBMIT
        assert world.job().restored == outcome.savepoint_path


class TestMainSubmitsMoreThanOneJob:
    """Under the given job id the second is a duplicate; a plan shows only the first."""

    @pytest.mark.parametrize("behaviour", SEVERAL)
    def test_it_is_no_success(self, bench: Bench, behaviour: Behaviour) -> None:
        with pytest.raises(MoreThanOneJob, match=r"more than one job.*StatementSet"):
            bench.backend().submit(bench.launch(behaviour))

    def test_the_second_may_have_the_name_of_the_first(self, bench: Bench) -> None:
        """pipeline.name gives both the same."""
        bench.jobmanager.second_job_name = "orders"
        with pytest.raises(MoreThanOneJob):
            bench.backend().submit(bench.launch(Behaviour.TWO_JOBS))

    def test_a_job_that_an_earlier_call_submitted_is_no_second_one(self, bench: Bench) -> None:
        """Its answer was lost, and the look comes too early: the duplicate is our own."""
        bench.backend().submit(bench.launch())
        bench.instead = failing(JOB_ID, unknown_job())
        assert bench.backend().submit(bench.launch(requested_before=True)).job_id == JOB_ID

    def test_another_name_tells_it_whatever_came_before(self, bench: Bench) -> None:
        bench.instead = failing("/run", httpx.ReadError("connection reset"))
        with pytest.raises(MoreThanOneJob, match="second half"):
            bench.backend().submit(bench.launch(Behaviour.TWO_JOBS))

    @pytest.mark.parametrize("behaviour", SEVERAL)
    def test_new_leaves_nothing_running(self, world: World, behaviour: Behaviour) -> None:
        outcome = world.act(Action.NEW, "new", spec=world.spec(behaviour))
        assert "more than one job" in outcome.failure
        assert (outcome.state, world.jobmanager.live_jobs()) == ("CANCELED", [])

    @pytest.mark.parametrize("behaviour", SEVERAL)
    def test_update_returns_to_the_old_job(self, world: World, behaviour: Behaviour) -> None:
        old = world.running()
        outcome = world.act(Action.UPDATE, "update", spec=world.spec(behaviour))
        assert "more than one job" in outcome.failure
        assert outcome.rolled_back
        assert world.job().behaviour is old.behaviour
        assert world.job().count_at_start == old.count_at_end

    def test_wherever_the_process_is_killed_no_half_is_left(self, tmp_path: Path) -> None:
        """From Flink's answer on; a process that is killed before it has that cannot know."""
        calls = self._calls_after_run(World(tmp_path))
        for at in calls:
            world = World(tmp_path)
            world.boundaries.at = at
            spec = world.spec(Behaviour.TWO_JOBS)
            if world.act_interrupted(Action.NEW, "new", spec=spec) is None:
                world.act(Action.NEW, "new", spec=spec)
            assert world.jobmanager.live_jobs() == [], at

    @staticmethod
    def _calls_after_run(world: World) -> range:
        world.act(Action.NEW, "new", spec=world.spec(Behaviour.TWO_JOBS))
        passed = world.boundaries.passed
        run = next(at for at, what in enumerate(passed) if what.endswith("/run"))
        written = passed.index("swap intent", run)
        return range(written + 1, len(passed))


class TestMainSubmitsNoJob:
    @pytest.mark.parametrize("action", [Action.NEW, Action.UPDATE, Action.STATELESS_UPDATE])
    def test_it_is_said_before_anything_is_stopped(self, world: World, action: Action) -> None:
        old: Job | None = world.running() if action is not Action.NEW else None
        outcome = world.act(action, "no job", spec=world.spec(Behaviour.NO_JOB))
        assert "main() submits no job" in outcome.failure
        assert world.jobmanager.live_jobs() == ([old] if old else [])

    def test_it_is_said_of_a_launch_without_a_plan(self, bench: Bench) -> None:
        with pytest.raises(LaunchRefused, match=r"main\(\) submits no job"):
            bench.backend().submit(bench.launch(Behaviour.NO_JOB))
