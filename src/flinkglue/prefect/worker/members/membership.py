"""Which workers of a pool live: each keeps a record, a Variable, that it writes again and again.

A worker whose record did not change for longer than its lease, as another one observes by its own
clock, is dead; so is one whose process is gone on the same machine. Whoever finds that deletes the
record before it touches the dead worker's flow runs. A worker that was frozen learns so from its
next renewal, and trusts its record for a part of the lease only: it changes no state meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from flinkglue.clock import Clock, SystemClock
from flinkglue.errors import CallFailed
from flinkglue.lease import Lease, Unchanged, has_run_out
from flinkglue.lifecycle.journal import processes
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.worker.members import waiting_ids
from flinkglue.records import Record

TAG = "flinkglue-worker"


class Membership:
    """This worker's record, and those of its peers. Calls the server; not for an event loop.

    Attributes:
        is_lost: Whether others may have taken over this worker's flow runs. It stays so.

    Args:
        lease_seconds: How long this worker is taken to live without a sign of life.
        process: Which process it is, for others of the same machine.
    """

    def __init__(
        self,
        records: ServerRecords,
        pool_id: str,
        worker_name: str,
        lease_seconds: float,
        process: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.worker_id = uuid4().hex
        self.pool_id = pool_id
        self.lease_seconds = lease_seconds
        self._records = records
        self._clock = clock or SystemClock()
        self._pool_tag = f"{TAG}-{pool_id}"
        self._value: dict[str, Any] = {
            "worker_id": self.worker_id,
            "name": worker_name,
            "holder": processes.in_words(),
            "process": processes.identity() if process is None else process,
            "lease_seconds": lease_seconds,
        }
        self.is_lost = False
        self._lease: Lease | None = None
        self._record_id = ""
        self._seen: dict[str, Unchanged] = {}
        self._duties: dict[str, str] = {}
        self._waited: dict[str, set[bytes]] = {}

    def join(self) -> None:
        """Write the record down; before it no flow run may be taken."""
        self._record_id, self._lease = self._new_record()

    def _new_record(self) -> tuple[str, Lease]:
        at, name = self._clock.monotonic(), f"{TAG}-{uuid4().hex}"
        record_id = self._records.create(name, self._value, [TAG, self._pool_tag])
        if record_id is None:  # the answer to a first try was lost: nobody else has this name
            record = self._records.read(name)
            record_id = record.record_id if record else ""
        return record_id, Lease.taken(self.lease_seconds, at)

    def renew(self, waiting: Iterable[UUID] = ()) -> bool:
        """Give a sign of life; False: others may have taken over this worker's flow runs.

        Args:
            waiting: Its flow runs that do nothing but wait: should it die now, not because of them.
        """
        self.is_lost = not self._is_renewed(waiting)
        return not self.is_lost

    def _is_renewed(self, waiting: Iterable[UUID]) -> bool:
        lease = self._lease
        if lease is None or lease.is_lost:
            return False
        self._value = waiting_ids.written(self._value, waiting)
        sent_at = self._clock.monotonic()
        if not self._records.rewrite(self._record_id, self._value):
            self._lease = lease.lost()
            return False
        self._lease = lease.renewed(sent_at, self._clock.monotonic())
        return not self._lease.is_lost or self._is_still_a_member()

    def _is_still_a_member(self) -> bool:
        """Late, with a record that is there still: peers may be about to delete it as a dead one's.

        The new record is there before the old one goes, so no peer finds this worker missing; and
        whoever deletes a record first decides: where it is gone already, a peer has taken over.
        """
        record_id, lease = self._new_record()
        if self._records.delete(self._record_id):
            self._record_id, self._lease = record_id, lease
            return True
        self._records.delete(record_id)
        return False

    def is_known_held(self) -> bool:
        """Whether nobody else can have taken over this worker's flow runs. Calls nobody."""
        return self._lease is not None and self._lease.is_known_held(self._clock.monotonic())

    def leave(self) -> None:
        """Remove the record: what is left of this worker's flow runs may be adopted at once."""
        if self._lease is not None:
            self._lease, self.is_lost = self._lease.lost(), True
            for record_id in (*self._duties.values(), self._record_id):
                self._records.delete(record_id)

    def living(self) -> set[str]:
        """The ids of all workers of the pool that have a record, this one's as well."""
        return {record.value["worker_id"] for record in self._records.tagged(self._pool_tag)}

    def bury_the_dead(self, log: logging.Logger | logging.LoggerAdapter[Any]) -> bool:
        """Delete the records of peers that are dead; whether there were any, or one has left."""
        asked_at = self._clock.monotonic()
        try:
            records = self._records.tagged(self._pool_tag)
        except CallFailed:
            self._seen.clear()  # they are cut off from the server perhaps, and are not silent
            raise
        peers = [record for record in records if record.value["worker_id"] != self.worker_id]
        answered_at = self._clock.monotonic()
        have_left = {*self._seen} - {peer.record_id for peer in peers}
        self._seen = {peer.record_id: self._seen.get(peer.record_id, Unchanged()) for peer in peers}
        dead = [peer for peer in peers if self._is_dead(peer, asked_at, answered_at)]
        for peer in dead:
            log.warning(
                "Worker %s (%s) is dead: its flow runs that are threads are scheduled again",
                peer.value["name"],
                peer.value["holder"],
            )
            if self._records.delete(peer.record_id):
                self._waited[peer.value["worker_id"]] = waiting_ids.read(peer.value)
            del self._seen[peer.record_id]
        return bool(dead or have_left)

    def may_have_died_of(self, worker_id: str, flow_run_id: UUID) -> bool:
        """Whether a worker was found dead whose flow run did not just wait by its last record."""
        waited = self._waited.get(worker_id)
        return waited is not None and waiting_ids.short(flow_run_id) not in waited

    def has_waited(self, worker_id: str, flow_run_id: UUID) -> bool:
        """Whether a flow run of a dead worker just waited by that one's last record."""
        return waiting_ids.short(flow_run_id) in self._waited.get(worker_id, set())

    def _is_dead(self, peer: Record, asked_at: float, answered_at: float) -> bool:
        silent_seconds = self._seen[peer.record_id].seconds(peer.dated, asked_at, answered_at)
        return has_run_out(silent_seconds, peer.value["lease_seconds"]) or (
            processes.is_known_dead(peer.value["process"])
        )

    def hold(self, duty: str) -> bool:
        """Take a duty that one living worker has at a time; whether this one has it now."""
        name, value = f"{TAG}-{duty}-{self.pool_id}", {"worker_id": self.worker_id}
        for _ in range(2):
            if record_id := self._records.create(name, value, [TAG]):
                self._duties[duty] = record_id
                return True
            record = self._records.read(name)
            if record is None:
                continue  # it was given up just now
            holder = record.value["worker_id"]
            if holder == self.worker_id:
                self._duties[duty] = record.record_id
                return True
            if holder in self.living():
                return False
            self._records.delete(record.record_id)
        return False
