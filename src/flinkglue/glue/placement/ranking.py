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
from functools import partial
from typing import Any

from flinkglue.errors import InvalidInput
from flinkglue.glue.models import Connection, Group, RankedConnection, Ranking
from flinkglue.glue.placement.knowledge import Knowledge
from flinkglue.glue.placement.strategies import PlainConnection, Strategy

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
        strategy: Orders the good and the usable ones.
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
    candidates = {
        c.name: _Candidate(c, positions.get(c.name, place), needed, knowledge)
        for place, c in enumerate(sorted(connections, key=lambda c: c.name))
    }
    ordered = _best_first(candidates, failed, partial(_ordered_by, strategy, strategy_name, seed))
    is_kept = kept is not None and _is_as_good(kept, candidates)
    if kept is not None and is_kept:
        ordered = kept.connection_names
    stay = {
        name: position
        for name, position in positions.items()
        if name in candidates and candidates[name].connection.without_subnet
    }
    return Ranking(
        strategy=strategy_name,
        seed=seed,
        needed_addresses=needed,
        connections=tuple(
            candidates[name].ranked(place, name in failed)
            for place, name in enumerate(_keeping_places(ordered, stay), start=1)
        ),
        kept=is_kept,
    )


def _best_first(
    candidates: Mapping[str, _Candidate],
    failed: Sequence[str],
    ordered_by_strategy: Callable[[list[_Candidate]], list[str]],
) -> list[str]:
    """The names: those that fit, those that failed, those of which it is not known, and the rest.

    Glue would take an unfit subnet that has one address, and the run would starve there. So when
    nothing fits, one of which nothing is known is better.
    """
    last_failure = {name: at for at, name in enumerate(failed)}
    untried = [c for c in candidates.values() if c.name not in last_failure]
    tried = sorted(
        (c for c in candidates.values() if c.name in last_failure),
        key=lambda c: last_failure[c.name],
    )
    fit = [c for c in untried if c.fits]
    ready = ordered_by_strategy([c for c in fit if c.cooled_down is None])
    cooled = ordered_by_strategy([c for c in fit if c.cooled_down is not None])
    fits = [*_cooled_later(ready, cooled, candidates), *(c.name for c in tried if c.fits)]
    unfit = [c for c in untried if c.group is Group.UNFIT and not c.connection.needs_fix]
    broken = [c for c in untried if c.group is Group.UNFIT and c.connection.needs_fix]
    unknown = [c for c in untried if c.group is Group.UNKNOWN]
    others = [*unfit, *unknown, *broken] if fits else [*unknown, *unfit, *broken]
    return [*fits, *(c.name for c in others), *(c.name for c in tried if not c.fits)]


class _Candidate:
    """A connection with all that decides about its place."""

    def __init__(
        self, connection: Connection, position: int, needed: int, knowledge: Knowledge
    ) -> None:
        subnet = connection.subnet
        self.connection = connection
        self.name = connection.name
        self.position = position
        self.needed = needed
        self.reserved = knowledge.reserved.get(subnet.subnet_id, 0) if subnet else 0
        self.live_runs = knowledge.live_runs.get(subnet.availability_zone, 0) if subnet else 0
        self.cooled_down = knowledge.cooled_down.get((connection.name, connection.subnet_id or ""))
        self.group = group_of(connection, needed, self.reserved)

    @property
    def fits(self) -> bool:
        return self.group in (Group.GOOD, Group.USABLE)

    def plain(self) -> PlainConnection:
        subnet = self.connection.subnet
        assert subnet is not None, "only connections with a subnet are good or usable"
        return {
            "name": self.name,
            "position": self.position,
            "connection_type": self.connection.connection_type,
            "subnet_id": subnet.subnet_id,
            "vpc_id": subnet.vpc_id,
            "availability_zone": subnet.availability_zone,
            "cidr_block": subnet.cidr_block,
            "free_addresses": subnet.free_addresses - self.reserved,
            "reserved_addresses": self.reserved,
            "live_runs_in_zone": self.live_runs,
            "needed_addresses": self.needed,
            "group": self.group.value,
        }

    def ranked(self, place: int, failed: bool) -> RankedConnection:
        subnet = self.connection.subnet
        return RankedConnection(
            place=place,
            connection_name=self.name,
            subnet_id=self.connection.subnet_id,
            availability_zone=subnet.availability_zone if subnet else None,
            cidr_block=subnet.cidr_block if subnet else None,
            free_addresses=subnet.free_addresses if subnet else None,
            group=self.group,
            failed_before=failed,
            problem=self.connection.problem,
            missing=self.connection.missing,
            reserved_addresses=self.reserved,
            cooled_down=self.cooled_down,
            live_runs_in_zone=self.live_runs,
            position=self.position,
            unread=self.connection.unread,
            needs_fix=self.connection.needs_fix,
        )


def _ordered_by(
    strategy: Strategy, strategy_name: str, seed: int, candidates: list[_Candidate]
) -> list[str]:
    if not candidates:
        return []  # a person's own strategy need not expect that
    names = strategy([c.plain() for c in candidates], random.Random(seed))
    check_permutation(strategy_name, names, [c.name for c in candidates])
    return names


def _is_as_good(kept: Ranking, candidates: Mapping[str, _Candidate]) -> bool:
    """Whether the connection that an order begins with still is what it was then."""
    before = kept.expected
    if before is None or set(kept.connection_names) != set(candidates):
        return False
    now = candidates[before.connection_name]
    failed_meanwhile = now.cooled_down is not None and before.cooled_down is None
    groups = list(Group)
    return groups.index(now.group) <= groups.index(before.group) and not failed_meanwhile


def _cooled_later(
    ready: list[str], cooled: list[str], candidates: Mapping[str, _Candidate]
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
        return f"it repeated: {', '.join(sorted({n for n in names if names.count(n) > 1}))}"
    return None
