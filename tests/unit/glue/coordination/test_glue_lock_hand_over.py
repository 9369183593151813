"""A lock that the threads of one process hand on, instead of taking it from the server each."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from flinkglue.clock import Pace, SystemClock, elapsed_seconds
from flinkglue.clock.interruption import Interrupted, Interruption, interrupted_by
from flinkglue.errors import ServiceUnavailable
from flinkglue.lease import Lease
from flinkglue.polling import polls_for
from flinkglue.prefect.store.lock_gate import LockGate
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.store.variable_locks import (
    HANDED_ON_FOR_SECONDS,
    TRIES_LEFT,
    VariableLock,
    VariableLocks,
    pause_seconds,
)
from flinkglue.records import record_name
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import FakeVariables, WireClient

NAME = "placement in eu-west-1"
RECORD = record_name("glue-lock", NAME)
SECONDS = 20.0


class Process:
    """The threads of a process with one client, and the server."""

    def __init__(self) -> None:
        self.server = FakeVariables(Clock())
        self._answering = threading.Lock()
        self.client = self.shared_client()
        self.holders: list[str] = []
        self._threads: list[threading.Thread] = []

    def shared_client(self) -> WireClient:
        """As a thread worker has one for all its flow runs."""
        client = self.server.client(self._one_call_at_a_time)
        client.is_kept_open = True  # type: ignore[attr-defined]
        return client

    def locks(
        self, client: WireClient | None = None, turn_seconds: float = HANDED_ON_FOR_SECONDS
    ) -> VariableLocks:
        records = ServerRecords(client or self.client)  # type: ignore[arg-type]
        return VariableLocks(records, handed_on_for_seconds=turn_seconds)

    def elsewhere(self) -> VariableLocks:
        """Those of another process, whose threads queue apart."""
        records = ServerRecords(self.shared_client())  # type: ignore[arg-type]
        return VariableLocks(records, gates=defaultdict(LockGate))

    def _one_call_at_a_time(self, what: str, call: Callable[[], Any]) -> Any:
        """As the server's database handles them."""
        with self._answering:
            return call()

    def begin(self, work: Callable[[], Any]) -> None:
        thread = threading.Thread(target=work)
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive()

    @property
    def calls(self) -> Counter[str]:
        return Counter(request.split("/")[0].strip() for request in self.server.requests)

    @property
    def is_held(self) -> bool:
        return any(row["name"] == RECORD for row in self.server.rows.values())


@pytest.fixture
def process() -> Iterator[Process]:
    process = Process()
    yield process
    process.join()
    assert not process.is_held, "the lock is left to its lease"


@contextmanager
def others_wait(process: Process, threads: int, work: Callable[[int], None]) -> Iterator[None]:
    """Hold the lock until so many threads wait for it."""
    began = threading.Semaphore(0)

    def wait(number: int) -> None:
        began.release()
        work(number)

    with process.locks().hold(NAME):
        for number in range(threads):
            process.begin(lambda number=number: wait(number))  # type: ignore[misc]
        for _ in range(threads):
            assert began.acquire(timeout=SECONDS)
        threading.Event().wait(0.2)  # they are at the lock
        yield


def test_threads_that_wait_have_the_lock_one_after_the_other_for_two_calls(
    process: Process,
) -> None:
    inside, most = [0], [0]

    def work(number: int) -> None:
        with process.locks().hold(NAME) as lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            lock.check()
            threading.Event().wait(0.01)
            inside[0] -= 1

    with others_wait(process, 9, work):
        pass
    process.join()
    assert most == [1]
    assert process.calls == {"POST": 1, "DELETE": 1}


def test_a_lock_that_nobody_waits_for_any_more_is_released(process: Process) -> None:
    """The one that it was handed on for was cancelled, or its time was over."""
    interruption, gave_up = Interruption(), threading.Semaphore(0)

    def cancelled(number: int) -> None:
        with (
            interrupted_by(interruption),
            pytest.raises(Interrupted),
            process.locks().hold(NAME),
        ):
            pass
        gave_up.release()

    def too_late(number: int) -> None:
        with (
            pytest.raises(ServiceUnavailable, match="another thread of this process"),
            process.locks().hold(NAME, within_seconds=0.3),
        ):
            pass
        gave_up.release()

    with others_wait(process, 1, cancelled):
        interruption.request(Interrupted())
        assert gave_up.acquire(timeout=SECONDS)
        process.begin(lambda: too_late(0))
        assert gave_up.acquire(timeout=SECONDS)
    process.join()
    assert not process.is_held
    with process.locks().hold(NAME):
        assert process.is_held


def test_a_thread_with_another_client_takes_the_lock_itself(process: Process) -> None:
    """That of the thread before goes on to be used."""

    def work(number: int) -> None:
        with process.locks(process.shared_client()).hold(NAME) as lock:
            lock.check()

    with others_wait(process, 1, work):
        pass
    process.join()
    assert process.calls == {"POST": 2, "DELETE": 2}


def test_a_lock_whose_client_may_be_closed_at_any_moment_is_not_handed_on(
    process: Process,
) -> None:
    """A task in a thread of its own has a client of its own, and closes it when it has ended."""
    client = Closing()

    def work(number: int) -> None:
        with process.locks().hold(NAME) as lock:
            lock.check()

    with process.locks(process.server.client(client)).hold(NAME):
        process.begin(lambda: work(0))
        threading.Event().wait(0.2)
    client.is_closed = True
    process.join()
    assert process.calls == {"POST": 2, "DELETE": 2}


class Closing:
    """A client that may be closed."""

    def __init__(self) -> None:
        self.is_closed = False

    def __call__(self, what: str, call: Callable[[], Any]) -> Any:
        if self.is_closed:
            raise RuntimeError("Cannot send a request, as the client has been closed.")
        return call()


def test_a_lock_that_was_lost_is_not_handed_on(process: Process) -> None:
    """Somebody deleted its record, as after a lease that ran out: the next one takes it anew."""
    held: list[bool] = []

    def work(number: int) -> None:
        with process.locks().hold(NAME) as lock:
            lock.check()
            held.append(process.is_held)

    locks = VariableLocks(ServerRecords(process.client), lease_seconds=0.6)  # type: ignore[arg-type]
    with locks.hold(NAME):
        process.begin(lambda: work(0))
        process.server.remove(RECORD)
        for _ in polls_for(SECONDS, Pace(first_seconds=0.1), SystemClock()):
            if process.calls["PATCH"]:
                break
        threading.Event().wait(0.2)
    process.join()
    assert held == [True]


def test_a_busy_process_leaves_the_lock_to_others_when_its_turn_is_over(process: Process) -> None:
    """All its threads place runs without a break, and one of another process waits."""
    served, is_over = Counter[str](), threading.Event()

    def busy() -> None:
        locks = process.locks(turn_seconds=0.3)
        while not is_over.is_set():
            with locks.hold(NAME):
                served["busy"] += 1
                threading.Event().wait(0.02)

    def other() -> None:
        try:
            for _ in range(5):
                with process.elsewhere().hold(NAME, within_seconds=2):
                    served["other"] += 1
                threading.Event().wait(0.05)
        finally:
            is_over.set()

    for _ in range(4):
        process.begin(busy)
    assert eventually(lambda: served["busy"] > 0)
    process.begin(other)
    process.join()
    assert served["other"] == 5, "the other process had no turn"
    assert served["busy"] >= 10, "the threads hand the lock on meanwhile"


def test_a_process_that_nobody_disturbs_is_quiet_for_a_small_part_of_its_time() -> None:
    """It cannot know whether others wait; with an answer after 10 ms a turn of 5 s costs 0.7 s."""
    assert HANDED_ON_FOR_SECONDS <= 5, "docs/how-to/warm-worker.md says so"
    assert TRIES_LEFT * pause_seconds(0.01) <= 0.15 * HANDED_ON_FOR_SECONDS


def test_whoever_is_handed_a_lock_may_work_as_long_as_the_one_before(process: Process) -> None:
    """The time of its work begins when it has the lock."""
    records = ServerRecords(process.client)  # type: ignore[arg-type]
    value = {"lock": NAME, "holder": "a thread", "token": "t", "lease_seconds": 30.0}
    record_id = records.create(RECORD, value, ["glue-lock"])
    assert record_id
    taken_at = elapsed_seconds() - 3
    lease = Lease.taken(30.0, taken_at, works_for_seconds=4, kept_for_seconds=60)
    lock = VariableLock(records, NAME, record_id, value, lease)
    assert lock.hand_on(records)
    threading.Event().wait(1.2)
    lock.check()
    lock.release()


def eventually(happened: Callable[[], bool]) -> bool:
    return any(happened() or threading.Event().wait(0.01) for _ in range(1000))
