"""A run key's claim: what others must know of a run from its placement until Glue lists it. Pure.

A run takes its addresses some time after StartJobRun, and GetJobRuns may list it some seconds after
that. Until then a claim stands for the run:

| state    | is recorded              | what others do about it                          |
|----------|--------------------------|--------------------------------------------------|
| placed   | a reservation            | subtract its addresses from EC2's counts         |
| starting | the reservation, a start | the same, and search for the run before they     |
|          |                          | start one of its key                             |
| started  | the start                | search for the run, unless it is listed          |

Each transition is one write of one record: *reserve* creates the reservation (placed), *start*
creates the start right before StartJobRun (starting), *release* deletes the reservation when the
run is RUNNING (started), *end* deletes the start when the run is listed. So a process may be killed
between any two calls and leaves one of these states. A state says what is recorded, and not how the
run is: a run without a subnet reserves nothing and begins as started, a claim whose reservation
expired is started, and the run of either may never have been sent.

The start is a record of its own because it is created: only that is refused when there is one
already, and so reveals another start. A reservation may be replaced by another placement of its
key and deleted by its age, which is read from the server's dates; nothing of that touches the
start. docs/contributing/glue-coordination.md has the whole argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from typing import TypeVar

from flinkglue.glue.coordination.lock import (
    HeldLock,
    InProcessLocks,
    Locks,
    placement_lock_name,
)
from flinkglue.records import Records
from flinkglue.records.expiring import ExpiringRecords
from flinkglue.records.in_process import InProcessRecords

RESERVED_FOR_SECONDS = 300.0
"""How long a reservation lasts after its last renewal: longer than Glue takes to start a run."""

START_KEPT_SECONDS = 30 * 24 * 3600.0
"""How long a start is kept that nobody ends. It counts all that time, however old it is by
anybody's clock: it may be on its way, and whoever finds it searches for half a minute."""

SEARCHED_FOR_SECONDS = 30.0
"""How long a run whose start is in doubt is searched for before it is held not to be there."""


@dataclass(frozen=True)
class Reservation:
    """Addresses of a subnet reserved for the run that has, or will have, this run key."""

    run_key: str
    job_name: str
    connection_name: str
    subnet_id: str
    availability_zone: str
    addresses: int
    reservation_id: str = field(default="", compare=False)


@dataclass(frozen=True)
class Start:
    """That a run of this key may have been started. `is_new`: by whoever got this answer."""

    start_id: str
    run_key: str
    is_new: bool = field(default=False, compare=False)


Recorded = TypeVar("Recorded", Reservation, Start)


@dataclass
class Claims:
    """The claims of all flow runs. Every method raises CallFailed where it cannot know.

    The kinds of records, and so their names, are those of earlier versions: workers of two versions
    refuse each other's starts, and count each other's reservations.
    """

    records: Records = field(default_factory=InProcessRecords)
    locks: Locks = field(default_factory=InProcessLocks)
    reserved_for_seconds: float = RESERVED_FOR_SECONDS
    start_kept_seconds: float = START_KEPT_SECONDS

    def placing(self, region: str) -> AbstractContextManager[HeldLock]:
        """Hold this to read the reservations, then the counts, choose, and reserve.

        Only one holder exists for all jobs of a region, or two would reserve the same addresses.

        Raises:
            ServiceUnavailable: It could not be acquired in time.
        """
        return self.locks.hold(placement_lock_name(region))

    def reservations(self) -> list[Reservation]:
        """All that count now. Read them before EC2's counts, never after."""
        return [
            Reservation(**record.value["about"], reservation_id=record.record_id)
            for record in self._reservations.live()
        ]

    def reserve(self, reservation: Reservation) -> Reservation:
        """Record it, in place of an earlier one of its key. Only while `placing`."""
        about = asdict(reservation)
        del about["reservation_id"]
        return replace(
            reservation, reservation_id=self._reservations.put(reservation.run_key, about)
        )

    def renew(self, reservation_id: str) -> bool:
        """Let it last as long again; False when it is gone, and others may have its addresses."""
        return self._reservations.renew(reservation_id)

    def release(self, reservation_id: str) -> None:
        """Delete it: the run holds its addresses, or will never need them."""
        self._reservations.delete(reservation_id)

    def start(self, run_key: str) -> Start:
        """Record that the run is started now; the start that is there already, if there is one.

        Raises:
            CallFailed: It is not known whether it is recorded; nothing must be started.
        """
        record_id, is_new = self._starts.create(run_key, {"run_key": run_key})
        return Start(record_id, run_key, is_new)

    def end(self, start_id: str) -> None:
        """Delete this very start: its run is listed, or was not started for certain."""
        self._starts.delete(start_id)

    def starts_of(self, flow_run_id: str) -> list[Start]:
        """The starts of one flow run's runs."""
        live = self._starts.live()
        return of_flow_run(
            flow_run_id, (Start(r.record_id, r.value["about"]["run_key"]) for r in live)
        )

    @property
    def _reservations(self) -> ExpiringRecords:
        return ExpiringRecords(self.records, "glue-reservation", self.reserved_for_seconds)

    @property
    def _starts(self) -> ExpiringRecords:
        return ExpiringRecords(self.records, "glue-start", self.start_kept_seconds)


def of_flow_run(flow_run_id: str, records: Iterable[Recorded]) -> list[Recorded]:
    """Those of this flow run's runs."""
    return [each for each in records if each.run_key.startswith(f"{flow_run_id}/")]
