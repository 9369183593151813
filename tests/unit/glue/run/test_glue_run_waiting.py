"""Waiting for one run, which Glue may not know at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import count

import pytest

from flinkglue.errors import NotFound
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import JobRun
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run.wait import watch_run
from flinkglue.glue.run_request import RunRequest
from tests.contract.aws.aws_cloud import HastyClock
from tests.unit.glue.glue_on_the_wire import Refused, RunsOnTheWire

LOG = logging.getLogger(__name__)
AGES_SECONDS = 1e10


@pytest.fixture
def wire() -> RunsOnTheWire:
    return RunsOnTheWire()


def unknown_when(wire: RunsOnTheWire, run: JobRun, is_unknown: Callable[[int], bool]) -> None:
    """GetJobRun does not know the run at some of its calls; at the sixth it has ended."""
    calls = count(1)

    def answer(operation: str, _: object) -> None:
        call = next(calls)
        if call == 5:
            wire.turn(run, "SUCCEEDED")
        if is_unknown(call):
            raise Refused(400, "EntityNotFoundException")

    wire.before = answer


def waited(wire: RunsOnTheWire, run: JobRun, clock: HastyClock) -> str:
    context = RunContext(wire.client, LOG, clock=clock)
    request = RunRequest("nightly", "x", clock.now(), deadline_seconds=AGES_SECONDS)
    return watch_run(context, request, run, RunObserver()).state


def test_a_run_that_glue_does_not_know_yet_is_looked_at_again(wire: RunsOnTheWire) -> None:
    run = wire.start("nightly")
    unknown_when(wire, run, lambda call: call <= 2)
    assert waited(wire, run, HastyClock(0)) == "SUCCEEDED"


def test_a_run_that_never_gets_known_is_missed_after_half_a_minute(wire: RunsOnTheWire) -> None:
    run, clock = wire.start("nightly"), HastyClock(0)
    unknown_when(wire, run, lambda call: True)
    with pytest.raises(NotFound):
        waited(wire, run, clock)
    assert 30 < clock.skipped < 90


def test_a_run_that_was_known_and_is_gone_is_missed_at_once(wire: RunsOnTheWire) -> None:
    run, clock = wire.start("nightly"), HastyClock(0)
    unknown_when(wire, run, lambda call: call > 1)
    with pytest.raises(NotFound):
        waited(wire, run, clock)
    assert clock.skipped < 5
