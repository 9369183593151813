"""Threads that wait for runs share their looks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from flinkglue.clock import Pace
from flinkglue.clock.interruption import Interrupted, Interruption, interrupted_by
from flinkglue.errors import PermissionDenied, Throttled
from flinkglue.glue.api.run_watch import READ_BESIDE_AT_ONCE, RunWatch, Waiter
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import JobRun
from flinkglue.glue.run.wait import watch_run
from flinkglue.glue.run_request import RunRequest
from tests.unit.glue.callbacks import Callbacks
from tests.unit.glue.glue_on_the_wire import Refused, RunsOnTheWire

LOG = logging.getLogger(__name__)
ONCE_IN_A_TEST = Pace(first_seconds=3600, most_seconds=3600)
IN_TIME = 60.0


class ClockByHand:
    """Stands still, and remembers how long it was asked to sleep."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def sleep_unless(self, woken: threading.Event, seconds: float) -> None:
        self.slept.append(0.0 if woken.is_set() else seconds)


@pytest.fixture(scope="module")
def one_wire() -> RunsOnTheWire:
    """The SDK takes its time to make clients."""
    return RunsOnTheWire()


@pytest.fixture
def wire(one_wire: RunsOnTheWire) -> RunsOnTheWire:
    one_wire.runs, one_wire.unlisted, one_wire.calls = {}, set(), []
    one_wire.before = lambda operation, given: None
    return one_wire


@pytest.fixture
def clock() -> ClockByHand:
    return ClockByHand()


@pytest.fixture
def watch(wire: RunsOnTheWire, clock: ClockByHand) -> RunWatch:
    return RunWatch(wire.client, clock)


@pytest.fixture
def wait(watch: RunWatch, clock: ClockByHand) -> Iterator[Callable[[JobRun], Waiter]]:
    """Begins to wait for a run: the first look, which is everybody's own, is made."""
    with ExitStack() as waits:

        def begin(run: JobRun) -> Waiter:
            waiter = waits.enter_context(watch.waiting(run, clock))
            waiter.poll()
            return waiter

        yield begin


Wait = Callable[[JobRun], Waiter]


def always(run: JobRun) -> bool:
    return True


def refuse(operation: str, status: int, code: str) -> Callable[[str, dict[str, Any]], None]:
    def answer(called: str, given: dict[str, Any]) -> None:
        if called == operation:
            raise Refused(status, code)

    return answer


def test_who_waits_alone_asks_for_the_run_alone(wire: RunsOnTheWire, wait: Wait) -> None:
    run = wire.start("job")
    waiter = wait(run)
    wait(wire.start("another job"))
    wire.turn(run, "RUNNING")
    wire.counted()
    assert waiter.poll().state == "RUNNING"
    assert wire.counted() == {"GetJobRun": 1}


def test_one_page_serves_all_who_wait_for_a_job(wire: RunsOnTheWire, wait: Wait) -> None:
    runs = [wire.start("job") for _ in range(30)]
    waiters = [wait(run) for run in runs]
    assert wire.counted() == {"GetJobRun": 30}, "the first look is everybody's own"
    wire.turn(runs[7], "FAILED")
    states = [waiter.poll().state for waiter in waiters]
    assert states == ["STARTING"] * 7 + ["FAILED"] + ["STARTING"] * 22
    assert wire.counted() == {"GetJobRuns": 1}


def test_a_reading_serves_each_waiter_once(wire: RunsOnTheWire, wait: Wait) -> None:
    """Whoever has had the last one and looks again reads anew."""
    first, second = wait(wire.start("job")), wait(wire.start("job"))
    wire.counted()
    for _ in range(3):
        first.poll(), second.poll()
    assert wire.counted() == {"GetJobRuns": 3}


def test_threads_that_look_together_read_once(wire: RunsOnTheWire, wait: Wait) -> None:
    waiters = [wait(wire.start("job")) for _ in range(20)]
    wire.counted()
    together = threading.Barrier(len(waiters))
    second_call = threading.Event()

    def leave_time_for_another(operation: str, given: dict[str, Any]) -> None:
        if len(wire.calls) > 1:
            second_call.set()
        second_call.wait(0.2)

    wire.before = leave_time_for_another

    def look(waiter: Waiter) -> str:
        together.wait(IN_TIME)
        return waiter.poll().state

    with ThreadPoolExecutor(len(waiters)) as pool:
        assert list(pool.map(look, waiters)) == ["STARTING"] * 20
    assert wire.counted() == {"GetJobRuns": 1}


def test_more_runs_than_a_page_holds_take_as_many_pages(wire: RunsOnTheWire, wait: Wait) -> None:
    waiters = [wait(wire.start("job")) for _ in range(450)]
    wire.counted()
    for waiter in waiters:
        waiter.poll()
    assert wire.counted() == {"GetJobRuns": 3}


def test_pages_after_the_last_run_waited_for_are_not_read(wire: RunsOnTheWire, wait: Wait) -> None:
    for _ in range(1000):
        wire.start("job", at=-1)
    waiters = [wait(wire.start("job")) for _ in range(10)]
    wire.counted()
    waiters[0].poll()
    assert wire.counted() == {"GetJobRuns": 1}


def test_a_run_that_the_list_does_not_show_yet_is_asked_for_alone(
    wire: RunsOnTheWire, wait: Wait
) -> None:
    runs = [wire.start("job") for _ in range(3)]
    waiters = [wait(run) for run in runs]
    wire.unlisted.add(runs[2].job_run_id)
    wire.turn(runs[2], "RUNNING")
    wire.counted()
    assert [waiter.poll().state for waiter in waiters] == ["STARTING", "STARTING", "RUNNING"]
    assert wire.counted() == {"GetJobRun": 1, "GetJobRuns": 1}


def test_an_old_run_behind_many_pages_is_asked_for_alone(wire: RunsOnTheWire, wait: Wait) -> None:
    old = wait(wire.start("job", at=-3600))
    for _ in range(1000):
        wire.start("job", at=-1)
    waiters = [old, *(wait(wire.start("job")) for _ in range(5))]
    wire.counted()
    for waiter in waiters:
        waiter.poll()
    assert wire.counted() == {"GetJobRun": 1, "GetJobRuns": 1}


def test_a_reading_that_failed_is_shared_too(wire: RunsOnTheWire, wait: Wait) -> None:
    """A service that throttles is not asked by a thousand waiters one after the other."""
    waiters = [wait(wire.start("job")) for _ in range(10)]
    wire.counted()
    wire.before = refuse("GetJobRuns", 400, "ThrottlingException")
    for waiter in waiters:
        with pytest.raises(Throttled, match="GetJobRuns failed for job job"):
            waiter.poll()
    assert wire.counted() == {"GetJobRuns": 1}
    wire.before = lambda operation, given: None
    assert [waiter.poll().state for waiter in waiters] == ["STARTING"] * 10
    assert wire.counted() == {"GetJobRuns": 1}


def test_who_was_on_the_pages_before_the_failure_is_served(wire: RunsOnTheWire, wait: Wait) -> None:
    waiters = [wait(wire.start("job", at=n)) for n in range(250)]

    def fail_on_the_second_page(operation: str, given: dict[str, Any]) -> None:
        if given.get("NextToken"):
            raise Refused(400, "ThrottlingException")

    wire.before = fail_on_the_second_page
    assert waiters[249].poll().state == "STARTING"
    with pytest.raises(Throttled):
        waiters[0].poll()


def test_who_may_not_list_runs_looks_at_each(wire: RunsOnTheWire, wait: Wait) -> None:
    waiters = [wait(wire.start("job")) for _ in range(3)]
    wire.counted()
    wire.before = refuse("GetJobRuns", 400, "AccessDeniedException")
    for _ in range(2):
        assert [waiter.poll().state for waiter in waiters] == ["STARTING"] * 3
    assert wire.counted() == {"GetJobRun": 6, "GetJobRuns": 1}
    wire.before = refuse("GetJobRun", 400, "AccessDeniedException")
    with pytest.raises(PermissionDenied, match="GetJobRun failed"):
        waiters[0].poll()


def test_an_end_that_was_seen_is_not_taken_back_by_an_older_list(
    wire: RunsOnTheWire, wait: Wait
) -> None:
    runs = [wire.start("job") for _ in range(2)]
    wire.turn(runs[0], "SUCCEEDED")
    ended, other = (wait(run) for run in runs)
    wire.turn(runs[0], "RUNNING")
    other.poll()
    assert ended.run.state == "SUCCEEDED"
    assert ended.poll().state == "SUCCEEDED"


def test_a_page_that_was_asked_for_before_is_no_news(
    wire: RunsOnTheWire, watch: RunWatch, clock: ClockByHand, wait: Wait
) -> None:
    """While the list was on its way, the run was asked for alone, and is further."""
    runs = [wire.start("job") for _ in range(2)]
    reader, other = wait(runs[0]), wait(wire.start("job"))
    with watch.waiting(runs[1], clock) as late:

        def meanwhile(operation: str, given: dict[str, Any]) -> None:
            if operation == "GetJobRuns":
                clock.seconds += 1
                wire.turn(runs[1], "RUNNING")
                assert late.poll().state == "RUNNING"

        wire.before = meanwhile
        reader.poll()
        assert late.run.state == "RUNNING"
    assert other.poll().state == "STARTING"


def test_a_pause_counts_from_the_reading(
    wire: RunsOnTheWire, clock: ClockByHand, wait: Wait
) -> None:
    """Nobody sees an end later than if all had looked by themselves."""
    first, second = wait(wire.start("job")), wait(wire.start("job"))
    first.poll()
    clock.seconds += 2
    second.poll()
    first.sleep(7), second.sleep(7)
    assert clock.slept == [3.5, 1.5], "two read the list as often together as each by itself"


@pytest.mark.parametrize(("runs", "seconds"), [(1, 7.0), (2, 3.5), (30, 1.5), (201, 3.0)])
def test_the_more_wait_for_a_job_the_sooner_its_list_is_read_again(
    wire: RunsOnTheWire, watch: RunWatch, clock: ClockByHand, runs: int, seconds: float
) -> None:
    """Never with more calls than all would make by themselves, or for more than 40 pages a min."""
    run = wire.start("job")
    with ExitStack() as waits:
        waiters = [waits.enter_context(watch.waiting(run, clock)) for _ in range(runs)]
        assert watch.pause_seconds(waiters[0], 7.0) == seconds


def test_readings_of_many_lists_are_as_rare_as_polls_of_single_runs(
    wire: RunsOnTheWire, watch: RunWatch, clock: ClockByHand
) -> None:
    with ExitStack() as waits:
        for job in range(5):
            run = wire.start(f"job-{job}")
            waiters = [waits.enter_context(watch.waiting(run, clock)) for _ in range(200)]
        assert watch.pause_seconds(waiters[0], 7.0) == 7.0


def test_a_run_that_has_to_be_listed_is_polled_by_the_list_once_it_can_be_on_it(
    wire: RunsOnTheWire, watch: RunWatch, clock: ClockByHand
) -> None:
    run = wire.start("job")
    with watch.waiting(run, clock, until_listed=always) as waiter:
        waiter.poll(), waiter.poll()
        wire.turn(run, "RUNNING")
        waiter.poll()
        assert wire.counted() == {"GetJobRun": 3}
        assert waiter.poll().state == "RUNNING"
        assert (waiter.is_listed, wire.counted()) == (True, {"GetJobRuns": 1})
        wire.turn(run, "SUCCEEDED")
        assert waiter.poll().ended
        assert wire.counted() == {"GetJobRun": 1}


def test_a_run_that_the_list_does_not_show_yet_is_polled_by_itself_as_well(
    wire: RunsOnTheWire, watch: RunWatch, clock: ClockByHand
) -> None:
    run = wire.start("job")
    wire.turn(run, "RUNNING")
    wire.unlisted.add(run.job_run_id)
    with watch.waiting(run, clock, until_listed=always) as waiter:
        waiter.poll(), wire.counted()
        wire.turn(run, "STOPPING")
        assert waiter.poll().state == "STOPPING"
        for _ in range(9):
            waiter.poll()
        assert (waiter.is_listed, wire.counted()["GetJobRuns"]) == (False, 3)


def test_who_may_not_list_runs_polls_its_own(
    wire: RunsOnTheWire, watch: RunWatch, clock: ClockByHand
) -> None:
    run = wire.start("job")
    wire.turn(run, "RUNNING")
    wire.before = refuse("GetJobRuns", 400, "AccessDeniedException")
    with watch.waiting(run, clock, until_listed=always) as waiter:
        for _ in range(5):
            assert waiter.poll().state == "RUNNING"
    assert wire.counted() == {"GetJobRun": 5, "GetJobRuns": 1}


def test_a_pause_counts_from_the_look_that_was_made_alone(
    wire: RunsOnTheWire, watch: RunWatch, clock: ClockByHand, wait: Wait
) -> None:
    waiter = wait(wire.start("job"))
    with watch.waiting(wire.start("job"), clock) as other:
        other.poll()
        other.poll()
        clock.seconds += 5
        waiter.poll()
    waiter.poll()
    waiter.sleep(7)
    assert clock.slept == [7]


def test_a_change_that_was_looked_at_ends_no_pause(
    wire: RunsOnTheWire, clock: ClockByHand, wait: Wait
) -> None:
    runs = [wire.start("job") for _ in range(2)]
    waiters = [wait(run) for run in runs]
    for run in runs:
        wire.turn(run, "RUNNING")
    for waiter in waiters:
        waiter.poll()
        waiter.sleep(7)
    assert clock.slept == [3.5, 3.5]


def test_a_failed_reading_is_followed_by_a_whole_pause(
    wire: RunsOnTheWire, clock: ClockByHand, wait: Wait
) -> None:
    """However long the SDK tried, and however old the reading before was."""
    first, second = wait(wire.start("job")), wait(wire.start("job"))
    first.poll()
    clock.seconds += 6
    second.poll()

    def fail_after_a_while(operation: str, given: dict[str, Any]) -> None:
        clock.seconds += 20
        raise Refused(503, "ServiceUnavailable")

    wire.before = fail_after_a_while
    settled = [second, first]
    for waiter in settled:
        with pytest.raises(Exception, match="GetJobRuns failed"):
            waiter.poll()
        waiter.sleep(7)
    assert clock.slept == [7, 7]


def test_a_change_that_another_sees_ends_the_pause(wire: RunsOnTheWire, wait: Wait) -> None:
    """A thread in the middle of a pause of an hour."""
    run, others = wire.start("job"), wire.start("job")
    watch = wire.client.run_watch
    has_looked, ended = threading.Event(), []

    def sleep_and_end() -> None:
        ended.append(
            watch_run(
                RunContext(wire.client, LOG, pace=ONCE_IN_A_TEST),
                RunRequest("job", "x", datetime.now(UTC), deadline_seconds=1e10),
                run,
                Callbacks(observed=lambda now: has_looked.set()),
            )
        )

    thread = threading.Thread(target=sleep_and_end, daemon=True)
    thread.start()
    assert has_looked.wait(IN_TIME)
    with watch.waiting(others, ClockByHand()) as waiter:
        waiter.poll()
        wire.turn(run, "SUCCEEDED")
        wire.counted()
        waiter.poll()
        thread.join(IN_TIME)
    assert [run.state for run in ended] == ["SUCCEEDED"]
    assert wire.counted() == {"GetJobRuns": 1}, "the page told it; nothing was asked again"


def test_nobody_waits_for_ever_when_the_reading_thread_dies(
    wire: RunsOnTheWire, wait: Wait
) -> None:
    waiters = [wait(wire.start("job")) for _ in range(8)]
    together = threading.Barrier(len(waiters))
    died = []

    def die_once(operation: str, given: dict[str, Any]) -> None:
        if not died:
            died.append(operation)
            raise MemoryError

    wire.before = die_once

    def look(waiter: Waiter) -> str:
        together.wait(IN_TIME)
        try:
            return waiter.poll().state
        except MemoryError:
            return "died"

    with ThreadPoolExecutor(len(waiters)) as pool:
        states = sorted(pool.map(look, waiters, timeout=IN_TIME))
    assert states == ["STARTING"] * 7 + ["died"]


def test_the_waiters_of_one_job_do_not_hold_up_those_of_another(
    wire: RunsOnTheWire, wait: Wait
) -> None:
    slow = [wait(wire.start("slow")) for _ in range(2)]
    quick = [wait(wire.start("quick")) for _ in range(2)]
    asked, answer_now = threading.Event(), threading.Event()

    def hold(operation: str, given: dict[str, Any]) -> None:
        if given["JobName"] == "slow":
            asked.set()
            assert answer_now.wait(IN_TIME)

    wire.before = hold
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(slow[0].poll)
        assert asked.wait(IN_TIME)
        assert [waiter.poll().state for waiter in quick] == ["STARTING"] * 2
        assert not held.done()
        answer_now.set()
        assert held.result(IN_TIME).state == "STARTING"


@contextmanager
def a_list_that_hangs(wire: RunsOnTheWire, first: Waiter) -> Iterator[None]:
    """Another thread reads it, and is not answered until the block ends."""
    asked, answer_now = threading.Event(), threading.Event()

    def hold(operation: str, given: dict[str, Any]) -> None:
        if operation == "GetJobRuns":
            asked.set()
            assert answer_now.wait(IN_TIME)

    wire.before = hold
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(first.poll)
        try:
            assert asked.wait(IN_TIME)
            yield
            assert not held.done()
        finally:
            answer_now.set()
        held.result(IN_TIME)


def test_who_waits_too_long_for_another_that_reads_polls_its_own_run(
    wire: RunsOnTheWire, clock: ClockByHand
) -> None:
    """So a failure is observed, and a deadline ends the wait, while GetJobRuns hangs."""
    watch = RunWatch(wire.client, clock, read_within_seconds=0.01)
    runs = [wire.start("job") for _ in range(2)]
    with watch.waiting(runs[0], clock) as first, watch.waiting(runs[1], clock) as second:
        first.poll(), second.poll(), wire.counted()
        with a_list_that_hangs(wire, first):
            wire.turn(runs[1], "FAILED")
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(second.poll).result(IN_TIME).state == "FAILED"
        assert wire.counted() == {"GetJobRun": 1, "GetJobRuns": 1}


def test_while_a_list_hangs_a_few_poll_at_a_time_and_the_others_go_on(
    wire: RunsOnTheWire, clock: ClockByHand
) -> None:
    watch = RunWatch(wire.client, clock, read_within_seconds=0.01)
    with ExitStack() as waits:
        run = wire.start("job")
        waiters = [waits.enter_context(watch.waiting(run, clock)) for _ in range(20)]
        for waiter in waiters:
            waiter.poll()
        wire.counted()
        with a_list_that_hangs(wire, waiters[0]):
            hold_list, answer_now = wire.before, threading.Event()

            def hold(operation: str, given: dict[str, Any]) -> None:
                hold_list(operation, given)
                assert answer_now.wait(IN_TIME)

            wire.before = hold
            with ThreadPoolExecutor(len(waiters)) as pool:
                polls = [pool.submit(waiter.poll) for waiter in waiters[1:]]
                done, _ = futures.wait(polls, IN_TIME, futures.FIRST_COMPLETED)
                while len(done) < len(polls) - READ_BESIDE_AT_ONCE:
                    more = futures.wait(set(polls) - done, IN_TIME, futures.FIRST_COMPLETED).done
                    assert more
                    done |= more
                answer_now.set()
        assert wire.counted() == {"GetJobRun": READ_BESIDE_AT_ONCE, "GetJobRuns": 1}


def test_a_wait_that_is_to_end_does_so_while_another_reads(
    wire: RunsOnTheWire, clock: ClockByHand
) -> None:
    watch = RunWatch(wire.client, clock, read_within_seconds=IN_TIME)
    runs, interruption = [wire.start("job") for _ in range(2)], Interruption()

    def poll(waiter: Waiter) -> None:
        with interrupted_by(interruption):
            waiter.poll()

    with watch.waiting(runs[0], clock) as first, watch.waiting(runs[1], clock) as second:
        first.poll(), second.poll()
        with a_list_that_hangs(wire, first), ThreadPoolExecutor(1) as pool:
            waits = pool.submit(poll, second)
            interruption.request(Interrupted())
            assert isinstance(waits.exception(IN_TIME / 2), Interrupted)


def test_nothing_is_kept_of_a_job_that_nobody_waits_for(
    wire: RunsOnTheWire, watch: RunWatch, clock: ClockByHand
) -> None:
    """Who was refused the list asks for it again the next time: permissions change."""
    runs = [wire.start("job") for _ in range(2)]
    wire.before = refuse("GetJobRuns", 400, "AccessDeniedException")
    for calls in ({"GetJobRun": 3, "GetJobRuns": 1}, {"GetJobRun": 2, "GetJobRuns": 1}):
        with watch.waiting(runs[0], clock) as first, watch.waiting(runs[1], clock) as second:
            first.poll(), second.poll(), first.poll()
        assert wire.counted() == calls
        wire.before = lambda operation, given: None
