"""What is known beside AWS's answers when connections are put in order. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from flinkglue.glue.coordination.claims import Reservation
from flinkglue.glue.models import CoolDown


@dataclass(frozen=True)
class Knowledge:
    """What the counts of free addresses do not show.

    Args:
        reserved: Addresses reserved for other runs, by subnet id.
        cooled_down: The connections that failed, by name and subnet id; connections of two
            accounts may have the same name.
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
    """What matters for placing one run; its own reservation does not stand in its way.

    Args:
        live_runs: Runs that hold addresses, by zone; those with a reservation are added.
    """
    reserved: Counter[str] = Counter()
    runs: Counter[str] = Counter(live_runs or {})
    for reservation in reservations:
        if reservation.run_key != run_key:
            reserved[reservation.subnet_id] += reservation.addresses
            runs[reservation.availability_zone] += 1
    return Knowledge(
        reserved=dict(reserved),
        cooled_down={(c.connection_name, c.subnet_id): c for c in cool_downs},
        live_runs=dict(runs),
    )
