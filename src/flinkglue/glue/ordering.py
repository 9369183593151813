"""Which connection first. Pure, and repeatable with a seed.

Every connection is put into a group by the free addresses of its subnet. A strategy orders those
that can hold a job; those that cannot follow, then those that could not be looked up, and last of
all those that this flow run has seen fail.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flinkglue.errors import InvalidInput
from flinkglue.glue.models import Connection, Group, RankedConnection, Ranking

LEAST_ADDRESSES = 2
"""The least that a job starts with."""

Strategy = Callable[[list[dict[str, Any]], random.Random], list[str]]
"""Gets the connections that can hold a job, by name, as plain values; returns their names."""


def random_inside_groups(connections: list[dict[str, Any]], rng: random.Random) -> list[str]:
    """Shuffle the good ones, then the usable ones: spreads runs over all that fit.

    Use it when many runs start together.
    """
    return [
        name
        for group in (Group.GOOD, Group.USABLE)
        for name in _shuffled([c["name"] for c in connections if c["group"] == group], rng)
    ]


def most_free_addresses(connections: list[dict[str, Any]], rng: random.Random) -> list[str]:
    """Most free addresses first; equal ones by name.

    Use it for a job that may grow. Runs that start together all choose the same subnet.
    """
    del rng
    ordered = sorted(connections, key=lambda c: (-c["free_addresses"], c["name"]))
    return [c["name"] for c in ordered]


STRATEGIES: Mapping[str, Strategy] = {
    "random": random_inside_groups,
    "capacity": most_free_addresses,
}


def needed_addresses(job: Mapping[str, Any]) -> int:
    """How many addresses the job wants: one per worker, or per unit of capacity without workers.

    Args:
        job: The Job structure of GetJob.
    """
    workers = job.get("NumberOfWorkers")
    if workers:
        return int(workers)
    return max(1, math.ceil(job.get("MaxCapacity") or 0))


def group_of(connection: Connection, needed: int) -> Group:
    """How well the connection's subnet fits a job that wants so many addresses."""
    if connection.subnet is None:
        return Group.UNKNOWN
    if connection.subnet.state != "available":
        return Group.UNFIT
    if connection.subnet.free_addresses >= needed:
        return Group.GOOD
    if connection.subnet.free_addresses >= LEAST_ADDRESSES:
        return Group.USABLE
    return Group.UNFIT


def rank(
    connections: Iterable[Connection],
    needed: int,
    strategy: Strategy,
    seed: int,
    *,
    strategy_name: str,
    failed: Sequence[str] = (),
) -> Ranking:
    """Order the connections for one run.

    Args:
        connections: The candidates, in any order: the result does not depend on it.
        needed: How many addresses the job wants.
        strategy: Orders the good and the usable ones.
        seed: Makes the strategy's randomness repeatable.
        strategy_name: The strategy as the person wrote it; kept in the ranking.
        failed: Names of connections that failed, the earliest first. They go last, and the one
            that failed last goes very last.

    Raises:
        InvalidInput: The strategy did not return each name exactly once.
    """
    candidates = sorted(connections, key=lambda c: c.name)
    groups = {c.name: group_of(c, needed) for c in candidates}
    last_failure = {name: at for at, name in enumerate(failed)}
    untried = [c for c in candidates if c.name not in last_failure]
    fit = [c for c in untried if groups[c.name] in (Group.GOOD, Group.USABLE)]
    ordered = [
        *_ordered_by(strategy, strategy_name, fit, groups, needed, seed),
        *(c.name for c in untried if groups[c.name] is Group.UNFIT),
        *(c.name for c in untried if groups[c.name] is Group.UNKNOWN),
        *sorted(
            (c.name for c in candidates if c.name in last_failure), key=last_failure.__getitem__
        ),
    ]
    by_name = {c.name: c for c in candidates}
    return Ranking(
        strategy=strategy_name,
        seed=seed,
        needed_addresses=needed,
        connections=tuple(
            _ranked(place, by_name[name], groups[name], name in last_failure)
            for place, name in enumerate(ordered, start=1)
        ),
    )


def _ordered_by(
    strategy: Strategy,
    strategy_name: str,
    fit: list[Connection],
    groups: Mapping[str, Group],
    needed: int,
    seed: int,
) -> list[str]:
    plain = [_plain(connection, groups[connection.name], needed) for connection in fit]
    names = strategy(plain, random.Random(seed))
    check_permutation(strategy_name, names, [c.name for c in fit])
    return names


def check_permutation(strategy_name: str, names: Any, expected: Sequence[str]) -> None:
    """Refuse an ordering that is not each expected name exactly once."""
    rule = _broken_rule(names, expected)
    if rule:
        raise InvalidInput(
            "strategy", strategy_name, f"a function that returns each name exactly once; {rule}"
        )


def _broken_rule(names: Any, expected: Sequence[str]) -> str | None:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return f"it returned {type(names).__name__}, not a list of strings"
    if unknown := sorted(set(names) - set(expected)):
        return f"it returned unknown names: {', '.join(unknown)}"
    if missing := sorted(set(expected) - set(names)):
        return f"it left out: {', '.join(missing)}"
    if len(names) != len(expected):
        return f"it repeated: {', '.join(sorted({n for n in names if names.count(n) > 1}))}"
    return None


def _plain(connection: Connection, group: Group, needed: int) -> dict[str, Any]:
    subnet = connection.subnet
    assert subnet is not None, "only connections with a subnet are good or usable"
    return {
        "name": connection.name,
        "connection_type": connection.connection_type,
        "subnet_id": subnet.subnet_id,
        "vpc_id": subnet.vpc_id,
        "availability_zone": subnet.availability_zone,
        "cidr_block": subnet.cidr_block,
        "free_addresses": subnet.free_addresses,
        "needed_addresses": needed,
        "group": group.value,
    }


def _ranked(place: int, connection: Connection, group: Group, failed: bool) -> RankedConnection:
    subnet = connection.subnet
    return RankedConnection(
        place=place,
        connection_name=connection.name,
        subnet_id=connection.subnet_id,
        availability_zone=subnet.availability_zone if subnet else None,
        cidr_block=subnet.cidr_block if subnet else None,
        free_addresses=subnet.free_addresses if subnet else None,
        group=group,
        failed_before=failed,
        problem=connection.problem,
    )


def _shuffled(names: list[str], rng: random.Random) -> list[str]:
    rng.shuffle(names)
    return names
