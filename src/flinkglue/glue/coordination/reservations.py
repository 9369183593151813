"""What the counts of free addresses do not show yet: promises, and connections that failed. Pure.

A run takes its addresses some time after it was started. Until then they are free in EC2's count,
so whoever starts a run writes down what it will take, and everybody subtracts what was promised.
docs/glue-selection.md says why no address is promised twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from flinkglue.glue.coordination.lock import HeldLock
from flinkglue.glue.models import CoolDown

RESERVED_FOR_SECONDS = 300.0
"""How long a promise lasts when nobody renews it: longer than Glue takes to start a run."""

COOL_DOWN_SECONDS = 300.0
"""How long a connection that failed is on cooldown: others are tried first."""

FAILURES_KEPT_SECONDS = 24 * 3600.0
"""How long a failure can be looked up, long after the connection is tried again."""

MOST_FAILURES_KEPT = 20  # of each connection, the newest


@dataclass(frozen=True)
class Reservation:
    """Addresses of a subnet promised to the run that has, or will have, this run key."""

    run_key: str
    job_name: str
    connection_name: str
    subnet_id: str
    availability_zone: str
    addresses: int


class ReservationBook(Protocol):
    """The promises of all flow runs."""

    def placing(self, region: str) -> AbstractContextManager[HeldLock]:
        """Hold this to read the promises, then the counts, choose, and promise.

        Only one holder exists for all jobs of a region, or two would promise the same addresses.

        Raises:
            ServiceUnavailable: It was not to be had in time.
        """

    def live(self) -> list[Reservation]:
        """All promises that count now."""

    def reserve(self, reservation: Reservation) -> None:
        """Promise, in place of what was promised to the same run before. Only while `placing`."""

    def renew(self, run_key: str) -> bool:
        """Let a promise last as long again; False when there is none any more."""

    def release(self, run_key: str) -> None:
        """End a promise: the run holds its addresses, or will never need them."""


class CoolDowns(Protocol):
    """The connections that failed lately, for all flow runs."""

    def live(self) -> list[CoolDown]:
        """Those that are still on cooldown."""

    def recent(self) -> list[CoolDown]:
        """All that failed in the last day, also those whose cooldown is over."""

    def start(self, cool_down: CoolDown) -> None:
        """Put a connection on cooldown from now on."""


@dataclass(frozen=True)
class Knowledge:
    """What is known beside AWS's answers when connections are ordered.

    Args:
        reserved: Addresses promised, by subnet id.
        cooled_down: The connections that failed, by name and subnet id; connections of two
            accounts may have the same name.
        live_runs: How many runs there are, by availability zone.
    """

    reserved: Mapping[str, int] = field(default_factory=dict)
    cooled_down: Mapping[tuple[str, str], CoolDown] = field(default_factory=dict)
    live_runs: Mapping[str, int] = field(default_factory=dict)


def knowledge_for(
    run_key: str,
    reservations: Iterable[Reservation],
    cool_downs: Iterable[CoolDown] = (),
    live_runs: Mapping[str, int] | None = None,
) -> Knowledge:
    """What matters for placing one run; what was promised to itself does not stand in its way.

    Args:
        run_key: The run to place.
        reservations: All that are live.
        cool_downs: All that are live.
        live_runs: Runs that hold addresses, by zone; those that are still promised are added.
    """
    others = [r for r in reservations if r.run_key != run_key]
    reserved: Counter[str] = Counter()
    runs: Counter[str] = Counter(live_runs or {})
    for reservation in others:
        reserved[reservation.subnet_id] += reservation.addresses
        runs[reservation.availability_zone] += 1
    return Knowledge(
        reserved=dict(reserved),
        cooled_down={(c.connection_name, c.subnet_id): c for c in cool_downs},
        live_runs=dict(runs),
    )
