"""How many addresses a run takes, and what happens when no subnet has them."""

from __future__ import annotations

from typing import Any

import pytest

from flinkglue.errors import InvalidInput
from flinkglue.glue.models import Connection, Ranking, Subnet
from flinkglue.glue.placement.demand import Demand, demand_of
from flinkglue.glue.placement.ranking import rank
from flinkglue.glue.placement.shortage import Decision, ShortagePolicy, WhenNothingFits
from flinkglue.glue.placement.strategies import STRATEGIES

WAIT, USE_BEST, FAIL = WhenNothingFits


@pytest.mark.parametrize(
    ("job", "addresses"),
    [
        ({"NumberOfWorkers": 7, "MaxCapacity": 14.0}, 9),
        ({"MaxCapacity": 10.0}, 12),
        ({"MaxCapacity": 2.5}, 5),
        ({}, 3),
        ({"Command": {"Name": "pythonshell"}, "MaxCapacity": 0.0625}, 1),
        ({"Command": {"Name": "pythonshell"}, "MaxCapacity": 1.0}, 1),
        ({"Command": {"Name": "glueetl"}, "NumberOfWorkers": 2}, 4),
    ],
)
def test_a_run_takes_an_address_per_worker_or_unit_of_capacity_and_two_more(
    job: dict[str, Any], addresses: int
) -> None:
    assert demand_of(job).addresses == addresses


def test_auto_scaling_is_planned_for_at_its_maximum_and_shown() -> None:
    job = {"NumberOfWorkers": 50, "DefaultArguments": {"--enable-auto-scaling": "true"}}
    planned = demand_of(job)
    assert planned == Demand(52, 52)
    assert "50 workers, the maximum of auto scaling" in planned.because
    off = demand_of(job, arguments={"--enable-auto-scaling": "false"})
    assert "auto scaling" not in off.because


def test_nodes_that_glue_may_add_are_reserved_also_where_published_groups_leave_them_out() -> None:
    published = demand_of({"NumberOfWorkers": 10}, extra_nodes=0, reserved_extra_nodes=2)
    assert (published.addresses, published.addresses_to_reserve) == (10, 12)
    assert "12 are reserved" in published.because
    shell = {"Command": {"Name": "pythonshell"}}
    assert demand_of(shell, extra_nodes=0, reserved_extra_nodes=2).addresses_to_reserve == 1
    given = demand_of({}, needed_addresses=7, extra_nodes=0, reserved_extra_nodes=2)
    assert given.addresses_to_reserve == 7


def test_a_person_who_knows_better_is_believed() -> None:
    job = {"NumberOfWorkers": 50}
    assert demand_of(job, needed_addresses=12).addresses == 12
    assert demand_of(job, extra_nodes=0).addresses == 50


@pytest.mark.parametrize("wrong", [{"needed_addresses": 0}, {"extra_nodes": -1}])
def test_an_impossible_number_of_nodes_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInput) as refused:
        demand_of({}, **wrong)  # type: ignore[arg-type]
    assert refused.value.field == next(iter(wrong))


def ranking_of(*free: int) -> Ranking:
    connections = [
        Connection(str(n), f"s{n}", Subnet(f"s{n}", "vpc", "a", "10.0.0.0/24", count, "available"))
        for n, count in enumerate(free)
    ]
    return rank(connections, 10, STRATEGIES["best_fit"], 0, strategy_name="best_fit")


@pytest.mark.parametrize(
    ("free", "choice", "waited_seconds", "decision"),
    [
        ((9, 10), WAIT, 0, Decision.START),
        ((9, 10), FAIL, 0, Decision.START),
        ((9, 2), WAIT, 0, Decision.WAIT),
        ((9, 2), WAIT, 599, Decision.WAIT),
        ((9, 2), WAIT, 600, Decision.START),
        ((9, 2), USE_BEST, 0, Decision.START),
        ((9, 2), FAIL, 0, Decision.FAIL),
        ((1, 0), WAIT, 0, Decision.WAIT),
        ((1, 0), WAIT, 600, Decision.FAIL),
        ((1, 0), USE_BEST, 0, Decision.WAIT),
        ((0, 0), USE_BEST, 599, Decision.WAIT),
        ((0, 0), USE_BEST, 600, Decision.FAIL),
        ((1, 0), FAIL, 0, Decision.FAIL),
    ],
)
def test_what_happens_when_nothing_fits_is_the_persons_choice(
    free: tuple[int, ...], choice: WhenNothingFits, waited_seconds: float, decision: Decision
) -> None:
    policy = ShortagePolicy(choice, wait_seconds=600)
    assert policy.decide(ranking_of(*free), waited_seconds) is decision


DENIED = Connection("denied", problem="GetConnection: AccessDeniedException")
GONE = Connection("gone", problem="GetConnection: EntityNotFoundException", missing=True)
FULL_SUBNET = Connection("full", "s", Subnet("s", "vpc", "a", "10.0.0.0/24", 1, "available"))


@pytest.mark.parametrize(
    ("other", "choice", "waited_seconds", "decision"),
    [
        (DENIED, USE_BEST, 0, Decision.START),
        (DENIED, WAIT, 0, Decision.WAIT),
        (DENIED, WAIT, 600, Decision.START),
        (DENIED, FAIL, 0, Decision.FAIL),
        (GONE, USE_BEST, 0, Decision.WAIT),
        (GONE, USE_BEST, 600, Decision.FAIL),
        (GONE, WAIT, 600, Decision.FAIL),
    ],
)
@pytest.mark.parametrize("strategy", ["random", "best_fit"])
def test_a_connection_that_could_not_be_read_may_have_room_and_one_that_is_not_there_has_none(
    other: Connection,
    choice: WhenNothingFits,
    waited_seconds: float,
    decision: Decision,
    strategy: str,
) -> None:
    """The published design starts the run, with the one that it could not rank in the list."""
    connections = [FULL_SUBNET, other]
    ranking = rank(connections, 10, STRATEGIES[strategy], 0, strategy_name=strategy)
    assert ShortagePolicy(choice, wait_seconds=600).decide(ranking, waited_seconds) is decision
    if decision is Decision.START:
        assert ranking.connection_names == ["denied", "full"]


def test_a_job_whose_connections_have_no_subnet_starts_because_it_takes_no_addresses() -> None:
    ranking = rank(
        [Connection("kafka", connection_type="KAFKA")],
        10,
        STRATEGIES["random"],
        0,
        strategy_name="random",
    )
    assert ShortagePolicy(FAIL).decide(ranking, 0) is Decision.START
