"""The strategies: in which order to try the connections that can hold a run. Pure.

Each gets the connections by name as plain values, and a source of randomness that a seed repeats;
it returns all the names. Those that hold the whole run (`good`) always come before those that hold
a part of it (`usable`), except where it says otherwise. `free_addresses` is what EC2 counts minus
what is reserved for others.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from flinkglue.glue.models import Group

PlainConnection = dict[str, Any]
Strategy = Callable[[list[PlainConnection], random.Random], list[str]]


def random_inside_groups(connections: list[PlainConnection], rng: random.Random) -> list[str]:
    """Shuffle the good ones, then the usable ones.

    Use it when all subnets are alike. It is the published default.
    """
    return [
        name
        for group in _groups(connections)
        for name in rng.sample([c["name"] for c in group], len(group))
    ]


def most_free_addresses(connections: list[PlainConnection], rng: random.Random) -> list[str]:
    """Most free addresses first; equal ones by name. It is the published `capacity`.

    Use it for a job that may grow. It uses up the big subnets first, so that a big job that comes
    later may find room nowhere.
    """
    del rng
    return _names(sorted(connections, key=lambda c: (-c["free_addresses"], c["name"])))


def weighted_by_free_addresses(connections: list[PlainConnection], rng: random.Random) -> list[str]:
    """Draw without putting back, each with a chance in proportion to its free addresses.

    Use it for many equal jobs over subnets of different sizes, started by more than this project:
    starters that do not know of each other still fill all subnets evenly.
    """
    # Efraimidis and Spirakis: u ** (1 / weight), in descending order, is such a draw.
    return [
        name
        for group in _groups(connections)
        for _, name in sorted(
            ((rng.random() ** (1 / c["free_addresses"]), c["name"]) for c in group), reverse=True
        )
    ]


def smallest_that_fits(connections: list[PlainConnection], rng: random.Random) -> list[str]:
    """The fewest free addresses that hold the whole run; then the usable ones, most free first.

    Use it when jobs differ in size: big subnets stay free for big jobs.
    """
    del rng
    good, usable = _groups(connections)
    return _names(
        [
            *sorted(good, key=lambda c: (c["free_addresses"], c["name"])),
            *sorted(usable, key=lambda c: (-c["free_addresses"], c["name"])),
        ]
    )


def as_given(connections: list[PlainConnection], rng: random.Random) -> list[str]:
    """The person's own order.

    Use it when the data lies near one subnet, and the others are only for when that is full.
    """
    del rng
    return [
        name
        for group in _groups(connections)
        for name in _names(sorted(group, key=lambda c: c["position"]))
    ]


def quietest_zone_first(connections: list[PlainConnection], rng: random.Random) -> list[str]:
    """Zones with the fewest live runs first; within a zone, most free addresses first.

    Counted are the job's own running runs, and the runs of any job that are still starting.

    Use it when the loss of a zone should cost as few runs as possible.
    """
    del rng
    return [
        name
        for group in _groups(connections)
        for name in _names(
            sorted(group, key=lambda c: (c["live_runs_in_zone"], -c["free_addresses"], c["name"]))
        )
    ]


STRATEGIES: Mapping[str, Strategy] = {
    "random": random_inside_groups,
    "capacity": most_free_addresses,
    "weighted": weighted_by_free_addresses,
    "best_fit": smallest_that_fits,
    "preferred": as_given,
    "spread": quietest_zone_first,
}


def _groups(connections: list[PlainConnection]) -> list[list[PlainConnection]]:
    """The good ones, then the usable ones, each by name so that a seed repeats an order."""
    by_name = sorted(connections, key=lambda c: c["name"])
    return [[c for c in by_name if c["group"] == group] for group in (Group.GOOD, Group.USABLE)]


def _names(connections: list[PlainConnection]) -> list[str]:
    return [c["name"] for c in connections]
