"""What stands in the way of an action for a while, or for good, and how it ends then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from flinkglue.errors import AuthenticationFailed, CallFailed, ServiceUnavailable
from flinkglue.lifecycle.execute import raise_for_failure
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.transaction import Refused
from tests.gateways import GATEWAYS
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, Killed, World

Answer = Callable[[httpx.Request], httpx.Response | None]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def answering(world: World, answer: Answer) -> None:
    """Have something before the JobManager answer some requests."""
    really = world.jobmanager.transport

    def handle(request: httpx.Request) -> httpx.Response:
        own = answer(request)
        return own if own is not None else really.handle_request(request)

    world.jobmanager.transport = httpx.MockTransport(handle)


class TestACancelThatAGatewayRefuses:
    """Many a gateway lets GET and POST through, and no PATCH."""

    @pytest.mark.parametrize("status", [401, 403, 404, 405, 501])
    def test_it_ends_and_the_job_may_be_stopped(self, world: World, status: int) -> None:
        world.running()
        answering(world, lambda r: GATEWAYS["nginx"](status) if r.method == "PATCH" else None)
        outcome = world.act(Action.CANCEL, "cancel")
        assert "was not cancelled, and is RUNNING" in outcome.failure
        assert "nginx" in outcome.failure
        assert world.act(Action.STOP, "stop").succeeded
        assert world.jobmanager.live_jobs() == []

    def test_it_has_not_ended_when_nobody_can_tell_of_the_job(self, world: World) -> None:
        """The cancellation may have come through."""
        world.running()
        is_reached = True

        def answer(request: httpx.Request) -> httpx.Response | None:
            nonlocal is_reached
            is_reached = is_reached and request.method != "PATCH"
            return None if is_reached else GATEWAYS["nginx"](502)

        answering(world, answer)
        with pytest.raises(ServiceUnavailable):
            world.act(Action.CANCEL, "cancel")
        is_reached = True
        assert world.journal.owner(JOB_NAME) == "cancel"


class TestTasksThatAreStillOpening:
    """Flink takes no savepoint then: a job that restores much state is in that state for long."""

    @pytest.mark.parametrize("action", [Action.SAVEPOINT, Action.STOP])
    def test_it_is_asked_for_again(self, world: World, action: Action) -> None:
        job = world.running()
        job.tasks_running = False
        world.jobmanager.later(15, lambda: setattr(job, "tasks_running", True))
        outcome = world.act(action, "run").raise_for_failure()
        assert outcome.savepoint_path in world.jobmanager.stored
        assert len([path for path in world.jobmanager.stored if "/savepoints/" in path]) == 1

    def test_but_not_for_ever(self, world: World) -> None:
        job = world.running()
        job.tasks_running = False
        began = world.clock.seconds
        outcome = world.act(Action.SAVEPOINT, "run")
        assert "Not all required tasks are currently running" in outcome.failure
        assert world.clock.seconds - began < 120
        assert world.jobmanager.live_jobs() == [job]

    @pytest.mark.exhaustive
    def test_a_process_that_goes_on_takes_no_second_one(self, tmp_path: Path) -> None:
        for at in range(60):
            world = World(tmp_path)
            job = world.running()
            job.tasks_running = False
            world.jobmanager.later(5, lambda job=job: setattr(job, "tasks_running", True))  # type: ignore[misc]
            world.boundaries.at = at
            if world.act_interrupted(Action.SAVEPOINT, "run") is not None:
                return
            world.act(Action.SAVEPOINT, "run").raise_for_failure()
            assert len([path for path in world.jobmanager.stored if "/savepoints/" in path]) == 1
        raise AssertionError("it has more calls than were tried")

    @pytest.mark.parametrize("action", [Action.SAVEPOINT, Action.STOP])
    @pytest.mark.parametrize("tries", [2, 3])
    def test_nor_does_it_when_flink_has_forgotten_the_first_tries(
        self, world: World, action: Action, tries: int
    ) -> None:
        """A try of its own trigger id is in progress for longer than Flink keeps those before."""
        job = world.running()
        job.tasks_running = False
        asked: list[str] = []
        really = world.jobmanager.transport

        def handle(request: httpx.Request) -> httpx.Response:
            answer = really.handle_request(request)
            if request.method == "POST" and request.url.path.endswith(("/savepoints", "/stop")):
                asked.append(json.loads(request.content)["triggerId"])
                if len(asked) == tries:
                    raise Killed
            return answer

        world.jobmanager.transport = httpx.MockTransport(handle)
        assert world.act_interrupted(action, "run") is None
        for forgotten in asked[:-1]:
            del world.jobmanager.operations[forgotten]
        job.tasks_running = True
        outcome = world.act(action, "run").raise_for_failure()
        assert len(set(asked)) == len(asked) == tries
        assert outcome.savepoint_path in world.jobmanager.stored


class TestTheLedgerWhileTheClusterIsDown:
    @pytest.mark.parametrize("status", [404, 502, 503])
    def test_it_is_listed_and_the_question_stays_unanswered(
        self, world: World, status: int
    ) -> None:
        """For a command, this is 5: a service did not answer."""
        path = world.stopped()
        answering(world, lambda request: GATEWAYS["Traefik"](status))
        outcome = world.act(Action.LIST_SAVEPOINT, "list")
        assert outcome.not_listed == (outcome.failure,)
        with pytest.raises(
            ServiceUnavailable, match="1 savepoint known from the ledger alone; no "
        ):
            raise_for_failure(outcome)
        assert [savepoint.path for savepoint in outcome.savepoints] == [path]
        assert outcome.savepoints[0].is_stored is None, "nobody has looked"
        assert any("no directory was listed: Flink" in line for line in outcome.story)

    def test_a_caller_who_is_refused_is_told_so(self, world: World) -> None:
        world.stopped()
        answering(world, lambda request: httpx.Response(401, json={"errors": ["no"]}))
        with pytest.raises(AuthenticationFailed):
            world.act(Action.LIST_SAVEPOINT, "list")


class TestAJobThatEndedAndWasForgotten:
    @pytest.mark.parametrize("action", [Action.STOP, Action.SAVEPOINT, Action.CANCEL])
    def test_its_end_is_told(self, world: World, action: Action) -> None:
        world.act(Action.NEW, "new", spec=world.spec(Behaviour.BOUNDED)).raise_for_failure()
        world.clock.sleep(20)
        with pytest.raises(Refused, match="its last state is FINISHED"):
            world.act(action, "first")
        world.jobmanager.kill()
        with pytest.raises(Refused, match="ended as FINISHED, and its service no longer knows it"):
            world.act(action, "second")


class TestJarsOfFailedLaunches:
    @pytest.mark.parametrize(
        "behaviour",
        [
            Behaviour.THROWS_IN_MAIN,
            Behaviour.MISSING_CLASS,
            Behaviour.THROWS_WHEN_RUN,
            Behaviour.NO_JOB,
            Behaviour.TWO_JOBS,
        ],
    )
    def test_nothing_stays_of_a_new_that_failed(self, world: World, behaviour: Behaviour) -> None:
        outcome = world.act(Action.NEW, "new", spec=world.spec(behaviour))
        assert outcome.failure
        assert world.jobmanager.jars == {}

    def test_an_update_that_is_refused_keeps_the_running_jar_alone(self, world: World) -> None:
        world.running()
        before = dict(world.jobmanager.jars)
        outcome = world.act(Action.UPDATE, "update", spec=world.spec(Behaviour.THROWS_IN_MAIN))
        assert outcome.failure
        assert world.jobmanager.jars == before

    def test_a_job_that_lives_on_keeps_its_jar(self, world: World) -> None:
        """It came too late to be ready: an update may return to it."""
        world.jobmanager.tasks_run_after_seconds = 1000
        outcome = world.act(Action.NEW, "new", spec=world.spec())
        assert "not ready" in outcome.failure
        assert len(world.jobmanager.jars) == 1


def test_an_outage_of_the_plan_is_no_reason_to_look_for_the_jar_again(world: World) -> None:
    """It lies there for the next try."""
    answering(world, lambda r: GATEWAYS["nginx"](502) if r.url.path.endswith("/plan") else None)
    with pytest.raises(CallFailed):
        world.act(Action.NEW, "new", spec=world.spec())
    assert len(world.jobmanager.jars) == 1
