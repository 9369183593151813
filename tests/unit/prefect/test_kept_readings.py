"""What the flow runs of one worker read from the Prefect server once for all."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from flinkglue.prefect.kept_readings import KEPT_SECONDS, KeptReadings, keep_readings, kept


class Server:
    """Counts what is read from it."""

    def __init__(self) -> None:
        self.reads = 0
        self.answer: str | Exception = "first"

    def read(self) -> str:
        self.reads += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def test_a_process_of_its_own_reads_whenever_something_is_needed() -> None:
    server = Server()
    assert [kept("key", server.read), kept("key", server.read)] == ["first", "first"]
    assert server.reads == 2


def test_a_reading_serves_for_a_minute_and_a_change_is_seen_after_it() -> None:
    server, clock = Server(), Hand()
    readings = KeptReadings(monotonic=clock.monotonic)
    assert readings.get("key", server.read) == "first"
    server.answer = "second"
    clock.seconds = KEPT_SECONDS
    assert readings.get("key", server.read) == "first"
    assert readings.get("another key", server.read) == "second"
    clock.seconds += 1
    assert readings.get("key", server.read) == "second"


def test_what_cannot_be_read_is_read_again() -> None:
    server, readings = Server(), KeptReadings()
    server.answer = ValueError("no such block")
    for _ in range(2):
        with pytest.raises(ValueError, match="no such block"):
            readings.get("key", server.read)
    assert server.reads == 2


def test_of_threads_that_need_the_same_one_reads() -> None:
    readings, server, all_are_there = KeptReadings(), Server(), threading.Barrier(8)
    context = copy_context()
    context.run(keep_readings, readings)

    def need() -> str:
        all_are_there.wait(10)
        return kept("key", server.read)

    with ThreadPoolExecutor(8) as threads:
        needed = [threads.submit(context.copy().run, need) for _ in range(8)]
        assert {each.result(10) for each in needed} == {"first"}
    assert server.reads == 1


def test_a_reading_that_serves_no_more_does_not_stay_in_memory() -> None:
    """It may be a credentials block of which no flow run is left."""

    class Block:
        pass

    clock = Hand()
    readings = KeptReadings(monotonic=clock.monotonic)
    left = weakref.ref(readings.get("aws", Block))
    gc.collect()
    assert left() is not None
    clock.seconds = KEPT_SECONDS + 1
    readings.get("another key", Block)
    gc.collect()
    assert left() is None
