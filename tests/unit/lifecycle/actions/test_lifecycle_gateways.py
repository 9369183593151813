"""A gateway answers for the JobManager in the middle of an action: nothing is taken for its word.

At each call of each action one of the usual gateways begins to answer in Flink's place, for a few
requests or until the action gives up; it may pass the first request on before it does. When Flink
can be reached again, the action ends as if nothing had been. By default at some of the calls, by a
seed that is printed; FLINK_GATEWAYS_EVERYWHERE=1 is for all of them, FLINK_SEED for another seed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from flinkglue.errors import CallFailed, DeadlineExceeded
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.transaction import Refused
from tests.gateways import GATEWAYS, REDIRECTS, STATUSES, redirect
from tests.unit.lifecycle.deaths.test_lifecycle_kills import (
    ALL,
    REQUESTS,
    Scenario,
    _boundaries,
    _is_inner_read,
)
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import World

SEED = int(os.environ.get("FLINK_SEED", "20260801"))
EVERYWHERE = bool(os.environ.get("FLINK_GATEWAYS_EVERYWHERE"))
A_FEW, UNTIL_IT_GIVES_UP = 3, 100_000


class InFront:
    """Stands before a JobManager and answers in its place.

    Args:
        world: The world of the JobManager.
        answer: Makes the answer.
        times: How many requests it answers.
        after: How many calls that leave the process pass before the first of them.
        passes_first_on: Whether Flink gets the first of them nevertheless.
    """

    def __init__(
        self,
        world: World,
        answer: Callable[[], httpx.Response],
        times: int,
        *,
        after: int = 0,
        passes_first_on: bool = False,
    ) -> None:
        self._world = world
        self._flink = world.jobmanager.transport
        self._answer = answer
        self._after = after
        self._left = times
        self._passes_on = passes_first_on
        world.jobmanager.transport = httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if self._left <= 0 or len(self._world.boundaries.passed) <= self._after:
            return self._flink.handle_request(request)
        self._left -= 1
        if self._passes_on:
            self._passes_on = False
            self._flink.handle_request(request)
        return self._answer()

    def leave(self) -> None:
        """Let everything through from now on."""
        self._left = 0


def _some_answer(rng: random.Random) -> Callable[[], httpx.Response]:
    if rng.random() < 0.15:
        status = rng.choice(REDIRECTS)
        return lambda: redirect(status)
    statuses = (200, 202, 401, 403, *STATUSES)
    gateway, status = rng.choice(list(GATEWAYS.values())), rng.choice(statuses)
    status = 404 if rng.random() < 0.3 else status  # what Flink says of a job that it lost
    return lambda: gateway(status)


def _points(scenario: Scenario, directory: Path, rng: random.Random) -> Iterator[tuple[int, bool]]:
    """Where a gateway begins to answer: the number of the call, and whether it passes that on."""
    passed = _boundaries(scenario, directory)
    share = 1.0 if EVERYWHERE else 0.3
    for at, what in enumerate(passed):
        if what.startswith(REQUESTS) and not _is_inner_read(passed, at) and rng.random() < share:
            yield at, not what.startswith("GET") and rng.random() < 0.5


@pytest.mark.exhaustive
@ALL
def test_an_answer_of_a_gateway_is_never_taken_for_flinks(
    scenario: Scenario, tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    for at, passes_on in _points(scenario, tmp_path, rng):
        world = World(tmp_path)
        scenario.begin(world)
        answer, times = _some_answer(rng), rng.choice((A_FEW, UNTIL_IT_GIVES_UP))
        front = InFront(world, answer, times, after=at, passes_first_on=passes_on)
        said = f"call {at}, {times} times {answer().status_code} {answer().text[:80]!r}"
        request = scenario.request(world)
        try:
            outcome = world.act(scenario.action, "run", **request)
        except Refused as error:
            raise AssertionError(f"{said}: {error}") from error
        except (CallFailed, DeadlineExceeded):
            assert len(world.jobmanager.live_jobs()) <= 1, said
            front.leave()
            outcome = world.act(scenario.action, "run", **request)
        front.leave()
        try:
            scenario.check(world, outcome)
        except AssertionError as error:
            raise AssertionError(f"{said}: {outcome}") from error


def test_three_404s_of_an_ingress_during_readiness_do_not_start_the_old_jar(
    tmp_path: Path,
) -> None:
    """They mean that the ingress has no route now, not that the new job is lost."""
    world = World(tmp_path)
    world.running()
    really = world.jobmanager.transport
    fronts: list[InFront] = []

    def lose_the_route_in_readiness(request: httpx.Request) -> httpx.Response:
        answer = really.handle_request(request)
        was_launched = len(world.jobmanager.jobs) > 1
        if was_launched and request.url.path.endswith("/checkpoints/config") and not fronts:
            fronts.append(InFront(world, lambda: GATEWAYS["nginx"](404), 3))
        return answer

    world.jobmanager.transport = httpx.MockTransport(lose_the_route_in_readiness)
    outcome = world.act(Action.UPDATE, "update", spec=world.spec(Behaviour.OTHER_GOOD))
    assert fronts
    assert [job.behaviour for job in world.jobmanager.live_jobs()] == [Behaviour.OTHER_GOOD]
    assert outcome.succeeded, outcome.failure


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_are_refused_after_the_stop_start_nothing(
    tmp_path: Path, status: int
) -> None:
    """They say nothing about a job: the action has not ended, and goes on when they are right."""
    world = World(tmp_path)
    world.running()
    really = world.jobmanager.transport
    refuses = True

    def refuse_after_the_stop(request: httpx.Request) -> httpx.Response:
        if refuses and not world.jobmanager.live_jobs():
            return GATEWAYS["nginx"](status)
        return really.handle_request(request)

    world.jobmanager.transport = httpx.MockTransport(refuse_after_the_stop)
    began = world.clock.seconds
    with pytest.raises(CallFailed, match=r"block.*The action has not ended"):
        world.act(Action.UPDATE, "update", spec=world.spec(Behaviour.OTHER_GOOD))
    assert world.clock.seconds - began < 30, "told at once"
    assert len(world.jobmanager.jobs) == 1
    refuses = False
    outcome = world.act(Action.UPDATE, "update", spec=world.spec(Behaviour.OTHER_GOOD))
    assert outcome.succeeded, outcome.failure
    assert world.job().behaviour is Behaviour.OTHER_GOOD
    assert world.job().count_at_start > 0
