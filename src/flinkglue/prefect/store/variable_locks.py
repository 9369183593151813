"""Locks that all Glue flow runs share through the Prefect server.

No lock outlives its lease: what a killed process held is free again after it.
"""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from uuid import uuid4

from prefect.logging import get_logger

from flinkglue.clock import SystemClock, elapsed_seconds
from flinkglue.errors import CallFailed, ServiceUnavailable
from flinkglue.glue.coordination.lock import KEPT_FOR_SECONDS, WORKS_FOR_SECONDS
from flinkglue.lease import Lease, Unchanged, has_run_out
from flinkglue.prefect.store.lease_setting import lease_seconds_in, this_holder
from flinkglue.prefect.store.lock_gate import LockGate
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.records import record_name

LEASE_SECONDS = lease_seconds_in("GLUE_LOCK_LEASE_SECONDS", 30.0)
WAIT_SECONDS = 900.0
ADVICE = (
    "Nothing was started. Run the flow again later; if always the same holder is named, check "
    "its flow run: a holder that died loses the lock by itself."
)
FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS = 0.1, 5.0
LATENCIES_PER_PAUSE = 25
"""Each contender is quiet for so many times as long as its last call took, so that however many
there are, the server is hardly kept busy by those that wait."""

Gates = defaultdict[str, LockGate["VariableLock"]]
_gates: Gates = defaultdict(LockGate)
_LIMITS = {"works_for_seconds": WORKS_FOR_SECONDS, "kept_for_seconds": KEPT_FOR_SECONDS}
HANDED_ON_FOR_SECONDS = 5.0
"""How long the threads of one process hand a lock on before other processes have their turn."""
TRIES_LEFT = 2
"""The turn of others lasts for so many of their longest pauses, if their calls take as long as the
last one here."""


class VariableLocks:
    """Locks by name, each a Variable while it is held.

    Args:
        lease_seconds: After how long without a sign of life a holder has lost the lock.
        wait_seconds: How long to wait for a lock, unless its taker says how long.
        handed_on_for_seconds: How long the threads of this process hand a lock on.
        gates: Where the threads of this process queue.
    """

    def __init__(
        self,
        records: ServerRecords,
        lease_seconds: float = LEASE_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
        handed_on_for_seconds: float = HANDED_ON_FOR_SECONDS,
        gates: Gates = _gates,
    ) -> None:
        self._records = records
        self._handed_on_for_seconds = handed_on_for_seconds
        self._gates = gates
        self._lease_seconds = lease_seconds
        self._wait_seconds = wait_seconds

    @contextmanager
    def hold(self, name: str, within_seconds: float | None = None) -> Iterator[VariableLock]:
        """Hold the lock of this name while the block runs.

        Raises:
            ServiceUnavailable: Others held it all the time.
        """
        at = record_name("glue-lock", name)
        wait_seconds = self._wait_seconds if within_seconds is None else within_seconds
        give_up_at = elapsed_seconds() + wait_seconds
        gate = self._gates[at]  # of all threads here, one at a time calls the server
        if not gate.enter(wait_seconds):
            raise _too_late(name, "another thread of this process", wait_seconds)
        try:
            lock = gate.handed_on(lambda left: left.hand_on(self._records))
            if lock is None:
                left_seconds = max(0.0, give_up_at - elapsed_seconds())
                SystemClock().sleep(min(gate.others_turn_seconds(), left_seconds))
                lock = self._acquire(name, at, give_up_at, wait_seconds)
            try:
                yield lock
            finally:
                gate.hand_on_or_release(lock)
        finally:
            gate.leave()

    def _acquire(self, name: str, at: str, give_up_at: float, wait_seconds: float) -> VariableLock:
        rng = Random()
        value = {
            "lock": name,
            "holder": this_holder(),
            "token": str(uuid4()),
            "lease_seconds": self._lease_seconds,
        }
        unchanged = Unchanged()
        not_ours_at = elapsed_seconds()  # the last time that the lock was not ours for certain
        while True:
            sent_at = elapsed_seconds()
            if record_id := self._records.create(at, value, ["glue-lock"]):
                lease = Lease.taken(self._lease_seconds, sent_at, **_LIMITS)
                call_seconds = elapsed_seconds() - sent_at
                return self._taken(name, record_id, value, lease, call_seconds)
            while found := self._records.read(at):
                answered_at = elapsed_seconds()
                if found.value["token"] == value["token"]:  # the answer to a create was lost
                    lease = Lease.taken(self._lease_seconds, not_ours_at, **_LIMITS)
                    call_seconds = answered_at - sent_at
                    return self._taken(name, found.record_id, value, lease, call_seconds)
                version = (found.record_id, found.dated)
                seconds = unchanged.seconds(version, sent_at, answered_at)
                if has_run_out(seconds, found.value["lease_seconds"]):
                    self._records.delete(found.record_id)
                    break
                if answered_at > give_up_at:
                    raise _too_late(name, found.value["holder"], wait_seconds)
                not_ours_at = sent_at
                pause = pause_seconds(answered_at - sent_at, give_up_at - answered_at)
                SystemClock().sleep(pause * rng.uniform(0.5, 1))
                sent_at = elapsed_seconds()

    def _taken(
        self, name: str, record_id: str, value: dict[str, Any], lease: Lease, call_seconds: float
    ) -> VariableLock:
        turn = Turn(self._handed_on_for_seconds, TRIES_LEFT * pause_seconds(call_seconds))
        return VariableLock(self._records, name, record_id, value, lease, turn)


@dataclass(frozen=True)
class Turn:
    """That of one process at a lock.

    Args:
        lasts_seconds: How long its threads hand the lock on.
        yields_for_seconds: How long they leave it to others when it lasted that long.
    """

    lasts_seconds: float = HANDED_ON_FOR_SECONDS
    yields_for_seconds: float = 0.0


class VariableLock:
    """A lock that is held; a thread renews it until it is released or the process ends."""

    def __init__(
        self,
        records: ServerRecords,
        name: str,
        record_id: str,
        value: dict[str, Any],
        lease: Lease,
        turn: Turn = Turn(),
    ) -> None:
        self._records = records
        self._name = name
        self._record_id = record_id
        self._value = value
        self._lease = lease
        self._turn = turn
        self._first_taken_at = lease.taken_at
        self.kept: dict[str, Any] = {}
        self._changing = threading.Lock()
        self._released = threading.Event()
        threading.Thread(target=self._keep, name="glue-lock", daemon=True).start()

    def may_be_handed_on(self) -> bool:
        """Whether another thread may have it without a call.

        It is renewed and released with the client that took it, which must stay open for that.
        """
        now = elapsed_seconds()
        is_held = self._lease.is_known_held(now)
        return is_held and not self._is_others_turn(now) and self._records.is_kept_open

    def yields_for_seconds(self) -> float:
        """How long this process leaves the lock to others; 0: its turn is not over."""
        return self._turn.yields_for_seconds if self._is_others_turn(elapsed_seconds()) else 0.0

    def _is_others_turn(self, now: float) -> bool:
        return now - self._first_taken_at > self._turn.lasts_seconds

    def hand_on(self, records: ServerRecords) -> bool:
        """Begin another holder's time; False: it has another client, or the lease ran out."""
        if not self._records.is_of_the_client_of(records) or not self.may_be_handed_on():
            return False
        self._change(lambda lease: replace(lease, taken_at=elapsed_seconds()))
        self._value = {**self._value, "holder": this_holder()}
        return True

    def _change(self, change: Callable[[Lease], Lease]) -> None:
        with self._changing:
            self._lease = change(self._lease)

    def check(self) -> None:
        """Return only while the lock is held.

        Raises:
            ServiceUnavailable: The lease may have run out.
        """
        if not self._lease.is_known_held(elapsed_seconds()):
            raise ServiceUnavailable(
                "Prefect",
                "renew lock",
                self._name,
                "the lease ran out, because this process, the Prefect server or a service that "
                "was called under the lock did not answer",
                advice="run it again; nothing was started",
            )

    def release(self) -> None:
        """Let the next one have it. A failure is left to the lease, which ends it too."""
        self._released.set()
        try:
            self._records.delete(self._record_id)
        except CallFailed as error:
            get_logger("glue").warning(
                "The lock %s stays until its lease ends: %s", self._name, error
            )

    def _keep(self) -> None:
        while not self._released.wait(self._lease.lease_seconds / 3):
            sent_at = elapsed_seconds()
            if not self._lease.is_to_be_renewed(sent_at):
                return
            try:
                if self._records.rewrite(self._record_id, self._value):
                    self._change(lambda lease: lease.renewed(sent_at, elapsed_seconds()))  # noqa: B023
                else:
                    self._change(Lease.lost)
            except CallFailed:
                continue  # `check` notices when it does not get better
            except RuntimeError:
                if self._released.is_set():
                    return  # the block ended meanwhile, and its client was closed
                raise


def pause_seconds(call_seconds: float, left_seconds: float = math.inf) -> float:
    """The longest to be quiet while another holds the lock.

    Args:
        call_seconds: How long the last call took. One that timed out, and was repeated, says
            nothing of how busy the server is: it would be a pause of half an hour.
    """
    pause = FIRST_PAUSE_SECONDS + LATENCIES_PER_PAUSE * call_seconds
    return max(0.0, min(pause, MOST_PAUSE_SECONDS, left_seconds))


def _too_late(name: str, holder: str, wait_seconds: float) -> ServiceUnavailable:
    reason = f"could not acquire the lock within {wait_seconds:g} s, held by {holder}"
    return ServiceUnavailable("Prefect", "take lock", name, reason, advice=ADVICE)
