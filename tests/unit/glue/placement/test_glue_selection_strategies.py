"""The strategies beside the published two, and what they are told."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import InvalidInput
from flinkglue.glue.models import Connection, CoolDown, Group, Ranking, Subnet
from flinkglue.glue.placement.knowledge import Knowledge, knowledge_for
from flinkglue.glue.placement.ranking import check_one_vpc, rank
from flinkglue.glue.placement.strategies import STRATEGIES


def connection(
    name: str, free: int, zone: str = "a", vpc_id: str = "vpc-1", status: str = "READY"
) -> Connection:
    subnet = Subnet(f"subnet-{name}", vpc_id, zone, "10.0.0.0/24", free, "available")
    return Connection(name, subnet.subnet_id, subnet, "NETWORK", status)


def without_subnet(name: str) -> Connection:
    return Connection(name, connection_type="KAFKA", problem="the connection has no subnet")


def ordered(
    connections: list[Connection], strategy: str, needed: int = 10, seed: int = 0, **more: Any
) -> Ranking:
    return rank(connections, needed, STRATEGIES[strategy], seed, strategy_name=strategy, **more)


def test_best_fit_takes_the_smallest_subnet_that_holds_the_whole_run() -> None:
    connections = [connection("large", 200), connection("exact", 10), connection("medium", 30)]
    assert ordered(connections, "best_fit").connection_names == ["exact", "medium", "large"]


def test_best_fit_falls_back_to_the_usable_subnet_that_misses_the_fewest() -> None:
    connections = [connection("two", 2), connection("nine", 9), connection("four", 4)]
    assert ordered(connections, "best_fit").connection_names == ["nine", "four", "two"]


def test_preferred_keeps_the_persons_order_and_demotes_what_does_not_hold_the_run() -> None:
    connections = [connection("near", 5), connection("far", 50), connection("middle", 50)]
    ranking = ordered(connections, "preferred", given_order=["near", "middle", "far"])
    assert ranking.connection_names == ["middle", "far", "near"]


def test_spread_takes_the_zone_with_the_fewest_live_runs() -> None:
    connections = [connection("a", 90, "zone-a"), connection("b", 50, "zone-b")]
    busy = Knowledge(live_runs={"zone-a": 2, "zone-b": 1})
    assert ordered(connections, "spread", knowledge=busy).connection_names == ["b", "a"]
    assert ordered(connections, "spread").connection_names == ["a", "b"]


def test_weighted_takes_a_subnet_first_in_proportion_to_its_free_addresses() -> None:
    connections = [connection("small", 10), connection("large", 30)]
    first = Counter(
        ordered(connections, "weighted", seed=seed).connection_names[0] for seed in range(4000)
    )
    assert first["large"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_weighted_draws_the_rest_again_in_proportion() -> None:
    connections = [connection("x", 10), connection("y", 20), connection("z", 30)]
    orders = Counter(
        tuple(ordered(connections, "weighted", seed=seed).connection_names) for seed in range(6000)
    )
    # P(z, y, x) = 30/60 · 20/30, and P(x, y, z) = 10/60 · 20/50
    assert orders["z", "y", "x"] / 6000 == pytest.approx(1 / 3, abs=0.03)
    assert orders["x", "y", "z"] / 6000 == pytest.approx(1 / 15, abs=0.02)


@given(
    free=st.lists(st.integers(0, 40), min_size=1, max_size=8),
    reserved=st.lists(st.integers(0, 40), min_size=8, max_size=8),
    strategy=st.sampled_from(sorted(STRATEGIES)),
    seed=st.integers(0, 999),
)
def test_whatever_the_strategy_a_run_goes_where_all_of_it_fits_if_there_is_such_a_subnet(
    free: list[int], reserved: list[int], strategy: str, seed: int
) -> None:
    connections = [connection(str(n), count) for n, count in enumerate(free)]
    knowledge = Knowledge(reserved={f"subnet-{n}": r for n, r in enumerate(reserved)})
    fits = [n for n, count in enumerate(free) if count - reserved[n] >= 10]
    first = ordered(connections, strategy, seed=seed, knowledge=knowledge).connections[0]
    assert (first.group is Group.GOOD) == bool(fits)


def test_reserved_addresses_are_not_free_for_others() -> None:
    connections = [connection("a", 20), connection("b", 12)]
    ranking = ordered(connections, "capacity", knowledge=Knowledge(reserved={"subnet-a": 11}))
    assert ranking.connection_names == ["b", "a"]
    reserved = ranking.connections[1]
    assert (reserved.group, reserved.free_addresses, reserved.reserved_addresses) == (
        Group.USABLE,
        20,
        11,
    )


def cooled_down(*names: str) -> Knowledge:
    failed = [CoolDown(name, f"subnet-{name}", "Could not find subnet for AZ a") for name in names]
    return knowledge_for("x/1", [], failed)


def test_a_connection_that_failed_lately_comes_after_the_others_that_hold_as_much() -> None:
    """Rather on one that may fail again than with two nodes of fifty."""
    connections = [
        connection("big", 200),
        connection("tiny", 2),
        connection("small", 9),
        connection("enough", 50),
        connection("full", 0),
    ]
    known = cooled_down("big", "small")
    ranking = ordered(connections, "capacity", needed=50, knowledge=known)
    assert ranking.connection_names == ["enough", "big", "tiny", "small", "full"]
    assert ranking.connections[1].cooled_down == CoolDown(
        "big", "subnet-big", "Could not find subnet for AZ a"
    )


def test_a_connection_that_failed_in_this_flow_run_is_last_however_good() -> None:
    connections = [connection("big", 200), connection("tiny", 2)]
    ranking = ordered(
        connections, "capacity", needed=50, knowledge=cooled_down("big"), failed=["big"]
    )
    assert ranking.connection_names == ["tiny", "big"]


@given(
    free=st.lists(st.integers(0, 40), min_size=1, max_size=8),
    cooled=st.sets(st.integers(0, 7)),
    strategy=st.sampled_from(sorted(STRATEGIES)),
    seed=st.integers(0, 999),
)
def test_whatever_failed_lately_what_holds_the_whole_run_comes_first(
    free: list[int], cooled: set[int], strategy: str, seed: int
) -> None:
    connections = [connection(str(n), count) for n, count in enumerate(free)]
    known = cooled_down(*map(str, cooled))
    rows = ordered(connections, strategy, seed=seed, knowledge=known).connections
    tiers = [(list(Group).index(row.group), row.cooled_down is not None) for row in rows]
    fits = [tier for tier, row in zip(tiers, rows, strict=True) if row.group is not Group.UNFIT]
    assert fits == sorted(fits)
    assert tiers[: len(fits)] == fits


def test_an_own_strategy_that_prefers_nearness_to_room_is_still_followed() -> None:
    def by_name(connections: list[dict[str, Any]], rng: random.Random) -> list[str]:
        return sorted(c["name"] for c in connections)

    connections = [
        connection(name, free) for name, free in zip("abcde", (5, 50, 4, 50, 3), strict=True)
    ]
    ranking = rank(
        connections, 10, by_name, 0, strategy_name="own:by_name", knowledge=cooled_down("d", "e")
    )
    assert ranking.connection_names == ["a", "b", "d", "c", "e"]


def test_a_connection_of_the_same_name_in_another_subnet_is_not_cooled_down() -> None:
    failed = CoolDown("a", "subnet-of-another-account", "Resource unavailable")
    cooled = knowledge_for("x/1", [], [failed])
    assert (
        ordered([connection("a", 99)], "capacity", knowledge=cooled).connections[0].cooled_down
        is None
    )


def test_a_connection_that_is_not_ready_is_unfit_however_empty_its_subnet() -> None:
    connections = [connection("a", 99, status="FAILED"), connection("b", 2)]
    ranking = ordered(connections, "capacity")
    assert [r.group for r in ranking.connections] == [Group.USABLE, Group.UNFIT]


@given(strategy=st.sampled_from(sorted(STRATEGIES)), seed=st.integers(0, 99))
def test_connections_without_a_subnet_keep_the_places_the_person_gave_them(
    strategy: str, seed: int
) -> None:
    connections = [
        without_subnet("kafka"),
        connection("a", 10),
        without_subnet("mongo"),
        connection("b", 99),
        connection("c", 0),
    ]
    given_order = [c.name for c in connections]
    names = ordered(connections, strategy, seed=seed, given_order=given_order).connection_names
    assert (names[0], names[2], names[4]) == ("kafka", "mongo", "c")
    assert sorted(names) == sorted(given_order)


def test_a_list_that_mixes_vpcs_is_refused_with_what_lies_where() -> None:
    connections = [connection("a", 9), connection("b", 9, vpc_id="vpc-2"), without_subnet("kafka")]
    with pytest.raises(InvalidInput, match=r"vpc-1: a; vpc-2: b.*allow_several_vpcs"):
        check_one_vpc(connections)
    check_one_vpc([connections[0], connections[2]])


@given(
    strategy=st.sampled_from(sorted(STRATEGIES)),
    free=st.lists(st.integers(2, 60), max_size=10),
    seed=st.integers(0, 2**31),
)
def test_a_strategy_is_repeatable_and_does_not_depend_on_the_order_of_its_input(
    strategy: str, free: list[int], seed: int
) -> None:
    plain = [
        {
            "name": f"c{n}",
            "position": n,
            "free_addresses": count,
            "live_runs_in_zone": count % 3,
            "group": (Group.GOOD if count >= 10 else Group.USABLE).value,
        }
        for n, count in enumerate(free)
    ]
    first = STRATEGIES[strategy]([dict(c) for c in plain], random.Random(seed))
    again = STRATEGIES[strategy](list(reversed(plain)), random.Random(seed))
    assert first == again
    assert sorted(first) == sorted(c["name"] for c in plain)
