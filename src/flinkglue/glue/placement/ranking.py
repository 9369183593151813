"""Which connection first. Pure, and repeatable with a seed.

Every connection is put into a group by what its subnet has free and not reserved for other runs. A
strategy orders those that can hold a run. Those that failed lately in any flow run come after the
others that hold as much of the run, and those that failed in this flow run come last. What
cannot hold a run follows, what could not be read, and what somebody has to correct first. A
connection without a subnet stays where the person put it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from flinkglue.errors import InvalidInput
from flinkglue.glue.models import Connection, Group, RankedConnection, Ranking
from flinkglue.glue.placement.knowledge import Knowledge
from flinkglue.glue.placement.strategies import PlainConnection, Strategy
from flinkglue.texts import repeated

LEAST_ADDRESSES = 2
"""The least that a job starts with."""

NOTHING_MORE = Knowledge()


def group_of(connection: Connection, needed: int, reserved: int = 0) -> Group:
    """How well the connection fits a run that takes so many addresses."""
    if connection.subnet is None:
        return Group.UNKNOWN
    if connection.subnet.state != "available" or not connection.ready or connection.needs_fix:
        return Group.UNFIT
    free = connection.subnet.free_addresses - reserved
    if free >= needed:
        return Group.GOOD
    return Group.USABLE if free >= LEAST_ADDRESSES else Group.UNFIT


def check_one_vpc(connections: Iterable[Connection]) -> None:
    """Refuse connections of several VPCs: a job would reach its data from one and not the other.

    Raises:
        InvalidInput: The subnets lie in more than one VPC.
    """
    vpcs: dict[str, list[str]] = {}
    for connection in connections:
        if connection.subnet is not None:
            vpcs.setdefault(connection.subnet.vpc_id, []).append(connection.name)
    if len(vpcs) > 1:
        found = "; ".join(f"{vpc}: {', '.join(names)}" for vpc, names in sorted(vpcs.items()))
        raise InvalidInput(
            "connection_names", found, "connections of one VPC, unless allow_several_vpcs is set"
        )


def rank(
    connections: Iterable[Connection],
    needed: int,
    strategy: Strategy,
    seed: int,
    *,
    strategy_name: str,
    failed: Sequence[str] = (),
    knowledge: Knowledge = NOTHING_MORE,
    given_order: Sequence[str] = (),
    kept: Ranking | None = None,
) -> Ranking:
    """Order the connections for one run.

    Args:
        connections: The candidates, in any order: the result does not depend on it.
        strategy_name: The strategy as the person wrote it; kept in the ranking.
        failed: Names of connections that failed, the earliest first. They go after all others
            that can hold the run, and the one that failed last goes last of them.
        knowledge: What is reserved for other runs, and what failed lately.
        given_order: The names as the person listed them; by name when it is left out. In it,
            connections without a subnet keep their places.
        kept: The order of the attempt before, if its connection is not to blame. It is kept as long
            as the connection that it begins with holds as much of the run as it did, and has not
            failed meanwhile.

    Raises:
        InvalidInput: The strategy did not return each name exactly once.
    """
    positions = {name: position for position, name in enumerate(given_order)}
    by_name = {c.name: c for c in sorted(connections, key=lambda c: c.name)}
    candidates = {
        name: _candidate(c, positions.get(name, place), needed, knowledge, name in failed)
        for place, (name, c) in enumerate(by_name.items())
    }
    plain = {name: _plain(by_name[name], c, needed) for name, c in candidates.items() if c.fits}
    by_strategy = partial(_ordered_by, strategy, strategy_name, seed, plain)
    ordered = _best_first(candidates, failed, by_strategy)
    is_kept = kept is not None and _is_as_good(kept, candidates)
    if kept is not None and is_kept:
        ordered = kept.connection_names
    stay = {
        name: position
        for name, position in positions.items()
        if name in by_name and by_name[name].without_subnet
    }
    return Ranking(
        strategy=strategy_name,
        seed=seed,
        needed_addresses=needed,
        connections=tuple(
            replace(candidates[name], place=place)
            for place, name in enumerate(_keeping_places(ordered, stay), start=1)
        ),
        kept=is_kept,
    )


def _best_first(
    candidates: Mapping[str, RankedConnection],
    failed: Sequence[str],
    ordered_by_strategy: Callable[[Sequence[RankedConnection]], list[str]],
) -> list[str]:
    """The names: those that fit, those that failed, those of which it is not known, and the rest.

    Glue would take an unfit subnet that has one address, and the run would starve there. So when
    nothing fits, one of which nothing is known is better.
    """
    untried = [c for c in candidates.values() if not c.failed_before]
    tried = [candidates[name] for name in _by_last_failure(failed) if name in candidates]
    fit = [c for c in untried if c.fits]
    ready = ordered_by_strategy([c for c in fit if c.cooled_down is None])
    cooled = ordered_by_strategy([c for c in fit if c.cooled_down is not None])
    fits = [*_cooled_later(ready, cooled, candidates), *_names(c for c in tried if c.fits)]
    unfit = [c for c in untried if c.group is Group.UNFIT and not c.needs_fix]
    broken = [c for c in untried if c.group is Group.UNFIT and c.needs_fix]
    unknown = [c for c in untried if c.group is Group.UNKNOWN]
    others = [*unfit, *unknown, *broken] if fits else [*unknown, *unfit, *broken]
    return [*fits, *_names(others), *_names(c for c in tried if not c.fits)]


def _by_last_failure(failed: Sequence[str]) -> list[str]:
    """Each name once, at the place of its last failure."""
    return [*dict.fromkeys(reversed(failed))][::-1]


def _names(connections: Iterable[RankedConnection]) -> list[str]:
    return [c.connection_name for c in connections]


def _candidate(
    connection: Connection, position: int, needed: int, knowledge: Knowledge, failed: bool
) -> RankedConnection:
    """The connection with all that decides about its place, which it has not got yet."""
    subnet = connection.subnet
    reserved = knowledge.reserved.get(subnet.subnet_id, 0) if subnet else 0
    return RankedConnection(
        place=0,
        connection_name=connection.name,
        subnet_id=connection.subnet_id,
        availability_zone=subnet.availability_zone if subnet else None,
        cidr_block=subnet.cidr_block if subnet else None,
        free_addresses=subnet.free_addresses if subnet else None,
        group=group_of(connection, needed, reserved),
        failed_before=failed,
        problem=connection.problem,
        missing=connection.missing,
        reserved_addresses=reserved,
        cooled_down=knowledge.cooled_down.get((connection.name, connection.subnet_id or "")),
        live_runs_in_zone=knowledge.live_runs.get(subnet.availability_zone, 0) if subnet else 0,
        position=position,
        unread=connection.unread,
        needs_fix=connection.needs_fix,
    )


def _plain(connection: Connection, ranked: RankedConnection, needed: int) -> PlainConnection:
    """What a strategy gets of a connection."""
    subnet = connection.subnet
    assert subnet is not None, "only connections with a subnet are good or usable"
    return {
        "name": connection.name,
        "position": ranked.position,
        "connection_type": connection.connection_type,
        "subnet_id": subnet.subnet_id,
        "vpc_id": subnet.vpc_id,
        "availability_zone": subnet.availability_zone,
        "cidr_block": subnet.cidr_block,
        "free_addresses": ranked.unreserved_addresses,
        "reserved_addresses": ranked.reserved_addresses,
        "live_runs_in_zone": ranked.live_runs_in_zone,
        "needed_addresses": needed,
        "group": ranked.group.value,
    }


def _ordered_by(
    strategy: Strategy,
    strategy_name: str,
    seed: int,
    plain: Mapping[str, PlainConnection],
    connections: Sequence[RankedConnection],
) -> list[str]:
    if not connections:
        return []  # a person's own strategy need not expect that
    expected = _names(connections)
    names = strategy([plain[name] for name in expected], random.Random(seed))
    check_permutation(strategy_name, names, expected)
    return names


def _is_as_good(kept: Ranking, candidates: Mapping[str, RankedConnection]) -> bool:
    """Whether the connection that an order begins with still is what it was then."""
    before = kept.expected
    if before is None or set(kept.connection_names) != set(candidates):
        return False
    now = candidates[before.connection_name]
    failed_meanwhile = now.cooled_down is not None and before.cooled_down is None
    groups = list(Group)
    return groups.index(now.group) <= groups.index(before.group) and not failed_meanwhile


def _cooled_later(
    ready: list[str], cooled: list[str], candidates: Mapping[str, RankedConnection]
) -> list[str]:
    """Both, so that a cooled-down connection follows the last ready one of its group.

    It may fail again, which costs a minute; a run that starts with too few nodes is slow to the
    end.
    """

    def good(name: str) -> bool:
        return candidates[name].group is Group.GOOD

    last_good = max((place for place, name in enumerate(ready, start=1) if good(name)), default=0)
    return [
        *ready[:last_good],
        *(name for name in cooled if good(name)),
        *ready[last_good:],
        *(name for name in cooled if not good(name)),
    ]


def _keeping_places(ordered: Sequence[str], stay: Mapping[str, int]) -> list[str]:
    """The order, with the names in `stay` at their places in it."""
    names = [name for name in ordered if name not in stay]
    for name, place in sorted(stay.items(), key=lambda item: item[1]):
        names.insert(place, name)
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
        return f"it repeated: {', '.join(repeated(names))}"
    return None
