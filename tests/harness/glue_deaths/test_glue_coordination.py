"""Locks, reservations and cooldowns of Glue flow runs: a Prefect server and killed processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, PREFECT_HOME

from flinkglue.errors import CallFailed, ServiceUnavailable
from flinkglue.glue.coordination.claims import Claims, Reservation
from flinkglue.glue.coordination.cool_downs import CoolDowns
from flinkglue.glue.models import Connection, CoolDown, Group, Subnet
from flinkglue.glue.placement.knowledge import knowledge_for
from flinkglue.glue.placement.ranking import rank
from flinkglue.glue.placement.strategies import STRATEGIES
from flinkglue.prefect.store.server_records import ServerRecords, server_records
from flinkglue.prefect.store.variable_locks import VariableLocks

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def prefect_server(prefect_files: list[Path]) -> None:
    """The server that all tests here share."""


@pytest.fixture
def records(prefect_server: None) -> Iterator[ServerRecords]:
    with server_records() as opened:
        yield opened


@pytest.fixture
def name() -> str:
    """A lock that no other scenario uses."""
    return f"job {uuid4()}"


@contextmanager
def other_process(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.harness.glue_deaths.glue_lock_holder", *map(str, arguments)],
        cwd=REPOSITORY,
        env={
            "PREFECT_API_URL": str(PREFECT_API_URL.value()),
            "PREFECT_HOME": str(PREFECT_HOME.value()),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def says(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def still_holds(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None
    process.stdin.write("?\n")
    process.stdin.flush()
    return says(process)


def test_fifty_contenders_in_five_processes_hold_the_lock_one_at_a_time(
    prefect_server: None, name: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        processes = [
            stack.enter_context(other_process("contend", name, 10, tmp_path / "inside"))
            for _ in range(5)
        ]
        waits = [float(says(process)) for process in processes for _ in range(10)]
        assert [process.wait(timeout=300) for process in processes] == [0] * 5
    assert len(waits) == 50
    assert max(waits) < 120, "nobody waits for a slow poll"


def test_the_lock_of_a_killed_holder_is_free_when_its_lease_runs_out(
    records: ServerRecords, name: str
) -> None:
    with other_process("hold", name, 3) as holder:
        assert says(holder) == "held"
        with (
            pytest.raises(ServiceUnavailable, match=rf"held by process {holder.pid}"),
            VariableLocks(records).hold(name, within_seconds=0.5),
        ):
            pytest.fail("two hold the lock")
        holder.send_signal(signal.SIGKILL)
        killed_at = time.monotonic()
        with VariableLocks(records, wait_seconds=60).hold(name) as lock:
            lock.check()
        assert time.monotonic() - killed_at < 25, "less than the lease of those who wait"


def test_a_holder_that_lives_keeps_the_lock_however_long_it_takes(
    records: ServerRecords, name: str
) -> None:
    with other_process("hold", name, 5) as holder:
        assert says(holder) == "held"
        with (
            pytest.raises(ServiceUnavailable, match="within 8 s"),
            VariableLocks(records, wait_seconds=8).hold(name),
        ):
            pytest.fail("two hold the lock")
        assert still_holds(holder) == "held"


def test_a_holder_that_was_frozen_learns_that_it_lost_the_lock(
    records: ServerRecords, name: str
) -> None:
    with other_process("hold", name, 2) as holder:
        assert says(holder) == "held"
        holder.send_signal(signal.SIGSTOP)
        with VariableLocks(records, wait_seconds=30).hold(name) as lock:
            holder.send_signal(signal.SIGCONT)
            assert still_holds(holder) == "lost"
            lock.check()
        assert still_holds(holder) == "lost"


class NoRenewals(httpx.HTTPTransport):
    """The network is gone after the lock was taken."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH":
            raise httpx.ConnectError("no route to the server", request=request)
        return super().handle_request(request)


@contextmanager
def over(transport: httpx.BaseTransport) -> Iterator[ServerRecords]:
    url = str(PREFECT_API_URL.value())
    with SyncPrefectClient(url, httpx_settings={"transport": transport}) as client:
        yield ServerRecords(client)


def test_a_holder_that_cannot_reach_the_server_stops_before_others_may_start(
    prefect_server: None, name: str
) -> None:
    with over(NoRenewals()) as cut_off, VariableLocks(cut_off, lease_seconds=6).hold(name) as lock:
        lock.check()
        time.sleep(5.2)
        with pytest.raises(ServiceUnavailable, match="the lease ran out"):
            lock.check()


class SilentUntil(httpx.HTTPTransport):
    """The server cannot be reached by renewals until the event; then the next one is done."""

    def __init__(self, reached: threading.Event) -> None:
        super().__init__()
        self._reached = reached
        self.renewed = threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "PATCH":
            return super().handle_request(request)
        if not self._reached.is_set():
            raise httpx.ConnectError("no route to the server", request=request)
        answer = super().handle_request(request)
        answer.read()
        self.renewed.set()
        return answer


def test_a_lock_that_is_renewed_while_another_breaks_it_has_one_holder(
    prefect_server: None, name: str
) -> None:
    """The other saw it run out; then the server writes the late renewal; then it is deleted."""
    transport = SilentUntil(reached := threading.Event())
    with (
        over(transport) as silent,
        VariableLocks(silent, lease_seconds=2).hold(name) as lock,
        other_process("break", name, 60) as other,
    ):
        assert says(other) == "breaking"
        reached.set()
        assert transport.renewed.wait(60)
        assert still_holds(other) == "held"
        with pytest.raises(ServiceUnavailable, match="the lease ran out"):
            lock.check()
        assert still_holds(other) == "held"


class AnswersLost(httpx.HTTPTransport):
    """The server does what it is asked; the first answer to each kind of write does not arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: Counter[str] = Counter()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        written = request.method in ("POST", "DELETE") and "filter" not in request.url.path
        if written and not self.lost[request.method]:
            answer.read()
            self.lost[request.method] += 1
            raise httpx.ReadError("the connection was closed", request=request)
        return answer


@pytest.fixture
def unlucky_records(prefect_server: None) -> Iterator[ServerRecords]:
    transport = AnswersLost()
    client = SyncPrefectClient(
        str(PREFECT_API_URL.value()), httpx_settings={"transport": transport}
    )
    with client:
        yield ServerRecords(client)
    assert transport.lost == {"POST": 1, "DELETE": 1}


def test_a_lock_is_held_and_released_once_although_the_answers_were_lost(
    unlucky_records: ServerRecords, records: ServerRecords, name: str
) -> None:
    with VariableLocks(unlucky_records, wait_seconds=10).hold(name) as lock:
        lock.check()
    with VariableLocks(records, wait_seconds=0.5).hold(name):
        pass


def reservation(run_key: str, addresses: int = 5, subnet_id: str = "subnet-a") -> Reservation:
    return Reservation(run_key, "job", "connection-a", subnet_id, "us-east-1a", addresses)


@pytest.fixture
def claims(records: ServerRecords) -> Iterator[Claims]:
    """Empty: other scenarios' runs may have been killed before they were seen running."""
    opened = Claims(records, VariableLocks(records))
    forget_all(opened)
    yield opened
    forget_all(opened)


def forget_all(claims: Claims) -> None:
    for each in claims.reservations():
        claims.release(each.reservation_id)


def test_a_reservation_counts_for_all_until_it_is_released(
    claims: Claims, records: ServerRecords
) -> None:
    reserved = claims.reserve(reservation("run/1"))
    elsewhere = Claims(records, VariableLocks(records))
    assert elsewhere.reservations() == [reserved]
    elsewhere.release(reserved.reservation_id)
    elsewhere.release(reserved.reservation_id)
    assert claims.reservations() == []


def test_a_run_has_one_reservation_the_last(claims: Claims) -> None:
    claims.reserve(reservation("run/1", 5))
    claims.reserve(reservation("run/1", 7, "subnet-b"))
    assert claims.reservations() == [reservation("run/1", 7, "subnet-b")]


def test_a_reservation_that_nobody_renews_expires(claims: Claims, records: ServerRecords) -> None:
    claims = Claims(records, VariableLocks(records), reserved_for_seconds=6)
    kept, left = claims.reserve(reservation("kept")), claims.reserve(reservation("left"))
    for _ in range(4):
        time.sleep(2)
        assert claims.renew(kept.reservation_id)
    assert claims.reservations() == [kept]
    assert not claims.renew(left.reservation_id)
    assert claims.reservations() == [kept]
    claims.release(kept.reservation_id)


def test_a_cool_down_is_seen_by_all_and_ends_by_itself(records: ServerRecords) -> None:
    cool_down = CoolDown("connection-a", "subnet-of-cool-down", "Could not find subnet for AZ")
    CoolDowns(records, cool_down_seconds=5).start(cool_down)
    assert cool_down in CoolDowns(records).live()
    CoolDowns(records, cool_down_seconds=1).start(replace(cool_down, evidence="again"))
    give_up_at = time.monotonic() + 60
    while {"again", cool_down.evidence} & {c.evidence for c in CoolDowns(records).live()}:
        assert time.monotonic() < give_up_at, "it never ends"
        time.sleep(0.5)
    [recent] = [c for c in CoolDowns(records).recent() if c.subnet_id == "subnet-of-cool-down"]
    assert (recent.evidence, len(recent.failed_at)) == ("again", 2)
    assert recent.failed_at[0] <= recent.failed_at[1] <= datetime.now(UTC)


def test_evidence_as_long_as_a_stack_trace_is_cut_to_what_the_server_takes(
    records: ServerRecords,
) -> None:
    cool_downs = CoolDowns(records, cool_down_seconds=0)
    cool_downs.start(CoolDown("connection-a", "subnet-a", "Caused by: " * 2000))


def test_runs_that_start_together_never_reserve_more_than_a_subnet_has(
    claims: Claims,
) -> None:
    """Twelve runs of 5 addresses, and room for exactly twelve: each gets a subnet of its own."""
    rooms = {"subnet-a": 32, "subnet-b": 15, "subnet-c": 17}  # holds 6, 3 and 3 runs of 5

    def place(number: int) -> Group:
        with claims.placing("us-east-1") as lock:
            knowledge = knowledge_for(f"run/{number}", claims.reservations())
            ranking = rank(
                [connection(subnet_id, free) for subnet_id, free in rooms.items()],
                5,
                STRATEGIES["random"],
                number,
                strategy_name="random",
                knowledge=knowledge,
            )
            first = ranking.connections[0]
            lock.check()
            claims.reserve(reservation(f"run/{number}", 5, str(first.subnet_id)))
        return first.group

    with ThreadPoolExecutor(12) as pool:
        groups = list(pool.map(place, range(12)))
    assert groups == [Group.GOOD] * 12
    reserved: Counter[str] = Counter()
    for each in claims.reservations():
        reserved[each.subnet_id] += each.addresses
    assert reserved == {"subnet-a": 30, "subnet-b": 15, "subnet-c": 15}


def connection(subnet_id: str, free: int) -> Connection:
    subnet = Subnet(subnet_id, "vpc-1", "us-east-1a", "10.0.0.0/24", free, "available")
    return Connection(subnet_id, subnet_id, subnet, "NETWORK")


def test_records_on_several_pages_are_all_read_while_others_are_deleted(
    records: ServerRecords,
) -> None:
    tag = f"many-{uuid4()}"
    ids = [records.create(f"{tag}-{n:03}", {"n": n}, [tag]) for n in range(240)]
    doomed, kept = ids[:30], set(ids[30:])
    stop = threading.Event()

    def delete() -> None:
        with server_records() as own:
            for record_id in doomed:
                own.delete(str(record_id))
        stop.set()

    deleting = threading.Thread(target=delete)
    deleting.start()
    while not stop.is_set():
        assert kept <= {record.record_id for record in records.tagged(tag)}
    deleting.join()
    assert {record.record_id for record in records.tagged(tag)} == kept
    for record_id in kept:
        records.delete(str(record_id))


def test_a_server_that_refuses_is_an_error_with_its_own_words(records: ServerRecords) -> None:
    too_long: Any = {"text": "x" * 6000}
    with pytest.raises(CallFailed, match="Variable value must be less than 5000 characters"):
        records.create("too-long", too_long, [])
