"""A flow run whose job has had thousands of runs since holds the job's lock no longer for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import CallFailed
from flinkglue.glue.api.live_runs import ListedRuns, list_runs
from flinkglue.glue.api.run_listing import MOST_PAGES
from flinkglue.glue.coordination.lock import HeldLock, InProcessLock
from flinkglue.glue.coordination.run_context import (
    Coordination,
    RunContext,
    coordination_in_process,
)
from flinkglue.glue.coordination.slots import NoSlot
from flinkglue.glue.models import RUN_KEY_ARGUMENT, JobRun
from flinkglue.glue.run.outcome import recorded_attempts
from flinkglue.glue.run.start import Started
from flinkglue.glue.run_request import RunRequest
from tests.contract.aws.aws_cloud import HastyClock
from tests.unit.glue.callbacks import started as start
from tests.unit.glue.glue_on_the_wire import STARTED, RunsOnTheWire, ranking

LOG = logging.getLogger(__name__)
A_PAGE = 200
THREE_WEEKS = timedelta(weeks=3)


def request() -> RunRequest:
    """Of a flow run that began three weeks before now, which is when the test runs."""
    since = datetime.now(UTC) - THREE_WEEKS
    return RunRequest("nightly", "flow-run", since, deadline_seconds=1e10)


def at(moment: datetime) -> float:
    return moment.timestamp() - STARTED


def busy(runs: int, *, live: int = 0) -> RunsOnTheWire:
    """A job with so many runs since then, spread evenly; the oldest ones live on."""
    wire = RunsOnTheWire(ExecutionProperty={"MaxConcurrentRuns": 5})
    first = datetime.now(UTC) - THREE_WEEKS
    for n in range(runs):
        run = wire.start("nightly", at=at(first + THREE_WEEKS * ((n + 0.5) / runs)))
        wire.turn(run, "RUNNING" if n < live else "SUCCEEDED")
    return wire


class Locks:
    """Locks that tell which calls were made under them, and have something happen before."""

    def __init__(self, wire: RunsOnTheWire, happens: Callable[[], object]) -> None:
        self._wire = wire
        self._happens = happens
        self.under_it: list[dict[str, int]] = []
        self.before_it: list[dict[str, int]] = []

    @contextmanager
    def hold(self, name: str, within_seconds: float | None = None) -> Iterator[HeldLock]:
        self._happens()
        self.before_it.append(self._wire.counted())
        yield InProcessLock()
        self.under_it.append(self._wire.counted())


def started(
    wire: RunsOnTheWire,
    asked: RunRequest | None = None,
    happens: Callable[[], object] = lambda: None,
) -> tuple[Started, Locks]:
    locks = Locks(wire, happens)
    coordination: Coordination = replace(coordination_in_process(), locks=locks)
    context = RunContext(wire.client, LOG, coordination, HastyClock(0))
    return start(context, asked or request(), ranking("a", "b")), locks


def test_a_long_list_is_read_before_the_lock_and_its_newest_page_under_it() -> None:
    result, locks = started(busy(5 * A_PAGE))
    assert not result.adopted
    assert locks.before_it == [{"GetJobRuns": 5}]
    assert locks.under_it[0]["GetJobRuns"] == 1


def test_a_flow_run_that_has_just_begun_reads_no_page_more() -> None:
    result, locks = started(busy(5 * A_PAGE), replace(request(), since=datetime.now(UTC)))
    assert not result.adopted
    assert locks.before_it == [{}]
    assert locks.under_it[0]["GetJobRuns"] == 1


def test_an_old_run_of_the_flow_run_is_adopted_and_the_lock_not_taken() -> None:
    wire = busy(3 * A_PAGE)
    wire.runs["nightly"][10]["Arguments"] = {RUN_KEY_ARGUMENT: request().key}
    result, locks = started(wire)
    assert (result.adopted, result.run.job_run_id) == (True, "jr_nightly_10")
    assert locks.under_it == []
    assert wire.counted() == {"GetJobRuns": 3}


def test_a_run_that_is_started_while_the_lock_is_waited_for_is_still_adopted() -> None:
    """By another process of the same flow run: the first list cannot show it."""
    wire = busy(3 * A_PAGE)

    def another_process_starts() -> None:
        wire.start("nightly", at=at(datetime.now(UTC)), arguments={RUN_KEY_ARGUMENT: request().key})

    result, locks = started(wire, happens=another_process_starts)
    assert result.adopted
    assert {"UpdateJob", "StartJobRun"}.isdisjoint(locks.under_it[0])


def test_a_run_that_was_listed_late_is_seen_under_the_lock() -> None:
    """GetJobRuns shows a run some seconds after it was started."""
    wire = busy(3 * A_PAGE)
    late = wire.start(
        "nightly", at=at(datetime.now(UTC)), arguments={RUN_KEY_ARGUMENT: request().key}
    )
    wire.unlisted.add(late.job_run_id)
    result, _ = started(wire, happens=lambda: wire.unlisted.clear())
    assert (result.adopted, result.run.job_run_id) == (True, late.job_run_id)


def test_old_runs_that_live_take_their_slots_also_from_behind_the_newest_page() -> None:
    with pytest.raises(NoSlot, match="live runs 5"):
        started(busy(2 * A_PAGE, live=5))
    assert not started(busy(2 * A_PAGE, live=4))[0].adopted


class Endless:
    """A job that has had a run every second for ever. `read` counts the pages."""

    read = 0

    def get_job(self, job_name: str) -> dict[str, Any]:
        return {"Name": job_name}

    def job_run_pages(self, job_name: str, since: datetime) -> Iterator[list[JobRun]]:
        while True:
            self.read += 1
            yield [JobRun(job_name, f"jr_{self.read}", "SUCCEEDED")]


def test_a_list_without_end_is_not_read_to_the_end_and_nothing_is_started() -> None:
    """To start without knowing would be to risk a second run, so a person decides."""
    endless = Endless()
    with pytest.raises(CallFailed, match=r"more than 20000 runs.*start a new flow run"):
        list_runs(endless, request())
    assert endless.read == MOST_PAGES + 1


def test_the_earlier_attempts_of_a_flow_run_are_found_on_many_pages() -> None:
    wire = busy(6 * A_PAGE)
    wire.runs["nightly"][3]["Arguments"] = {RUN_KEY_ARGUMENT: request().key}
    assert [each.number for each in recorded_attempts(wire.client, request())] == [1]


ids = st.frozensets(st.sampled_from("abcdefgh"))


@given(earlier=ids, lived=ids, newer=ids, living=ids)
def test_a_newer_look_decides_over_the_runs_that_it_shows(
    earlier: frozenset[str], lived: frozenset[str], newer: frozenset[str], living: frozenset[str]
) -> None:
    first: Any = ListedRuns(lived & earlier, {}, earlier)
    both = first.and_newer(ListedRuns(living & newer, {}, newer))
    assert both.ids == earlier | newer
    assert all((i in both.live_ids) == (i in living) for i in newer)
    assert all((i in both.live_ids) == (i in lived) for i in earlier - newer)
