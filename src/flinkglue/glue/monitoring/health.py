"""How connections are: what their subnets can still hold, and what stands in the way. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from flinkglue.glue.coordination.claims import Reservation
from flinkglue.glue.models import Connection, CoolDown, ZoneState, addresses_in


class Condition(StrEnum):
    """How a connection is; of several the one that is listed first here."""

    MISSING = "missing"
    """Glue has no connection of this name."""
    NOT_READABLE = "not readable"
    """The connection or its subnet could not be read, so nothing else is known."""
    MISCONFIGURED = "misconfigured"
    """One of its settings keeps runs from starting: it needs a manual fix."""
    ZONE_DOWN = "zone down"
    """The availability zone is not available."""
    NOT_READY = "not ready"
    """The subnet is not available, or Glue's own status of the connection is not READY."""
    SHORT_OF_ADDRESSES = "short of addresses"
    """Fewer addresses than the threshold are free and not reserved."""
    FAILED_LATELY = "failed lately"
    """A run failed on it, and it is on cooldown."""
    WITHOUT_SUBNET = "without subnet"
    """It names no subnet, so it takes no addresses."""
    HEALTHY = "healthy"
    """Runs can use it."""

    @property
    def in_words(self) -> str:
        """As people read it. The value names the event and is in results, so it stays as it was."""
        return "failed recently" if self is Condition.FAILED_LATELY else self.value


BELOW_THRESHOLD = frozenset(
    {
        Condition.MISSING,
        Condition.NOT_READABLE,
        Condition.MISCONFIGURED,
        Condition.ZONE_DOWN,
        Condition.NOT_READY,
        Condition.SHORT_OF_ADDRESSES,
    }
)
"""The conditions in which a run cannot count on the addresses that the threshold requires."""


@dataclass(frozen=True)
class RecentFailures:
    """When runs failed on a connection, the last time last, and what Glue said then."""

    failed_at: Sequence[datetime]
    evidence: str

    def describe(self) -> str:
        """How often, when last, and what was said."""
        last, times = self.failed_at[-1], len(self.failed_at)
        often = "once" if times == 1 else f"{times} times, last"
        return f"failed {often} at {last:%Y-%m-%d %H:%M:%S} UTC: {self.evidence}"


@dataclass(frozen=True)
class ConnectionHealth:
    """One connection. The numbers are None when its subnet is not known.

    Args:
        reason: Why it is in this condition; empty when it is healthy.
        status: Glue's status of the connection, empty for most.
        zone_state: What EC2 says of the zone; None when that could not be read.
        total_addresses: What the subnet can hold, without those that AWS keeps.
        reserved_addresses: Those of them that runs that are starting will take.
        cool_down: The failure for which it is on cooldown.
        failures: Its failures of the requested hours.
    """

    connection_name: str
    condition: Condition
    reason: str = ""
    status: str = ""
    subnet_id: str | None = None
    availability_zone: str | None = None
    zone_state: str | None = None
    total_addresses: int | None = None
    free_addresses: int | None = None
    reserved_addresses: int = 0
    cool_down: CoolDown | None = None
    failures: RecentFailures | None = None

    @property
    def usable_addresses(self) -> int | None:
        """Free and not reserved."""
        if self.free_addresses is None:
            return None
        return max(0, self.free_addresses - self.reserved_addresses)

    @property
    def is_below_threshold(self) -> bool:
        """Whether a run cannot count on the addresses that are required."""
        return self.condition in BELOW_THRESHOLD


def judge_connections(
    connections: Iterable[Connection],
    minimum_free_addresses: int,
    *,
    zones: Mapping[str, ZoneState],
    reservations: Iterable[Reservation] = (),
    cool_downs: Iterable[CoolDown] = (),
    now: datetime,
    failed_since: datetime | None = None,
) -> list[ConnectionHealth]:
    """How each connection is.

    Args:
        zones: The zones of the region by name; empty when they could not be read.
        cool_downs: What failed in the last day. Those whose time is not over decide; where it is
            not known, they do.
        failed_since: Failures after this are reported; None: all that are known.
    """
    reserved: Counter[str] = Counter()
    for reservation in reservations:
        reserved[reservation.subnet_id] += reservation.addresses
    failed = {(c.connection_name, c.subnet_id): c for c in cool_downs}
    return [
        _judged(
            connection,
            minimum_free_addresses,
            zones.get(connection.subnet.availability_zone) if connection.subnet else None,
            reserved[connection.subnet_id or ""],
            failed.get((connection.name, connection.subnet_id or "")),
            now,
            failed_since or datetime.min.replace(tzinfo=UTC),
        )
        for connection in connections
    ]


def _judged(
    connection: Connection,
    minimum: int,
    zone: ZoneState | None,
    reserved: int,
    failed: CoolDown | None,
    now: datetime,
    failed_since: datetime,
) -> ConnectionHealth:
    subnet = connection.subnet
    cool_down = failed if failed and (failed.until is None or failed.until > now) else None
    usable = max(0, subnet.free_addresses - reserved) if subnet else None
    condition, reason = _condition(connection, minimum, zone, usable, cool_down)
    return ConnectionHealth(
        connection_name=connection.name,
        condition=condition,
        reason=reason,
        status=connection.status,
        subnet_id=connection.subnet_id,
        availability_zone=subnet.availability_zone if subnet else None,
        zone_state=zone.state if zone else None,
        total_addresses=addresses_in(subnet.cidr_block) if subnet and subnet.cidr_block else None,
        free_addresses=subnet.free_addresses if subnet else None,
        reserved_addresses=reserved,
        cool_down=cool_down,
        failures=_recent(failed, failed_since) if failed else None,
    )


def _recent(failed: CoolDown, since: datetime) -> RecentFailures | None:
    times = [at for at in failed.failed_at if at > since]
    return RecentFailures(times, failed.evidence) if times else None


def _condition(
    connection: Connection,
    minimum: int,
    zone: ZoneState | None,
    usable: int | None,
    cool_down: CoolDown | None,
) -> tuple[Condition, str]:
    subnet = connection.subnet
    if connection.missing:
        return Condition.MISSING, connection.problem or ""
    if connection.without_subnet:
        return Condition.WITHOUT_SUBNET, ""
    if subnet is None or usable is None:
        kind = Condition.MISCONFIGURED if connection.needs_fix else Condition.NOT_READABLE
        return kind, connection.problem or ""
    if connection.needs_fix and connection.ready:
        return Condition.MISCONFIGURED, connection.problem or ""
    if zone and not zone.is_up:
        reason = "; ".join([f"zone {subnet.availability_zone} is {zone.state}", *zone.messages])
        return Condition.ZONE_DOWN, reason
    if subnet.state != "available":
        return Condition.NOT_READY, f"subnet {subnet.subnet_id} is {subnet.state}"
    if not connection.ready:
        return Condition.NOT_READY, f"the connection is {connection.status}"
    if usable < minimum:
        return Condition.SHORT_OF_ADDRESSES, f"{usable} usable addresses, {minimum} are required"
    if cool_down:
        until = f" (on cooldown until {cool_down.until:%H:%M:%S} UTC)" if cool_down.until else ""
        return Condition.FAILED_LATELY, cool_down.evidence + until
    return Condition.HEALTHY, ""
