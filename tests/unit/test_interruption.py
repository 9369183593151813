"""Work in a thread ends at its next wait or call, once, and only if it was asked to."""

from __future__ import annotations

import ast
import threading
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import httpx
import pytest

from flinkglue.clock import SystemClock
from flinkglue.clock.interruption import (
    Interrupted,
    Interruption,
    acquire,
    calling,
    interrupted_by,
    one_step,
    raise_if_interrupted,
)
from flinkglue.flink.api.rest import FlinkRestClient
from flinkglue.glue.api.boto3_clients import boto3_clients
from flinkglue.glue.coordination.lock import InProcessLocks
from flinkglue.lifecycle.journal.claims import in_a_thread
from flinkglue.polling import wait_until

LONG = 60.0
"""Nobody waits that long: the test would take longer than all others together."""


def sleeps() -> None:
    SystemClock().sleep(LONG)


def sleeps_unless_woken() -> None:
    SystemClock().sleep_unless(threading.Event(), LONG)


def waits_until() -> None:
    wait_until(lambda: 0, bool, waited_for="nothing", deadline_seconds=LONG)


def waits_for_a_lock() -> None:
    held = threading.Lock()
    held.acquire()
    acquire(held, LONG)


def waits_for_a_thread() -> None:
    locks = InProcessLocks()
    with locks.hold("job"), locks.hold("job", LONG):
        pass


WAITS = [sleeps, sleeps_unless_woken, waits_until, waits_for_a_lock, waits_for_a_thread]


def interrupted_in(work: Callable[[], None], interruption: Interruption) -> list[str]:
    """What the work raised in a thread that was interrupted while it waited."""
    raised: list[str] = []

    def run() -> None:
        try:
            with interrupted_by(interruption):
                work()
        except Interrupted as error:
            raised.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.05)
    interruption.request(Interrupted("enough"))
    thread.join(5)
    assert not thread.is_alive()
    return raised


@pytest.mark.parametrize("work", WAITS)
def test_every_wait_ends_early(work: Callable[[], None]) -> None:
    assert interrupted_in(work, Interruption()) == ["enough"]


@pytest.mark.parametrize("work", WAITS)
def test_a_wait_that_begins_later_does_not_begin(work: Callable[[], None]) -> None:
    interruption = Interruption()
    interruption.request(Interrupted("enough"))
    with interrupted_by(interruption), pytest.raises(Interrupted, match="enough"):
        work()


def test_it_is_raised_once_so_that_the_way_out_may_wait() -> None:
    interruption = Interruption()
    interruption.request(Interrupted("enough"))
    with interrupted_by(interruption):
        with pytest.raises(Interrupted):
            SystemClock().sleep(LONG)
        assert not interruption.is_pending
        SystemClock().sleep(0.01)
        SystemClock().sleep_unless(threading.Event(), 0.01)


def test_it_is_raised_at_every_wait_when_the_work_may_not_go_on() -> None:
    interruption = Interruption()
    interruption.request(Interrupted("enough"))
    interruption.request(Interrupted("now"), again=True)
    with interrupted_by(interruption):
        for _ in range(3):
            with pytest.raises(Interrupted, match="now"):
                SystemClock().sleep(LONG)


class Suspended(Interrupted):
    may_wait = True


@pytest.mark.parametrize(
    ("error", "got_to"), [(Suspended, ["in it", "after it"]), (Interrupted, ["in it"])]
)
def test_work_that_is_suspended_finishes_its_step_and_work_that_is_cancelled_does_not(
    error: type[Interrupted], got_to: list[str]
) -> None:
    interruption, reached = Interruption(), list[str]()

    def work() -> None:
        with one_step():
            reached.append("in it")
            SystemClock().sleep(0.3)
            SystemClock().sleep_unless(threading.Event(), 0.01)
            raise_if_interrupted()
            reached.append("after it")
        SystemClock().sleep(LONG)

    interruption_of = threading.Timer(0.1, lambda: interruption.request(error("enough")))
    interruption_of.start()
    with interrupted_by(interruption), pytest.raises(error):
        work()
    assert reached == got_to
    assert not interruption.is_pending


def test_a_step_of_work_that_was_suspended_before_does_not_begin() -> None:
    interruption = Interruption()
    interruption.request(Suspended("enough"))
    with interrupted_by(interruption), pytest.raises(Suspended), one_step():
        raise AssertionError("it began")


def test_a_cancel_ends_a_step_that_a_suspension_left_alone() -> None:
    interruption = Interruption()

    def work() -> None:
        with one_step():
            interruption.request(Suspended("suspended"))
            assert not interruption.is_pending
            SystemClock().sleep(0.01)
            interruption.request(Interrupted("cancelled"))
            SystemClock().sleep(LONG)

    with interrupted_by(interruption), pytest.raises(Interrupted, match="cancelled"):
        work()
    with one_step():
        """Nothing that could end it, as in a process of its own."""


def test_other_threads_are_not_interrupted() -> None:
    """Such as those that renew leases: they have no part of the work's context."""
    interruption = Interruption()
    interruption.request(Interrupted("enough"))
    slept = threading.Event()
    with interrupted_by(interruption):
        thread = threading.Thread(target=lambda: (SystemClock().sleep(0.01), slept.set()))
        thread.start()
        thread.join()
    assert slept.is_set()


def test_a_claim_is_not_renewed_for_work_that_may_not_go_on() -> None:
    """It may hang in a call for long, while another process is to have the job."""
    interruption, renewals = Interruption(), []
    with interrupted_by(interruption):
        stop = in_a_thread(lambda: renewals.append(1) is None, 0.01)
    time.sleep(0.1)
    interruption.request(Interrupted("cancelled"))
    time.sleep(0.1)
    before = len(renewals)
    time.sleep(0.1)
    assert len(renewals) > before > 0, "its way out still needs the job"
    interruption.request(Interrupted("now"), again=True)
    time.sleep(0.1)
    before = len(renewals)
    time.sleep(0.1)
    assert len(renewals) == before
    stop()


def calls_flink() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={}))
    with FlinkRestClient("http://flink:8081", transport=transport) as client:
        client.overview()


def calls_glue() -> None:
    session = boto3.Session("an-id", "a-key", region_name="eu-west-1")
    boto3_clients(session, {"endpoint_url": "http://192.0.2.1"}).glue.get_job(JobName="job")


@pytest.mark.parametrize("call", [calls_flink, calls_glue])
def test_no_call_is_made_any_more(call: Callable[[], None]) -> None:
    interruption = Interruption()
    interruption.request(Interrupted("enough"))
    with interrupted_by(interruption), pytest.raises(Interrupted, match="enough"):
        call()


def test_work_gets_on_while_it_is_in_a_call_and_a_moment_after_its_last() -> None:
    interruption = Interruption()
    with interrupted_by(interruption):
        with calling():
            time.sleep(0.02)
            assert interruption.is_active(within_seconds=0.01)
        assert interruption.is_active(within_seconds=LONG)
        time.sleep(0.02)
        assert not interruption.is_active(within_seconds=0.01), "it computes"
        raise_if_interrupted()
        assert interruption.is_active(within_seconds=LONG)
    with calling():
        """Nothing that could end, as in a process of its own."""


REPOSITORY = Path(__file__).parents[2]
OWN_THREADS = {
    "src/flinkglue/clock/__init__.py",
    "src/flinkglue/clock/interruption.py",
    "src/flinkglue/lifecycle/journal/claims.py",  # the thread that renews a claim
    "src/flinkglue/prefect/store/variable_locks.py",  # the thread that renews a lock
}


def test_whatever_runs_in_flow_runs_waits_by_the_clock() -> None:
    """A time.sleep, or a lock with a time-out, would not notice a cancellation."""
    found = []
    for folder in ("src", "flows"):
        for file in sorted((REPOSITORY / folder).rglob("*.py")):
            name = str(file.relative_to(REPOSITORY))
            if name in OWN_THREADS or name.startswith("src/flinkglue/prefect/worker/"):
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    call = ast.unparse(node.func)
                    timed = [word.arg for word in node.keywords if word.arg == "timeout"]
                    if call == "time.sleep" or (node.func.attr in ("acquire", "wait") and timed):
                        found.append(f"{name}:{node.lineno} {call}")
    assert not found
