"""Answers that are no verdict, and launches that another might already be: never two jobs."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import httpx
import pytest

from flinkglue.errors import CallFailed, Conflict, InDoubt, ServiceUnavailable
from flinkglue.lifecycle.backend import Launch
from flinkglue.lifecycle.ids import job_id_of
from flinkglue.lifecycle.interrupted import Interrupted, OnCancel
from flinkglue.lifecycle.models import Action, JobView
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from flinkglue.lifecycle.transaction import Refused
from infra.exit_codes import exit_code_of
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, OPTIONS, Killed, World

WITHIN_FLINK = (
    "org.apache.flink.runtime.rest.handler.RestHandlerException: Could not execute application.\n"
    "Caused by: java.util.concurrent.TimeoutException: Invocation of "
    "[RemoteRpcInvocation(DispatcherGateway.submitJob(JobGraph, Duration))] at recipient timed out."
)
IN_MAIN = (
    "org.apache.flink.client.program.ProgramInvocationException: The main method caused an error.\n"
    "Caused by: java.util.concurrent.TimeoutException: no broker within 30 s"
)
NO_VERDICTS = {
    "Flink's own parts": httpx.Response(400, json={"errors": [WITHIN_FLINK]}),
    "a proxy: 408": httpx.Response(408, text="Request Timeout"),
    "a proxy: 500": httpx.Response(500, text="<html>upstream</html>"),
    "a proxy: 524": httpx.Response(524, text="a timeout occurred"),
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def answering_submits(world: World, answer: httpx.Response, *, arrive: bool) -> None:
    """Have submits answered so; whether Flink nevertheless takes them, a while later."""
    really = world.jobmanager.transport

    def handle(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/run"):
            return really.handle_request(request)
        request.read()
        if arrive:
            world.jobmanager.later(8, lambda: really.handle_request(request))
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)

    world.jobmanager.transport = httpx.MockTransport(handle)


@pytest.mark.parametrize("answer", NO_VERDICTS.values(), ids=NO_VERDICTS.keys())
def test_a_submit_that_arrives_after_a_time_out_is_adopted(
    world: World, answer: httpx.Response
) -> None:
    """The old job does not come back beside the new one."""
    world.running()
    answering_submits(world, answer, arrive=True)
    outcome = world.act(Action.UPDATE, "update", spec=world.spec(Behaviour.OTHER_GOOD))
    assert outcome.succeeded, outcome.failure
    assert world.job().behaviour is Behaviour.OTHER_GOOD


@pytest.mark.parametrize("answer", NO_VERDICTS.values(), ids=NO_VERDICTS.keys())
def test_a_submit_that_never_arrives_is_in_doubt(world: World, answer: httpx.Response) -> None:
    world.running()
    answering_submits(world, answer, arrive=False)
    with pytest.raises((InDoubt, ServiceUnavailable)) as doubt:
        world.act(Action.UPDATE, "update", spec=world.spec(Behaviour.OTHER_GOOD))
    assert exit_code_of(doubt.value) == 5
    assert world.jobmanager.live_jobs() == []


def test_a_time_out_in_the_jobs_own_main_is_its_fault(world: World) -> None:
    """Nothing is in doubt, so the old job runs again."""
    world.running()
    really = world.jobmanager.transport
    answers = [httpx.Response(400, json={"errors": [IN_MAIN]})]

    def handle(request: httpx.Request) -> httpx.Response:
        is_first = request.url.path.endswith("/run") and answers
        return answers.pop() if is_first else really.handle_request(request)

    world.jobmanager.transport = httpx.MockTransport(handle)
    outcome = world.act(Action.UPDATE, "update", spec=world.spec(Behaviour.OTHER_GOOD))
    assert outcome.rolled_back
    assert "no broker within 30 s" in outcome.failure
    assert world.job().behaviour is Behaviour.GOOD


@pytest.mark.exhaustive
def test_a_launch_under_the_next_id_survives_a_kill(tmp_path: Path) -> None:
    """TaskManagers know the first id from before: its launch fails, and another one follows."""
    for at in count(1):
        world = World(tmp_path)
        spent = job_id_of("new", JOB_NAME, 1)
        world.jobmanager.known_to_taskmanagers.add(spent)
        world.boundaries.at = at
        if world.act_interrupted(Action.NEW, "new", spec=world.spec()) is not None:
            break
        world.act(Action.NEW, "new", spec=world.spec()).raise_for_failure()
        assert world.job().job_id != spent
    assert at > 20, "it was killed at each call"


LAUNCHES = [
    Action.NEW,
    Action.START,
    Action.UPDATE,
    Action.STATELESS_UPDATE,
    Action.LAST_STATE_UPDATE,
    Action.RE_LAUNCH,
]


@pytest.mark.parametrize("action", LAUNCHES)
def test_the_id_of_an_ended_job_starts_no_second_one(world: World, action: Action) -> None:
    """A watch has brought the job back already; a person names the one that failed."""
    failed = world.running()
    world.jobmanager.end(failed, "FAILED")
    world.act(Action.RE_LAUNCH, "watch").raise_for_failure()
    live = world.job()
    spec = world.spec(Behaviour.OTHER_GOOD)
    with pytest.raises(Refused, match=f"another job of this name runs: {live.job_id}"):
        world.act(action, "person", spec=spec, job_id=failed.job_id)
    assert world.job() is live


def test_the_job_that_runs_may_be_named(world: World) -> None:
    job = world.running()
    spec = world.spec(Behaviour.OTHER_GOOD)
    world.act(Action.UPDATE, "update", spec=spec, job_id=job.job_id).raise_for_failure()
    assert world.job().behaviour is Behaviour.OTHER_GOOD


def test_one_of_two_jobs_may_be_ended_by_its_id(world: World) -> None:
    """That is the way out when a name means two."""
    first = world.running()
    stray = Launch(world.spec(Behaviour.OTHER_GOOD), "e" * 32, None, "", False)
    world.backend().submit(stray)
    world.act(Action.CANCEL, "end", job_id="e" * 32).raise_for_failure()
    assert world.job() is first


class Occupied:
    """The backend, whose next submit ARM refuses because another operation is under way."""

    def __init__(self, backend: object) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> object:
        return getattr(self._backend, name)

    def submit(self, launch: Launch) -> JobView:
        raise Conflict("ARM", "RunJob", "orders", "another operation is in progress", status=409)


def test_a_conflict_in_the_middle_of_an_update_is_not_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old job has been stopped by then: the update has to go on, and does when repeated."""
    world.running()
    plain = world.backend
    monkeypatch.setattr(world, "backend", lambda: Occupied(plain()))
    spec = world.spec(Behaviour.OTHER_GOOD)
    with pytest.raises(CallFailed) as busy:
        world.act(Action.UPDATE, "update", spec=spec)
    assert isinstance(busy.value, ServiceUnavailable)
    assert exit_code_of(busy.value) == 5
    monkeypatch.setattr(world, "backend", plain)
    world.act(Action.UPDATE, "update", spec=spec).raise_for_failure()
    assert world.job().behaviour is Behaviour.OTHER_GOOD


def test_a_launch_that_cannot_be_seen_is_not_called_nothing(world: World) -> None:
    """The run was cancelled while main() ran on: it may still come."""
    asked = ActionRequest(Action.NEW, JOB_NAME, JobChanges(jar=world.spec().jar.uri))
    really = world.jobmanager.transport

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/run"):
            raise Killed
        return really.handle_request(request)

    world.jobmanager.transport = httpx.MockTransport(handle)
    with pytest.raises(Killed):
        world.act(Action.NEW, "run:NEW:1", spec=world.spec())
    world.jobmanager.transport = really
    told: list[str] = []
    store = world.journal._store
    interrupted = Interrupted(
        asked, "run:NEW:1", store, world.backend(), told.append, OPTIONS, world.clock
    )
    interrupted.after_cancellation(OnCancel.CANCEL)
    (warning,) = [line for line in told if "may still be in progress" in line]
    assert world.journal.job_record(JOB_NAME).job_id in warning
