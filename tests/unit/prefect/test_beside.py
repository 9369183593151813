"""Calls that nothing waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from flinkglue.clock.interruption import (
    Interrupted,
    Interruption,
    interrupted_by,
    raise_if_interrupted,
)
from flinkglue.prefect.beside import Beside, Gathered

WHOSE: ContextVar[str] = ContextVar("whose", default="nobody's")


def test_calls_are_made_in_their_order_and_in_the_context_of_whoever_gave_them() -> None:
    beside, made, may_begin = Beside("page"), list[tuple[str, int]](), threading.Event()
    WHOSE.set("the first flow run's")
    beside.begin(may_begin.wait, 10)
    for number in range(3):
        beside.begin(lambda n: made.append((WHOSE.get(), n)), number)
    assert made == []
    WHOSE.set("the next one's")
    may_begin.set()
    beside.end(within_seconds=10)
    assert made == [("the first flow run's", number) for number in range(3)]


def test_a_call_that_fails_is_told_and_keeps_no_other_from_being_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    beside, made = Beside("The name of a flow run"), list[str]()

    def fail() -> None:
        raise ConnectionError("the server is away")

    beside.begin(fail)
    beside.begin(made.append, "next")
    beside.end(within_seconds=10)
    assert made == ["next"]
    assert caplog.messages == ["The name of a flow run: the server is away"]


def test_a_call_that_hangs_holds_nobody_up_who_may_not_wait() -> None:
    beside, hangs = Beside("page"), threading.Event()
    beside.begin(hangs.wait)
    assert not beside.end(within_seconds=0.01)
    assert [t.daemon for t in threading.enumerate() if t.name == "page"] == [True]
    hangs.set()
    assert beside.end(within_seconds=10)


def test_who_waits_for_a_call_that_hangs_can_be_interrupted() -> None:
    """The server asked for a long pause, and somebody cancels the flow run meanwhile."""
    beside, hangs, interruption = Beside("page"), threading.Event(), Interruption()
    beside.begin(hangs.wait)
    threading.Timer(0.05, lambda: interruption.request(Interrupted())).start()
    began_at = time.monotonic()
    with interrupted_by(interruption), pytest.raises(Interrupted):
        beside.end(within_seconds=20)
    assert time.monotonic() - began_at < 10
    hangs.set()


def test_without_a_call_there_is_no_thread_to_wait_for() -> None:
    Beside("page").end(within_seconds=10)


def test_a_call_that_is_interrupted_keeps_no_other_from_being_made() -> None:
    beside, made = Beside("page"), list[str]()

    def interrupted() -> None:
        raise Interrupted

    beside.begin(interrupted)
    beside.begin(made.append, "next")
    assert beside.end(within_seconds=10)
    assert made == ["next"]


def test_what_comes_together_is_handled_together_and_by_nobody_who_is_to_end() -> None:
    beside, handled, interruption = Beside("page"), list[list[str]](), Interruption()
    gathered: Gathered[str] = Gathered(seconds=3600)

    def handle(given: Sequence[str]) -> None:
        raise_if_interrupted()
        handled.append([*given])

    with interrupted_by(interruption):
        gathered.give(beside, "first", handle)
    interruption.request(Interrupted())
    gathered.give(beside, "second", handle)
    assert beside.end(within_seconds=10)
    assert handled == [["first", "second"]]


def test_what_comes_later_is_handled_later() -> None:
    beside, handled = Beside("page"), list[list[str]]()
    gathered: Gathered[str] = Gathered(seconds=0)
    is_handled = threading.Semaphore(0)

    def handle(given: Sequence[str]) -> None:
        handled.append([*given])
        is_handled.release()

    for each in ("first", "second"):
        gathered.give(beside, each, handle)
        assert is_handled.acquire(timeout=10)
    assert beside.end(within_seconds=10)
    assert handled == [["first"], ["second"]]
