"""The order in which a job should try its connections, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from flinkglue.glue.models.connections import CoolDown, addresses_in


class Group(StrEnum):
    """How well a connection fits the job, best first."""

    GOOD = "good"
    USABLE = "usable"
    UNFIT = "unfit"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class RankedConnection:
    """One row of a ranking; `place` counts from 1.

    `free_addresses` is EC2's count, of which `reserved_addresses` are reserved for other runs;
    `cooled_down` says that the connection failed lately in any flow run. A `missing` connection
    does not exist, so a job cannot have it. `live_runs_in_zone` and `position`, the place in the
    person's order counted from 0, are what some strategies go by. Of an `unread` one nothing is
    known. `needs_fix`: no run can use it, however long one waits.
    """

    place: int
    connection_name: str
    subnet_id: str | None
    availability_zone: str | None
    cidr_block: str | None
    free_addresses: int | None
    group: Group
    failed_before: bool
    problem: str | None
    reserved_addresses: int = 0
    cooled_down: CoolDown | None = None
    missing: bool = False
    live_runs_in_zone: int = 0
    position: int = 0
    unread: bool = False
    needs_fix: bool = False

    @property
    def fits(self) -> bool:
        """Whether it can hold a run, or a part of it."""
        return self.group in (Group.GOOD, Group.USABLE)

    @property
    def most_addresses(self) -> int | None:
        """What its subnet can have when it is empty, where that is known."""
        return addresses_in(self.cidr_block) if self.cidr_block else None

    @property
    def unreserved_addresses(self) -> int:
        """What its subnet has free for this run."""
        return (self.free_addresses or 0) - self.reserved_addresses


@dataclass(frozen=True)
class Ranking:
    """The order in which a job should try its connections, and why.

    `needed_addresses` is what a subnet must have for all of the run, `needed_because` how that
    number came about, and `addresses_to_reserve` what the run may take, where that is more;
    `seed` repeats the order of a strategy that draws. `kept` says that it is the order of the
    attempt before, and not the strategy's for these numbers. `reserved_at` is when addresses were
    reserved for the run, and `reservation_id` names the record; None and empty when none were.
    `listed_at` is a time before the job's runs were listed for it, None when that says nothing
    about the start: no addresses were reserved, or the list has the run. `job_settings` are those
    that the choice went by, where they were not read for it; they are checked before the start.
    """

    strategy: str
    seed: int
    needed_addresses: int
    connections: tuple[RankedConnection, ...]
    needed_because: str = ""
    addresses_to_reserve: int = 0
    kept: bool = False
    reserved_at: datetime | None = field(default=None, compare=False)
    reservation_id: str = field(default="", compare=False)
    listed_at: datetime | None = field(default=None, compare=False)
    job_settings: str = field(default="", compare=False, repr=False)

    @property
    def connection_names(self) -> list[str]:
        return [ranked.connection_name for ranked in self.connections]

    @property
    def missing_names(self) -> list[str]:
        """Those that do not exist, and so cannot be written into the job."""
        return [ranked.connection_name for ranked in self.connections if ranked.missing]

    @property
    def most_needed_addresses(self) -> int:
        """What the run may take at most."""
        return max(self.needed_addresses, self.addresses_to_reserve)

    @property
    def in_vpc(self) -> bool:
        """Whether a run has, or may have, a connection with a subnet."""
        return any(ranked.subnet_id or ranked.unread for ranked in self.connections)

    @property
    def expected(self) -> RankedConnection | None:
        """The connection Glue should take: the first in order whose subnet has a free address.

        One that could not be read may have them. Glue names the chosen connection nowhere.
        """
        return next((r for r in self.connections if r.free_addresses or r.unread), None)

    @property
    def expected_name(self) -> str | None:
        return self.expected.connection_name if self.expected else None

    @property
    def needs_a_person(self) -> bool:
        """Whether no connection can hold a run before somebody corrects one."""
        with_network = [r for r in self.connections if r.subnet_id or r.unread]
        return bool(with_network) and all(r.needs_fix for r in with_network)

    @property
    def is_too_large(self) -> bool:
        """Whether no subnet has as many addresses as the run takes, even when it is empty."""
        able = [r for r in self.connections if (r.subnet_id or r.unread) and not r.needs_fix]
        sizes = [r.most_addresses for r in able]
        return bool(sizes) and all(size and size < self.needed_addresses for size in sizes)
