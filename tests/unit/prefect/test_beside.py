"""Calls that nothing waits for."""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar

import pytest

from flinkglue.clock.interruption import Interrupted, Interruption, interrupted_by
from flinkglue.prefect.beside import Beside

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
