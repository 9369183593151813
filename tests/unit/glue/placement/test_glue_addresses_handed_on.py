"""Runs that are placed one after the other while one process keeps the placement lock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flinkglue.errors import ServiceUnavailable
from flinkglue.glue.coordination.claims import Claims, Reservation
from flinkglue.glue.coordination.lock import HeldLock, InProcessLock
from flinkglue.glue.coordination.run_context import RunContext, coordination_in_process
from flinkglue.glue.coordination.slots import NoSlot
from flinkglue.glue.models import CoolDown, Ranking
from flinkglue.glue.options import RunOptions
from flinkglue.glue.placement.demand import PUBLISHED_STRATEGIES
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.placement.selection import select
from flinkglue.glue.placement.shortage import NoPlace, ShortagePolicy, WhenNothingFits
from flinkglue.glue.placement.strategies import STRATEGIES
from tests.unit.glue.run.test_glue_start_deadline import FIVE_MINUTES, AddressesOnTheWire

LOG = logging.getLogger(__name__)
A_RUN_TAKES = 4


class HandedOn:
    """The lock of one process, which its threads hand on until others have their turn."""

    def __init__(self) -> None:
        self.lock = InProcessLock()

    def others_have_their_turn(self) -> None:
        self.lock = InProcessLock()

    @contextmanager
    def hold(self, name: str, within_seconds: float | None = None) -> Iterator[HeldLock]:
        yield self.lock


class CountedClaims(Claims):
    """Count how often the reservations are read; `reserve` may fail, and has reserved then."""

    def __init__(self, locks: HandedOn) -> None:
        super().__init__(locks=locks)
        self.read = 0
        self.answer_is_lost = False

    def reservations(self) -> list[Reservation]:
        self.read += 1
        return super().reservations()

    def reserve(self, reservation: Reservation) -> Reservation:
        reserved = super().reserve(reservation)
        if self.answer_is_lost:
            raise ServiceUnavailable("Prefect", "POST", "variable", "no answer")
        return reserved


@cache
def account(number: int) -> tuple[AddressesOnTheWire, list[Callable[[], int]]]:
    """One is made for all tests, as that takes long; and who counts its addresses now."""
    counts: list[Callable[[], int]] = []
    return AddressesOnTheWire(lambda: counts[-1]()), counts


class Burst:
    """Flow runs of one process that start together, on one subnet with so many addresses."""

    def __init__(self, free: int = 200, runs: int = 50, of_account: int = 1) -> None:
        self.free = free
        self.counted = 0
        self.wire, counts = account(of_account)
        counts.append(self._count)
        self.wire.settings["ExecutionProperty"] = {"MaxConcurrentRuns": runs}
        self.wire.client.kept_jobs.forget("nightly")
        self.locks = HandedOn()
        self.claims = CountedClaims(self.locks)
        self.coordination = replace(coordination_in_process(), claims=self.claims)

    def _count(self) -> int:
        self.counted += 1
        return self.free

    def place(self, flow_run: str, strategy: str = "best_fit", workers: int = 2) -> Ranking:
        options = RunOptions(worker_type="G.1X", number_of_workers=workers)
        requested = PlacementRequest(
            replace(FIVE_MINUTES, flow_run_id=flow_run, options=options),
            ["a"],
            strategy,
            STRATEGIES[strategy],
            seed=0,
            shortage=ShortagePolicy(WhenNothingFits.FAIL),
        )
        return select(RunContext(self.wire.client, LOG, self.coordination), requested)

    def released(self, flow_run: str) -> None:
        """Its run is RUNNING, as another process has seen: EC2's counts show what it took."""
        for each in Claims.reservations(self.claims):
            if each.run_key.startswith(f"{flow_run}/"):
                self.claims.release(each.reservation_id)


def test_one_reading_serves_all_to_whom_the_lock_is_handed_on() -> None:
    burst = Burst()
    reserved = [burst.place(f"run-{n}").connections[0].reserved_addresses for n in range(10)]
    assert reserved == [A_RUN_TAKES * n for n in range(10)], "each sees those before it"
    assert (burst.counted, burst.claims.read) == (1, 1)
    burst.locks.others_have_their_turn()
    burst.place("later")
    assert (burst.counted, burst.claims.read) == (2, 2)


@settings(max_examples=40, deadline=None)
@given(
    free=st.integers(4, 60),
    steps=st.lists(st.sampled_from(["place", "place", "runs", "their turn"]), max_size=12),
)
def test_no_address_is_given_to_two_runs_whatever_happens_between(
    free: int, steps: list[str]
) -> None:
    """Runs of this process are placed, some take their addresses, and others have their turn."""
    burst, placed, running, number = Burst(free), list[str](), set[str](), 0
    for step in steps:
        if step == "place":
            number += 1
            with_room = burst.free - A_RUN_TAKES * (len(placed) - len(running)) >= A_RUN_TAKES
            try:
                burst.place(f"run-{number}")
            except NoPlace:
                assert not with_room, "a reading of its own would have shown the room"
            else:
                placed.append(f"run-{number}")
        elif step == "runs" and len(placed) > len(running):
            flow_run = placed[len(running)]
            burst.free -= A_RUN_TAKES  # first it has them, then its reservation goes
            burst.released(flow_run)
            running.add(flow_run)
        elif step == "their turn":
            burst.locks.others_have_their_turn()
        assert A_RUN_TAKES * (len(placed) - len(running)) <= burst.free


def test_who_finds_no_room_by_what_was_read_before_reads_again() -> None:
    burst = Burst(free=A_RUN_TAKES)
    burst.place("first")
    burst.released("first")  # it failed at once, and took nothing
    assert burst.place("second").connections[0].reserved_addresses == 0
    assert burst.counted == 2


@pytest.mark.parametrize("strategy", PUBLISHED_STRATEGIES)
def test_a_run_reserves_all_that_it_may_take_where_the_addresses_are_there(strategy: str) -> None:
    """It needs one for each worker, and Glue may add two nodes."""
    burst = Burst(free=20)
    burst.place("first", strategy, workers=10)
    burst.released("first")  # it failed at once, and took nothing
    burst.place("second", strategy, workers=8)
    assert [each.addresses for each in Claims.reservations(burst.claims)] == [10]
    burst.locks.others_have_their_turn()
    with pytest.raises(NoPlace):
        burst.place("third", strategy, workers=12)


def test_who_finds_no_slot_by_what_was_read_before_reads_again() -> None:
    burst = Burst(runs=1)
    burst.place("first")
    burst.released("first")
    burst.place("second")
    with pytest.raises(NoSlot):
        burst.place("third")


def test_a_reservation_whose_answer_was_lost_is_read_by_the_next() -> None:
    burst = Burst(free=2 * A_RUN_TAKES)
    burst.place("first")
    burst.claims.answer_is_lost = True
    with pytest.raises(ServiceUnavailable):
        burst.place("second")
    burst.claims.answer_is_lost = False
    with pytest.raises(NoPlace):
        burst.place("third")


def test_where_a_connection_is_on_cooldown_each_run_reads_for_itself() -> None:
    burst = Burst()
    burst.coordination.cool_downs.start(CoolDown("a", "subnet-a", "Resource unavailable"))
    burst.place("first")
    burst.place("second")
    assert burst.counted == 2


def test_what_was_read_of_one_account_says_nothing_of_another() -> None:
    burst, other = Burst(), Burst(free=A_RUN_TAKES, of_account=2)
    other.coordination = burst.coordination
    burst.place("first")
    with pytest.raises(NoPlace):
        other.place("second")
