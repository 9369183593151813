"""What selection with reservations guarantees when runs start together, and what nothing can."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.contention import DESIGNS, SCENARIOS, just_enough, measure
from benchmarks.stands.glue_world import GlueWorld, Run, subnet_number
from benchmarks.stands.starters import ReservingStarter, simulate
from flinkglue.glue.placement.knowledge import Knowledge
from flinkglue.glue.placement.ranking import rank
from flinkglue.glue.placement.shortage import Decision, ShortagePolicy
from flinkglue.glue.placement.strategies import STRATEGIES

strategies = st.sampled_from(sorted(STRATEGIES))


def placed_at_once(capacities: list[int], demands: list[int], strategy: str, seed: int = 0) -> int:
    """How many of the runs have all their nodes reserved, one after the other, before any ends."""
    world = GlueWorld(capacities)
    reserved = {f"subnet-c{n:02}": 0 for n in range(len(capacities))}
    placed = 0
    for demand in demands:
        ranking = rank(
            world.connections(),
            demand,
            STRATEGIES[strategy],
            seed,
            strategy_name=strategy,
            knowledge=Knowledge(reserved=reserved),
        )
        if ShortagePolicy().decide(ranking, 0) is Decision.START:
            first = ranking.connections[0]
            reserved[str(first.subnet_id)] += demand
            assert (
                reserved[str(first.subnet_id)] <= capacities[subnet_number(first.connection_name)]
            )
            placed += 1
    return placed


@given(
    capacities=st.lists(st.integers(0, 60), min_size=1, max_size=6),
    demand=st.integers(2, 15),
    runs=st.integers(1, 25),
    strategy=strategies,
    seed=st.integers(0, 99),
)
def test_equal_runs_are_all_placed_at_once_if_there_is_room_for_them_by_any_strategy(
    capacities: list[int], demand: int, runs: int, strategy: str, seed: int
) -> None:
    room = sum(capacity // demand for capacity in capacities)
    assert placed_at_once(capacities, [demand] * runs, strategy, seed) == min(runs, room)


@given(
    arrangement=st.lists(
        st.lists(st.sampled_from([2, 4, 8, 24]), min_size=1, max_size=5), min_size=1, max_size=5
    ),
    spare=st.lists(st.integers(0, 3), min_size=5, max_size=5),
    strategy=strategies,
    seed=st.integers(0, 99),
)
def test_runs_whose_sizes_divide_each_other_are_all_placed_at_once_the_biggest_first(
    arrangement: list[list[int]], spare: list[int], strategy: str, seed: int
) -> None:
    capacities = [sum(demands) + more for demands, more in zip(arrangement, spare, strict=False)]
    demands = sorted(itertools.chain(*arrangement), reverse=True)
    assert placed_at_once(capacities, demands, strategy, seed) == len(demands)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_no_strategy_can_place_all_at_once_without_knowing_what_comes(strategy: str) -> None:
    """Two subnets of 10, two runs of 4: together they ruin 6 and 6, apart they ruin 10."""
    pairs = placed_at_once([10, 10], [4, 4, 6, 6], strategy)
    one = placed_at_once([10, 10], [4, 4, 10], strategy)
    assert (pairs, one) in {(4, 2), (3, 3)}


@settings(max_examples=60, deadline=None)
@given(
    arrangement=st.lists(
        st.lists(st.integers(2, 40), min_size=1, max_size=6), min_size=1, max_size=5
    ),
    strategy=strategies,
    seed=st.integers(0, 999),
)
def test_with_waiting_every_run_gets_all_its_nodes_whatever_the_sizes_and_the_order(
    arrangement: list[list[int]], strategy: str, seed: int
) -> None:
    """In simulated time, with start delays, release lags and the documented rule of Glue."""
    demands = list(itertools.chain(*arrangement))
    runs = [Run(n, demand, 600.0, arrives_at=float(n % 3)) for n, demand in enumerate(demands)]
    world = GlueWorld([sum(demands) for demands in arrangement], seed)
    simulate(world, ReservingStarter(world, strategy, seed), runs)
    assert [(run.nodes, run.failed) for run in runs] == [(demand, False) for demand in demands]
    assert world.free == [sum(demands) for demands in arrangement]


def test_a_run_waits_only_when_no_subnet_has_room_for_it() -> None:
    """One run of 10 on a subnet of 10, and another that comes while it runs."""
    runs = [Run(0, 10, 600.0, arrives_at=0.0), Run(1, 10, 600.0, arrives_at=100.0)]
    world = GlueWorld([10])
    simulate(world, ReservingStarter(world, "best_fit", 0), runs)
    assert [run.placed_at_once for run in runs] == [True, False]
    assert runs[0].holds_since is not None
    assert runs[1].holds_since is not None
    assert runs[1].holds_since > runs[0].holds_since + 600


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_the_benchmark_is_repeatable_and_its_arrangement_exists(scenario: object) -> None:
    capacities, runs = just_enough(scenario, 3)  # type: ignore[arg-type]
    assert sum(capacities) == sum(run.needed for run in runs)
    again, _ = just_enough(scenario, 3)  # type: ignore[arg-type]
    assert again == capacities


def test_the_published_designs_do_worse_in_the_benchmark_and_ours_leaves_nobody_short() -> None:
    scenario = next(s for s in SCENARIOS if s.runs == 30 and s.subnets == 12 and len(s.sizes) > 1)
    shares = {design: measure(scenario, design, seeds=2).all_nodes for design in DESIGNS}
    ours = {design: share for design, share in shares.items() if design.startswith("ours")}
    assert set(ours.values()) == {1.0}
    assert shares["published random"] < 1
    assert shares["published capacity"] < shares["published random"]
    assert shares["published, one at a time"] == 1


def test_with_the_shipped_defaults_no_run_fails_and_equal_runs_get_all_their_nodes() -> None:
    """`random` and `capacity` start at once where a run comes short, as published; others wait."""
    for scenario in SCENARIOS:
        if scenario.runs == 30:
            rows = {d: measure(scenario, d, seeds=2) for d in DESIGNS if d.startswith("default")}
            assert {row.failed for row in rows.values()} == {0}
            assert rows["default best_fit"].all_nodes == 1
            if len(scenario.sizes) == 1:
                assert {row.all_nodes for row in rows.values()} == {1}
