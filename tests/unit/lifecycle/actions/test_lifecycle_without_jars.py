"""A cluster that launches no jars: what can work on its job works, the rest is refused in words.

So it is with ``web.submit.enable: false`` and in Application Mode, measured on 2.3.0: ``/config``
tells it, and there is no ``/jars``. ``web.cancel.enable: false`` is about the dashboard alone.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest

from flinkglue.errors import BadEndpoint, ServiceUnavailable
from flinkglue.flink.api.failures import NotOffered
from flinkglue.lifecycle.models import LAUNCHING, Action
from tests.unit.lifecycle.fake_flink_jobs import Behaviour, Job
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, World

JOB_ID = "ab" * 16


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Its job was started with the cluster, by nobody here."""
    world = World(tmp_path, web_submit=False)
    started_at = world.clock.seconds
    world.jobmanager.start(Job(JOB_ID, JOB_NAME, Behaviour.GOOD, started_at, None, 0, {}))
    world.clock.sleep(20)
    return world


def changed(world: World) -> list[str]:
    """The requests that change something."""
    sent: list[httpx.Request] = world.jobmanager.requests
    return [request.url.path for request in sent if request.method != "GET"]


@pytest.mark.parametrize("action", [a for a in LAUNCHING if a not in (Action.NEW, Action.START)])
def test_a_launch_is_refused_before_anything_is_changed(world: World, action: Action) -> None:
    with pytest.raises(NotOffered, match=r"launches no jars: web\.submit\.enable") as refused:
        world.act(action, "run", spec=world.spec(Behaviour.OTHER_GOOD))
    assert "Application Mode" in str(refused.value)
    assert changed(world) == []
    assert world.job().job_id == JOB_ID
    assert world.journal.owner(JOB_NAME) is None, "the intent may be used again"


def test_so_is_one_where_no_job_runs(world: World) -> None:
    world.jobmanager.end(world.job(), "FINISHED")
    with pytest.raises(NotOffered, match="launches no jars"):
        world.act(Action.NEW, "run", spec=world.spec())
    assert changed(world) == []


def test_savepoint_stop_list_and_delete_work(world: World) -> None:
    taken = world.act(Action.SAVEPOINT, "save").raise_for_failure()
    stopped = world.act(Action.STOP, "stop").raise_for_failure()
    listed = world.act(Action.LIST_SAVEPOINT, "list").raise_for_failure()
    paths = {savepoint.path for savepoint in listed.savepoints}
    assert paths == {taken.savepoint_path, stopped.savepoint_path}
    world.act(Action.DELETE, "delete").raise_for_failure()


def test_cancel_and_delete_work(world: World) -> None:
    assert world.act(Action.CANCEL, "cancel").raise_for_failure().state == "CANCELED"
    world.act(Action.DELETE, "delete").raise_for_failure()


def test_a_watch_sees_the_job(world: World) -> None:
    backend = world.backend()
    (found,) = backend.find(JOB_NAME)
    view = backend.view(found.job_id)
    assert view
    assert view.is_running_for_real
    assert backend.taskmanagers() == 1


def test_a_job_whose_jar_is_at_its_address_can_be_returned_to(world: World) -> None:
    """Nobody has uploaded it: that is no error."""
    assert world.backend().has_jar(world.spec())


class TestAnApplicationThatLeavesWithItsJob:
    """As one does when its job is cancelled: nobody is there to be asked for its end."""

    @pytest.fixture
    def application(self, world: World) -> World:
        world.jobmanager.application = True
        return world

    def test_it_is_cancelled(self, application: World) -> None:
        outcome = application.act(Action.CANCEL, "cancel").raise_for_failure()
        assert outcome.state == "CANCELED"
        assert outcome.savepoint_path in application.jobmanager.stored, "what it retained"
        assert application.journal.owner(JOB_NAME) is None

    def test_one_whose_cancellation_was_not_taken_is_not(self, application: World) -> None:
        """It is out of reach before Flink has said that it cancels the job."""
        really = application.jobmanager.transport

        def go_away(request: httpx.Request) -> httpx.Response:
            if request.method == "PATCH":
                application.jobmanager.is_down = True
            return really.handle_request(request)

        application.jobmanager.transport = httpx.MockTransport(go_away)
        with pytest.raises(ServiceUnavailable):
            application.act(Action.CANCEL, "cancel")
        assert application.journal.owner(JOB_NAME) == "cancel"

    @pytest.mark.parametrize("status", [404, 502, 503])
    def test_one_whose_gateway_has_nobody_behind_it_is_cancelled(
        self, application: World, status: int
    ) -> None:
        answers_after_the_cancellation(application, httpx.Response(status, text="<html>nginx"))
        outcome = application.act(Action.CANCEL, "cancel").raise_for_failure()
        said = " ".join(outcome.story)
        assert "accepted the cancellation" in said
        assert "has not answered since" in said
        assert "has ended as" not in said

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(200, text="<html>Sign in"),
            httpx.Response(302, text="<html>Sign in", headers={"location": "/login"}),
            httpx.Response(504, text="<html>Gateway Time-out"),
            httpx.Response(
                503,
                json={
                    "errors": ["Service temporarily unavailable due to an ongoing leader election."]
                },
            ),
            ssl.SSLCertVerificationError(1, "certificate verify failed"),
            TimeoutError(110, "Connection timed out"),
        ],
        ids=["page", "sign-in", "504", "no leader", "TLS", "time-out"],
    )
    def test_no_other_answer_says_that_the_cluster_has_left(
        self, application: World, answer: httpx.Response | OSError
    ) -> None:
        """The job may run on: the cancellation has not ended."""
        answers_after_the_cancellation(application, answer)
        with pytest.raises((ServiceUnavailable, BadEndpoint)):
            application.act(Action.CANCEL, "cancel")
        assert application.journal.owner(JOB_NAME) == "cancel"
        assert application.journal.job_record(JOB_NAME).ended_as == ""


def answers_after_the_cancellation(world: World, answer: httpx.Response | OSError) -> None:
    """What comes in the JobManager's place when that has taken the cancellation."""
    really, taken = world.jobmanager.transport, []

    def send(request: httpx.Request) -> httpx.Response:
        if taken and isinstance(answer, OSError):
            raise httpx.ConnectError(str(answer)) from answer
        if taken and isinstance(answer, httpx.Response):
            return httpx.Response(
                answer.status_code, content=answer.content, headers=answer.headers
            )
        if request.method == "PATCH":
            taken.append(request)
            return httpx.Response(202, json={})  # the job hangs in CANCELLING
        return really.handle_request(request)

    world.jobmanager.transport = httpx.MockTransport(send)


def test_a_session_cluster_that_is_down_after_a_cancel_may_still_run_the_job(world: World) -> None:
    really = world.jobmanager.transport

    def go_away(request: httpx.Request) -> httpx.Response:
        answer = really.handle_request(request)
        world.jobmanager.is_down = world.jobmanager.is_down or request.method == "PATCH"
        return answer

    world.jobmanager.transport = httpx.MockTransport(go_away)
    with pytest.raises(ServiceUnavailable):
        world.act(Action.CANCEL, "cancel")
