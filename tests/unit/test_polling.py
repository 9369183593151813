"""Polling and retrying go by the clock that they are given, and end by their deadline."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.clock import Pace
from flinkglue.errors import CallFailed, DeadlineExceeded, ServiceUnavailable, Throttled
from flinkglue.polling import Polling, polls_for, retry

ROOT = Path(__file__).parents[2]
FLINK = [
    *sorted((ROOT / "tasks").glob("flink*.py")),
    *(
        path
        for package in ("lifecycle", "flink", "azure")
        for path in sorted((ROOT / "src/flinkglue" / package).rglob("*.py"))
    ),
]
LOOPS = (ast.While, ast.For)
PACE = Pace(first_seconds=1, most_seconds=8, jitter=0)


class SlowMotion:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


def pause_for_ever(polling: Polling) -> None:
    while True:
        polling.pause()


def unavailable(retry_after: float | None = None) -> ServiceUnavailable:
    return ServiceUnavailable("Flink", "GET", "the cluster", "503", retry_after_seconds=retry_after)


@given(within=st.floats(0, 300), first=st.floats(0.1, 5), jitter=st.floats(0, 1))
def test_the_last_poll_is_when_the_time_is_up(within: float, first: float, jitter: float) -> None:
    clock, pace = SlowMotion(), Pace(first_seconds=first, most_seconds=20, jitter=jitter * 0.9)
    polling = Polling("job orders", within, pace, clock)
    with pytest.raises(DeadlineExceeded, match="job orders"):
        pause_for_ever(polling)
    assert clock.now == pytest.approx(within)
    assert polling.seconds == pytest.approx(within)
    clock.now = 0.0
    assert [*polls_for(within, pace, clock)][-1] == pytest.approx(within)


def test_a_call_is_sent_again_after_growing_pauses_until_it_passes() -> None:
    clock, sent = SlowMotion(), list[float]()

    def call() -> str:
        sent.append(clock.now)
        if len(sent) < 4:
            raise unavailable()
        return "answer"

    assert retry(call, within_seconds=60, pace=PACE, clock=clock) == "answer"
    assert sent == [0, 1, 2.5, 4.75]


def test_a_fault_that_says_when_is_not_retried_before() -> None:
    clock, faults = SlowMotion(), [Throttled("AWS Glue", "GetJob", "j", "", retry_after_seconds=30)]

    def call() -> float:
        if faults:
            raise faults.pop()
        return clock.now

    assert retry(call, within_seconds=60, pace=PACE, clock=clock) == 30


@given(within=st.floats(0, 300))
def test_what_does_not_pass_in_time_is_raised_as_it_came(within: float) -> None:
    clock = SlowMotion()

    def call() -> None:
        raise unavailable()

    with pytest.raises(ServiceUnavailable):
        retry(call, within_seconds=within, pace=PACE, clock=clock)
    assert clock.now <= within


def test_a_lasting_fault_is_not_retried() -> None:
    clock = SlowMotion()

    def call() -> None:
        raise CallFailed("Flink", "GET", "the cluster", "no")

    with pytest.raises(CallFailed):
        retry(call, within_seconds=60, pace=PACE, clock=clock)
    assert clock.now == 0


def test_a_wait_knows_when_its_time_is_up() -> None:
    clock = SlowMotion()
    polling = Polling("job orders", 10, PACE, clock)
    assert not polling.is_over
    clock.sleep(10)
    assert polling.is_over


@pytest.mark.parametrize("path", FLINK, ids=lambda path: str(path.relative_to(ROOT)))
def test_waits_for_flink_are_polls(path: Path) -> None:
    """A loop that sleeps has a deadline and growing pauses only when it is the one in polling."""
    loops = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, LOOPS)]
    by_hand = {
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for loop in loops
        for call in ast.walk(loop)
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(".sleep")
    }
    assert not by_hand
