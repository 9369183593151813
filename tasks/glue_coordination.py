"""What Glue flow runs agree on through the Prefect server: locks, promises, cool-downs.

Nothing here outlives its lease: whatever a killed process held is free again after it.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any
from uuid import uuid4

from prefect.logging import get_logger
from prefect.runtime import flow_run

from flinkglue.errors import CallFailed, DeadlineExceeded, ServiceUnavailable
from flinkglue.glue.coordination import Coordination
from flinkglue.glue.lock import PLACEMENT_LOCK_NAME, HeldLock, Locks
from flinkglue.glue.reservations import (
    COOL_DOWN_SECONDS,
    RESERVED_FOR_SECONDS,
    CoolDown,
    Reservation,
)
from tasks.server_records import Record, ServerRecords

LEASE_SECONDS = float(os.environ.get("GLUE_LOCK_LEASE_SECONDS", "30"))
WAIT_SECONDS = 900.0
EVIDENCE_CHARACTERS = 1000  # a Variable holds 5,000
SAME_WRITE_SECONDS = 30.0
ADVICE = (
    "Nothing was started. Run the flow again later; if always the same holder is named, look at "
    "its flow run: a holder that died loses the lock by itself."
)
DATE_RESOLUTION_SECONDS = 1.0  # of the HTTP date that leases are judged by
FIRST_PAUSE_SECONDS = 0.1
LATENCIES_PER_PAUSE = 25
"""Each contender is quiet for so many times as long as its last call took, so that however many
there are, the server is never kept busy by those that wait."""

_gates: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


class VariableLocks:
    """Locks by name, each a Variable while it is held.

    Args:
        records: The server.
        lease_seconds: After how long without a sign of life a holder has lost the lock.
        wait_seconds: How long to wait for a lock.
    """

    def __init__(
        self,
        records: ServerRecords,
        lease_seconds: float = LEASE_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._records = records
        self._lease_seconds = lease_seconds
        self._wait_seconds = wait_seconds

    @contextmanager
    def hold(self, name: str) -> Iterator[VariableLease]:
        """Hold the lock of this name while the block runs.

        Raises:
            DeadlineExceeded: Others held it all the time.
        """
        variable_name = _variable_name("glue-lock", name)
        give_up_at = time.monotonic() + self._wait_seconds
        gate = _gates[variable_name]  # of all threads here, one at a time asks the server
        if not gate.acquire(timeout=self._wait_seconds):
            raise self._too_late(name, "held in this process")
        try:
            lease = self._acquire(name, variable_name, give_up_at)
            try:
                yield lease
            finally:
                lease.release()
        finally:
            gate.release()

    def _acquire(self, name: str, variable_name: str, give_up_at: float) -> VariableLease:
        token, rng = str(uuid4()), Random()
        value = {
            "lock": name,
            "holder": _this_process(),
            "token": token,
            "lease_seconds": self._lease_seconds,
        }
        while True:
            asked_at = time.monotonic()
            if record_id := self._records.create(variable_name, value, ["glue-lock"]):
                return VariableLease(self._records, name, record_id, value, asked_at)
            while seen := self._records.read(variable_name):
                answered_at = time.monotonic()
                if seen.value["token"] == token:  # the answer to our create was lost on its way
                    return VariableLease(self._records, name, seen.record_id, value, asked_at)
                if seen.age_seconds > seen.value["lease_seconds"] + DATE_RESOLUTION_SECONDS:
                    self._records.delete(seen.record_id)
                    break
                if answered_at > give_up_at:
                    raise self._too_late(name, f"held by {seen.value['holder']}")
                pause = FIRST_PAUSE_SECONDS + LATENCIES_PER_PAUSE * (answered_at - asked_at)
                time.sleep(pause * rng.uniform(0.5, 1))
                asked_at = time.monotonic()

    def _too_late(self, name: str, holder: str) -> DeadlineExceeded:
        return DeadlineExceeded(f"The lock {name}", self._wait_seconds, holder, ADVICE)


class VariableLease:
    """A lock that is held; a thread renews it until it is released or the process ends."""

    def __init__(
        self,
        records: ServerRecords,
        name: str,
        record_id: str,
        value: dict[str, Any],
        renewed_at: float,
    ) -> None:
        self._records = records
        self._name = name
        self._record_id = record_id
        self._value = value
        self._lease_seconds = float(value["lease_seconds"])
        self._renewed_at = renewed_at  # when the last renewal was sent, so never too late
        self._gone = False
        self._released = threading.Event()
        threading.Thread(target=self._keep, name="glue-lock", daemon=True).start()

    def check(self) -> None:
        """Return only while the lock is surely held.

        Raises:
            ServiceUnavailable: The lease may have run out.
        """
        if self._gone or time.monotonic() - self._renewed_at > 0.8 * self._lease_seconds:
            raise ServiceUnavailable(
                "Prefect",
                "renew lock",
                self._name,
                "the lease ran out, because this process or the Prefect server did not answer",
                advice="run it again; nothing was started",
            )

    def release(self) -> None:
        """Let the next one have it. A failure is left to the lease, which ends it too."""
        self._released.set()
        try:
            self._records.delete(self._record_id)
        except CallFailed as error:
            get_logger("glue").warning("The lock %s stays for a while: %s", self._name, error)

    def _keep(self) -> None:
        while not self._released.wait(self._lease_seconds / 3):
            asked_at = time.monotonic()
            try:
                if not self._records.rewrite(self._record_id, self._value):
                    self._gone = True
                    return
            except CallFailed:
                continue  # `check` notices when it does not get better
            except RuntimeError:
                if self._released.is_set():
                    return  # the block ended meanwhile, and its client was closed
                raise
            self._renewed_at = asked_at


class VariableReservations:
    """The promises of all flow runs, each a Variable.

    Args:
        records: The server.
        locks: Where the lock for placing comes from.
        reserved_for_seconds: How long a promise lasts when nobody renews it.
    """

    def __init__(
        self,
        records: ServerRecords,
        locks: Locks,
        reserved_for_seconds: float = RESERVED_FOR_SECONDS,
    ) -> None:
        self._expiring = ExpiringRecords(records, "glue-reservation", reserved_for_seconds)
        self._locks = locks

    def placing(self) -> AbstractContextManager[HeldLock]:
        return self._locks.hold(PLACEMENT_LOCK_NAME)

    def live(self) -> list[Reservation]:
        return [Reservation(**record.value["about"]) for record in self._expiring.live()]

    def reserve(self, reservation: Reservation) -> None:
        self._expiring.put(reservation.run_key, asdict(reservation))

    def renew(self, run_key: str) -> None:
        self._expiring.renew(run_key)

    def release(self, run_key: str) -> None:
        self._expiring.remove(run_key)


class VariableCoolDowns:
    """The connections that failed lately, each a Variable.

    Args:
        records: The server.
        cool_down_seconds: How long a connection is left alone.
    """

    def __init__(
        self, records: ServerRecords, cool_down_seconds: float = COOL_DOWN_SECONDS
    ) -> None:
        self._expiring = ExpiringRecords(records, "glue-cool-down", cool_down_seconds)

    def live(self) -> list[CoolDown]:
        found, now = [], datetime.now(UTC)
        for record in self._expiring.live():
            since = now - timedelta(seconds=record.age_seconds)
            until = since + timedelta(seconds=record.value["lasts_seconds"])
            found.append(CoolDown(**record.value["about"], since=since, until=until))
        return found

    def start(self, cool_down: CoolDown) -> None:
        # Connections of two accounts may have the same name; their subnets differ.
        key = f"{cool_down.connection_name} in {cool_down.subnet_id}"
        about = {
            "connection_name": cool_down.connection_name,
            "subnet_id": cool_down.subnet_id,
            "evidence": cool_down.evidence[:EVIDENCE_CHARACTERS],
        }
        self._expiring.put(key, about)


def coordination_on_server(records: ServerRecords) -> Coordination:
    """What all flow runs of this Prefect server agree on."""
    locks = VariableLocks(records)
    return Coordination(locks, VariableReservations(records, locks), VariableCoolDowns(records))


class ExpiringRecords:
    """Records of one kind that count for a while after they were last written.

    Args:
        records: The server.
        kind: The tag of the records, and how their names begin.
        lasts_seconds: How long a record counts.
    """

    def __init__(self, records: ServerRecords, kind: str, lasts_seconds: float) -> None:
        self._records = records
        self._kind = kind
        self._lasts_seconds = lasts_seconds

    def live(self) -> list[Record]:
        """The records that still count. The others are deleted on the way."""
        found = []
        for record in self._records.tagged(self._kind):
            if record.age_seconds > record.value["lasts_seconds"]:
                self._records.delete(record.record_id)
            else:
                found.append(record)
        return found

    def put(self, key: str, about: dict[str, Any]) -> None:
        """Write the record of this key, in place of an older one."""
        name = self._name(key)
        value = {"about": about, "lasts_seconds": self._lasts_seconds}
        while not self._records.create(name, value, [self._kind]):
            if record := self._records.read(name):
                if record.value == value and record.age_seconds < SAME_WRITE_SECONDS:
                    return  # the answer to our own create was lost on its way
                self._records.delete(record.record_id)

    def renew(self, key: str) -> None:
        """Let the record of this key count as long again, if there is one."""
        if record := self._records.read(self._name(key)):
            self._records.rewrite(record.record_id, record.value)

    def remove(self, key: str) -> None:
        """Delete the record of this key, if there is one."""
        if record := self._records.read(self._name(key)):
            self._records.delete(record.record_id)

    def _name(self, key: str) -> str:
        return _variable_name(self._kind, key)


def _variable_name(kind: str, key: str) -> str:
    """A name that the server accepts: readable as far as it goes, and different for every key."""
    readable = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")[:60]
    return f"{kind}-{readable}-{sha256(key.encode()).hexdigest()[:16]}"


def _this_process() -> str:
    """Who holds a lock, in words."""
    process = f"process {os.getpid()} on {socket.gethostname()}"
    return f"flow run {flow_run.id} ({process})" if flow_run.id else process
