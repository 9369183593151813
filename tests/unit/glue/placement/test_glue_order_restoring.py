"""A job's connections are put back as they were, and nobody else's order is touched."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import ServiceUnavailable
from flinkglue.glue.coordination.claims import Claims, Reservation
from flinkglue.glue.coordination.lock import HeldLock, InProcessLock, job_lock_name
from flinkglue.glue.coordination.original_order import KIND, OriginalOrder, OriginalOrders
from flinkglue.glue.coordination.run_context import RunContext, coordination_in_process
from flinkglue.glue.models import JobRun
from flinkglue.glue.run.connection_order import TRY_EVERY_SECONDS, OrderRestoring
from flinkglue.glue.run_request import RunRequest
from tests.unit.glue.definition.glue_jobs_on_the_wire import CREATED, JobsOnTheWire
from tests.unit.glue.glue_on_the_wire import Refused

JOB = "nightly"
LOG = logging.getLogger(__name__)
PLAIN = {"restore_order": False}


class Clock:
    """Stands still unless somebody sleeps."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.at)

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@cache
def glue_on_the_wire() -> JobsOnTheWire:
    """The same for all tests, as boto3 takes its time to make a client."""
    return JobsOnTheWire()


def release(claims: Claims, run_key: str) -> None:
    """The addresses of this run."""
    for reservation in claims.reservations():
        if reservation.run_key == run_key:
            claims.release(reservation.reservation_id)


class World:
    """A job and the flow runs that run it."""

    def __init__(self, connections: list[str], orders: OriginalOrders | None = None) -> None:
        self.glue = glue_on_the_wire()
        self.glue.counted()
        self.glue.refusals.clear()
        self.glue.job(JOB, connections)
        self.orders = orders or OriginalOrders()
        self.coordination = replace(coordination_in_process(), original_orders=self.orders)
        self.clock = Clock()

    @property
    def connections(self) -> list[str]:
        return self.glue.connections(JOB)

    @property
    def remembered(self) -> list[tuple[str, ...]]:
        return [tuple(r.value["connection_names"]) for r in self.orders.records.tagged(KIND)]

    def flow_run(self, name: str, *, restore_order: bool = True) -> FlowRun:
        return FlowRun(self, name, restore_order)


class FlowRun:
    """One flow run with one run, as `run_job` treats it; a process that is killed does no more."""

    def __init__(self, world: World, name: str, restore_order: bool) -> None:
        self.world = world
        self.request = RunRequest(
            JOB, name, datetime(2026, 1, 1, tzinfo=UTC), restore_order=restore_order
        )
        context = RunContext(world.glue.client, LOG, world.coordination, world.clock)
        self.order = OrderRestoring(context, self.request)

    def is_placed(self) -> None:
        self.world.coordination.claims.reserve(
            Reservation(self.request.key, JOB, "a", "subnet-1", "zone", 3)
        )

    def starts(self, *order: str, is_written: bool = True, lock: HeldLock | None = None) -> FlowRun:
        self.is_placed()
        client = self.world.glue.client
        with self.world.coordination.locks.hold(job_lock_name(client.region, JOB)):
            job = client.get_job(JOB)
            update = client.plan_update(job, order)
            self.order.before_start(job, update, lock or InProcessLock())
            if update.changes and is_written:
                client.update_job(JOB, update)
        self.is_seen("STARTING")
        return self

    def is_seen(self, state: str) -> None:
        if state not in ("STARTING", "WAITING"):
            release(self.world.coordination.claims, self.request.key)
        self.order.on_observed(JobRun(JOB, "jr_1", state))

    def ends(self) -> None:
        self.is_seen("SUCCEEDED")
        self.order.end()


@pytest.fixture
def world() -> World:
    return World(["x", "y", "z"])


def definition(world: World) -> dict[str, Any]:
    return {name: value for name, value in world.glue.jobs[JOB].items() if name != "Connections"}


def test_the_order_is_put_back_when_the_run_has_started(world: World) -> None:
    before = definition(world)
    run = world.flow_run("A").starts("z", "x", "y")
    for state in ("STARTING", "WAITING"):
        run.is_seen(state)
        assert world.connections == ["z", "x", "y"]
    run.is_seen("RUNNING")
    assert world.connections == ["x", "y", "z"]
    assert definition(world) == before
    assert world.remembered == []
    run.ends()
    assert world.glue.counted()["UpdateJob"] == 2


class CountedOrders(OriginalOrders):
    """Counts how often a record is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def read(self, key: str) -> OriginalOrder | None:
        self.reads += 1
        return super().read(key)


@pytest.mark.parametrize(("order", "reads"), [("xyz", 1), ("zxy", 2)])
def test_a_run_that_leaves_the_order_as_it_is_reads_the_record_at_its_end_alone(
    order: str, reads: int
) -> None:
    orders = CountedOrders()
    run = World(["x", "y", "z"], orders).flow_run("A", restore_order=False).starts(*order)
    run.is_seen("RUNNING")
    run.ends()
    assert orders.reads == reads


def test_one_reading_of_the_record_serves_all_to_whom_the_jobs_lock_is_handed_on() -> None:
    """They write it in turn, and put back what the first found."""
    orders = CountedOrders()
    world = World(["x", "y", "z"], orders)
    first, second = world.flow_run("A"), world.flow_run("B")
    lock = InProcessLock()
    first.starts("z", "x", "y", lock=lock)
    second.starts("y", "z", "x", lock=lock)
    assert orders.reads == 1
    for run in (first, second):
        run.is_seen("RUNNING")
        run.ends()
    assert (world.connections, world.remembered) == (["x", "y", "z"], [])


class OrdersWithoutAnswer(CountedOrders):
    """The first record is written, and the answer is lost."""

    def write(self, key: str, order: OriginalOrder) -> None:
        super().write(key, order)
        if self.reads == 1:
            raise ServiceUnavailable("Prefect", "POST", "variable", "no answer")


def test_a_record_that_may_have_been_written_is_read_by_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    orders = OrdersWithoutAnswer()
    world, lock = World(["x", "y", "z"], orders), InProcessLock()
    first, second = world.flow_run("A"), world.flow_run("B")
    first.starts("z", "x", "y", lock=lock)
    second.starts("y", "z", "x", lock=lock)
    for run in (first, second):
        run.is_seen("RUNNING")
        run.ends()
    assert world.connections == ["x", "y", "z"]


def test_without_the_parameter_the_order_stays_and_is_not_written_down(world: World) -> None:
    run = world.flow_run("A", restore_order=False).starts("z", "x", "y")
    assert world.remembered == []
    run.is_seen("RUNNING")
    run.ends()
    assert world.connections == ["z", "x", "y"]
    assert world.glue.counted() == {"GetJob": 1, "UpdateJob": 1}


@pytest.mark.parametrize("original", [[], ["jdbc"], ["b", "jdbc", "a"]])
def test_what_the_run_added_is_taken_away_again(original: list[str]) -> None:
    world = World(original)
    world.flow_run("A").starts("a", "b").is_seen("RUNNING")
    assert world.connections == original


def test_an_order_that_a_person_has_set_meanwhile_stays(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run = world.flow_run("A").starts("z", "x", "y")
    world.glue.person_sets(JOB, ["y"])
    run.is_seen("RUNNING")
    assert world.connections == ["y"]
    assert world.remembered == []
    assert "as someone else has set them: y" in caplog.text


def test_other_settings_that_a_person_has_changed_meanwhile_stay(world: World) -> None:
    run = world.flow_run("A").starts("z", "x", "y")
    world.glue.jobs[JOB]["Timeout"] = 7
    run.is_seen("RUNNING")
    assert (world.connections, world.glue.jobs[JOB]["Timeout"]) == (["x", "y", "z"], 7)


def test_what_another_run_found_is_not_taken_for_the_original(world: World) -> None:
    """And the first leaves it to the second, which still needs its own order."""
    first = world.flow_run("A").starts("z", "x", "y")
    second = world.flow_run("B").starts("y", "x", "z")
    first.is_seen("RUNNING")
    first.ends()
    assert world.connections == ["y", "x", "z"]
    second.is_seen("WAITING")
    assert world.connections == ["y", "x", "z"]
    second.is_seen("RUNNING")
    assert world.connections == ["x", "y", "z"]
    assert world.remembered == []


def test_a_run_that_is_placed_and_not_started_keeps_others_from_it(world: World) -> None:
    first, second = world.flow_run("A").starts("z", "x", "y"), world.flow_run("B")
    second.is_placed()
    first.ends()
    assert world.connections == ["z", "x", "y"]
    second.starts("z", "x", "y").is_seen("RUNNING")
    assert world.connections == ["x", "y", "z"]


def test_a_run_without_the_parameter_does_what_was_left_to_it(world: World) -> None:
    first = world.flow_run("A").starts("z", "x", "y")
    second = world.flow_run("B", restore_order=False).starts("y", "z", "x")
    first.ends()
    second.is_seen("RUNNING")
    assert world.connections == ["x", "y", "z"]


def test_a_live_run_tries_again_when_nobody_needs_an_order_any_more(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The other flow run was killed, for example, and its reservation has expired."""
    caplog.set_level("INFO")
    run, other = world.flow_run("A").starts("z", "x", "y"), world.flow_run("B")
    other.is_placed()
    for _ in range(3):
        run.is_seen("RUNNING")
        world.clock.at += TRY_EVERY_SECONDS
    assert caplog.text.count("needed by B/1") == 1
    release(world.coordination.claims, "B/1")
    run.is_seen("RUNNING")
    assert world.connections == ["x", "y", "z"]


def test_a_flow_run_that_was_killed_puts_it_back_when_it_goes_on(world: World) -> None:
    """Its new process adopts the run, and started none itself."""
    world.flow_run("A").starts("z", "x", "y")
    world.flow_run("A").is_seen("RUNNING")
    assert world.connections == ["x", "y", "z"]


@pytest.mark.parametrize("is_written", [True, False])
def test_after_a_kill_the_next_flow_run_knows_the_true_original(
    world: World, is_written: bool
) -> None:
    """Whether the killed one had written the job already, or only the record."""
    world.flow_run("A").starts("z", "x", "y", is_written=is_written)
    release(world.coordination.claims, "A/1")
    world.flow_run("B").starts("y", "z", "x").ends()
    assert world.connections == ["x", "y", "z"]
    assert world.remembered == []


def test_what_a_person_sets_between_two_runs_is_the_new_original(world: World) -> None:
    world.flow_run("A").starts("z", "x", "y")
    release(world.coordination.claims, "A/1")
    world.glue.person_sets(JOB, ["y", "x"])
    world.flow_run("B").starts("x", "y").ends()
    assert world.connections == ["y", "x"]


def test_a_job_that_was_made_anew_is_another_job(world: World) -> None:
    """Or one of the same name in another account."""
    world.flow_run("A").starts("z", "x", "y")
    release(world.coordination.claims, "A/1")
    world.glue.job(JOB, ["z", "x", "y"], created=CREATED + 60)
    run = world.flow_run("B").starts("z", "y", "x")
    run.ends()
    assert world.connections == ["z", "x", "y"]


def test_somebody_who_changes_the_job_at_the_same_time_is_waited_for(world: World) -> None:
    run = world.flow_run("A").starts("z", "x", "y")
    conflict = Refused(400, "ConcurrentModificationException")
    world.glue.refusals = [conflict, conflict]
    run.ends()
    assert world.connections == ["x", "y", "z"]


def test_a_service_that_is_away_is_asked_again_at_the_end_and_then_no_more(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    run = world.flow_run("A").starts("z", "x", "y")
    world.glue.refusals = [Refused(503, "ServiceUnavailableException")] * 100
    run.ends()
    assert 30 < world.clock.at < 60
    assert 5 < world.glue.counted()["UpdateJob"] < 40
    assert "They were: x, y, z" in caplog.text
    assert world.remembered == [("x", "y", "z")]


def test_a_refusal_is_told_with_the_order_and_fails_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection of the original order was deleted meanwhile, for example."""
    run = world.flow_run("A").starts("z", "x", "y")
    world.glue.refusals = [Refused(400, "InvalidInputException")] * 2
    for _ in range(5):
        run.is_seen("RUNNING")
        world.clock.at += 60
    run.ends()
    [warning] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "UpdateJob failed for job nightly" in warning.getMessage()
    assert "They were: x, y, z. Restore them in Glue" in warning.getMessage()
    assert world.remembered == [("x", "y", "z")]
    assert world.glue.counted()["UpdateJob"] == 3


class HeldByOthers:
    """Locks that another process holds; who sets no limit waits a quarter of an hour."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @contextmanager
    def hold(self, name: str, within_seconds: float | None = None) -> Iterator[HeldLock]:
        self._clock.sleep(900.0 if within_seconds is None else within_seconds)
        raise ServiceUnavailable("Prefect", "take lock", name, "held by another process")
        yield InProcessLock()


def test_a_lock_that_others_hold_delays_nobody_who_watches_a_run(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The notice of a run's end comes from the same thread; after the end there is more time."""
    run = world.flow_run("A").starts("z", "x", "y")
    free = world.coordination
    world.coordination = replace(free, locks=HeldByOthers(world.clock))
    busy = world.flow_run("A")  # its process was killed, and a new one goes on
    began_at = world.clock.at
    busy.is_seen("RUNNING")
    assert world.clock.at - began_at <= 2
    began_at = world.clock.at
    busy.ends()
    assert 20 < world.clock.at - began_at <= 35
    assert "They were" in caplog.text
    assert world.remembered == [("x", "y", "z")]
    run.is_seen("RUNNING")
    assert world.connections == ["x", "y", "z"]


def test_what_was_left_to_a_run_that_never_starts_is_put_back_when_that_gives_up(
    world: World,
) -> None:
    """It is refused, has no slot, or is cancelled, and knows nothing of the other's record."""
    first, second = world.flow_run("A").starts("z", "x", "y"), world.flow_run("B", **PLAIN)
    second.is_placed()
    first.ends()
    assert world.connections == ["z", "x", "y"]
    release(world.coordination.claims, "B/1")
    second.order.end()
    assert world.connections == ["x", "y", "z"]
    assert world.remembered == []


def test_what_was_left_to_a_run_whose_process_was_killed_is_put_back_by_who_adopts_it(
    world: World,
) -> None:
    first = world.flow_run("A").starts("z", "x", "y")
    world.flow_run("B", **PLAIN).starts("y", "z", "x")
    first.ends()
    adopting = world.flow_run("B", **PLAIN)
    adopting.is_seen("RUNNING")
    assert world.connections == ["x", "y", "z"]


def test_what_is_left_to_a_run_that_had_looked_before_is_put_back(world: World) -> None:
    """When it started there was no record; the other one came, and ended before it ran."""
    plain = world.flow_run("B", **PLAIN).starts("y", "x", "z")
    world.flow_run("A").starts("z", "x", "y").ends()
    assert world.connections == ["z", "x", "y"]
    plain.is_seen("RUNNING")
    assert world.connections == ["y", "x", "z"]


def test_where_it_cannot_be_known_whether_something_was_left_the_run_goes_on() -> None:
    class Away(OriginalOrders):
        def read(self, key: str) -> OriginalOrder | None:
            raise ServiceUnavailable("Prefect", "POST /variables/filter", key, "it is away")

    world = World(["x", "y"], Away())
    run = world.flow_run("A", **PLAIN)
    run.is_seen("RUNNING")
    run.ends()
    assert world.glue.counted() == {"GetJob": 1}


class BrokenOrders(OriginalOrders):
    """A Prefect server that does not take the record."""

    def write(self, key: str, order: OriginalOrder) -> None:
        raise ServiceUnavailable("Prefect", "POST /variables/", key, "it is away")


def test_an_order_that_cannot_be_written_down_is_told_and_the_run_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(["x", "y"], BrokenOrders())
    run = world.flow_run("A").starts("y", "x")
    assert "will not be restored" in caplog.text
    assert "They were: x, y" in caplog.text
    run.ends()
    assert world.connections == ["y", "x"]


NAMES = ("x", "y", "z")
PERSONAL = st.permutations(NAMES).map(lambda names: ["own", *names])  # no run writes such a list
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("starts"), st.sampled_from("ABC"), st.permutations(NAMES)),
        st.tuples(st.just("runs"), st.sampled_from("ABC"), st.none()),
        st.tuples(st.just("is killed"), st.sampled_from("ABC"), st.none()),
        st.tuples(st.just("person"), st.just(""), PERSONAL),
    ),
    max_size=12,
)


@given(STEPS, st.sets(st.sampled_from("ABC")))
def test_whatever_happens_the_next_quiet_run_puts_back_what_people_set(
    steps: list[tuple[str, str, list[str] | None]], restoring: set[str]
) -> None:
    """Starts, ends, kills and people in any order, and then one more flow run alone."""
    world = World([*NAMES, "own"])
    set_by_people = world.connections
    live: dict[str, FlowRun] = {}
    for what, name, order in steps:
        if what == "person":
            assert order is not None
            world.glue.person_sets(JOB, order)
            # Where nobody has been asked to put anything back, what runs leave is the original.
            set_by_people = order
        elif what == "starts" and name not in live:
            assert order is not None
            live[name] = world.flow_run(name, restore_order=name in restoring).starts(*order)
            if not world.remembered:
                set_by_people = world.connections
        elif what == "runs" and name in live:
            live.pop(name).ends()
        elif what == "is killed" and name in live:
            del live[name]
            release(world.coordination.claims, f"{name}/1")
    for name in live:
        release(world.coordination.claims, f"{name}/1")
    world.flow_run("D").starts("y", "x").ends()
    assert world.connections == set_by_people
    assert world.remembered == []
