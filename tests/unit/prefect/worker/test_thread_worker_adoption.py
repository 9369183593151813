"""Which flow runs of a pool are scheduled again because nobody has them any more."""

from __future__ import annotations

import asyncio
import contextvars
import shutil
from collections.abc import Callable, Container
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import (
    FlowRun,
    FlowRunPolicy,
    State,
    StateDetails,
    StateType,
)
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.states import Paused, Running, Submitting

from flinkglue.prefect.store.thread_ownership import (
    PROCESS_PREFIX,
    pending_message,
)
from flinkglue.prefect.worker.handing_back import HandingBack
from flinkglue.prefect.worker.isolation import ADOPTIONS_LABEL, NeedsProcess
from flinkglue.prefect.worker.members.membership import Membership
from flinkglue.prefect.worker.members.pool_flow_runs import PAGE
from flinkglue.prefect.worker.own_processes import OwnProcesses
from flinkglue.prefect.worker.several import AT_ONCE
from flinkglue.prefect.worker.stopping import drained
from flinkglue.prefect.worker.taking import NotTaken, Taking, WasCancelled
from flinkglue.prefect.worker.threads.ending import Endings
from flinkglue.prefect.worker.threads.runs import ThreadRuns
from flinkglue.prefect.worker.worker import ThreadWorker
from tests.unit.prefect.worker.members.flow_runs_on_the_wire import (
    DEAD,
    LOG,
    Server,
    member,
    of,
    with_client,
)
from tests.unit.prefect.worker.members.services_without_loops import adoption_by, service_of
from tests.unit.prefect.worker.test_thread_worker_wiring import no_flow, no_hooks


@pytest.fixture
def server() -> Server:
    return Server()


def search(
    server: Server,
    worker: Membership,
    mine: Container[UUID] = frozenset(),
    take_over: Callable[[FlowRun], bool] = lambda _: False,
) -> list[UUID]:
    """Search once; the cancelled flow runs that are to be ended."""
    ended: list[UUID] = []

    async def once(client: PrefectClient) -> None:
        await adoption_by(
            client,
            worker,
            is_mine=mine.__contains__,
            take_over=take_over,
            end_cancelled=lambda run: ended.append(run.id),
        ).search()

    with_client(server, once)
    return ended


def test_the_flow_runs_of_dead_workers_are_scheduled_again_in_every_phase(server: Server) -> None:
    worker = member(server)
    taken = server.has(State(type=StateType.PENDING, message=pending_message("one", DEAD)))
    running = server.has(State(type=StateType.RUNNING), of(DEAD))
    cancelled = server.has(State(type=StateType.CANCELLING), of(DEAD))
    assert search(server, worker) == [cancelled]
    for flow_run_id in (taken, running):
        run = server.runs[str(flow_run_id)]
        assert run.state is not None
        assert run.state.name == "AwaitingRetry"
    assert server.runs[str(cancelled)].infrastructure_pid == of(worker.worker_id)


def test_a_flow_run_that_is_answered_after_the_next_worker_began_is_adopted_at_once(
    server: Server,
) -> None:
    """While it asked, there was nothing to adopt; nobody searches again for a minute by itself."""
    asking = server.has(Paused(), of(DEAD))
    state = lambda: server.runs[str(asking)].state  # noqa: E731

    async def scenario(client: PrefectClient) -> None:
        worker, answered = member(server), asyncio.Event()
        service = service_of(client, worker, answered)
        searching = asyncio.create_task(service._adopt())
        await asyncio.sleep(0.3)
        assert state().is_paused()  # type: ignore[union-attr]
        server.runs[str(asking)].state = Running()
        answered.set()
        async with asyncio.timeout(5):
            while not state().is_scheduled():  # type: ignore[union-attr]
                await asyncio.sleep(0.05)
        searching.cancel()

    with_client(server, scenario)


def test_a_flow_run_that_waits_in_its_thread_to_retry_is_offered_to_workers(
    server: Server,
) -> None:
    """The server offers it to nobody as long as it is to retry in its process."""
    state = State(type=StateType.SCHEDULED, name="AwaitingRetry")
    policy = FlowRunPolicy(retry_type="in_process")
    waiting = server.has(state, of(DEAD), empirical_policy=policy)
    search(server, member(server))
    assert server.runs[str(waiting)].empirical_policy.retry_type == "reschedule"


def test_the_worker_that_takes_a_flow_run_writes_itself_down_not_the_one_that_schedules_it_again(
    server: Server,
) -> None:
    """Two may schedule it again: the name of the later one would stand on a run of another."""
    worker = member(server)
    running = server.has(Running(), of(DEAD))
    server.after_state = lambda run: setattr(run, "infrastructure_pid", of("e" * 32))
    search(server, worker)
    lost = server.has(Running(), of(DEAD))
    server.after_state = lambda run: None
    search(server, worker)
    owners = [server.runs[str(each)].infrastructure_pid for each in (running, lost)]
    assert owners == [of("e" * 32), of(DEAD)]


@pytest.mark.parametrize(("owner_lives", "is_ended"), [(False, True), (True, False)])
def test_a_flow_run_that_is_cancelled_before_it_is_taken_again_is_ended_if_its_worker_is_dead(
    server: Server, owner_lives: bool, is_ended: bool
) -> None:
    worker, other = member(server), member(server)
    pid = of(other.worker_id if owner_lives else DEAD)
    cancelled = server.has(State(type=StateType.CANCELLING), pid)

    async def judge(client: PrefectClient) -> None:
        adoption = adoption_by(client, worker)
        assert await adoption.may_end(server.runs[str(cancelled)]) is is_ended

    with_client(server, judge)


def running_with(slot: StateDetails) -> State:
    return State(type=StateType.RUNNING, state_details=slot)


def test_a_flow_run_with_a_slot_of_its_deployments_limit_is_taken_over_as_it_runs(
    server: Server,
) -> None:
    """Scheduled again, it would give that up to whoever comes first, and might be cancelled."""
    worker, taken, slot = member(server), list[UUID](), server.slot()
    running = server.has(running_with(slot), of(DEAD))
    search(server, worker, take_over=lambda run: taken.append(run.id) is None)
    run = server.runs[str(running)]
    assert run.state is not None
    assert run.state.is_running()
    assert taken == [running]
    assert run.infrastructure_pid == of(worker.worker_id)
    assert [*server.slots.values()] == [300.0]


@pytest.mark.parametrize("why", ["no room", "no slot any more"])
def test_a_flow_run_that_cannot_be_taken_over_as_it_runs_is_scheduled_again(
    server: Server, why: str
) -> None:
    running = server.has(running_with(server.slot()), of(DEAD))
    if why == "no slot any more":
        server.slots.clear()
    search(server, member(server), take_over=lambda _: why != "no room")
    assert server.runs[str(running)].state.name == "AwaitingRetry"  # type: ignore[union-attr]


@pytest.mark.parametrize(("is_kept", "then"), [(True, "Running"), (False, "AwaitingRetry")])
def test_a_worker_that_stops_leaves_a_flow_run_with_a_slot_running(
    server: Server, is_kept: bool, then: str
) -> None:
    stopped = member(server)
    owner = of(stopped.worker_id)
    running = server.has(running_with(server.slot()), owner)
    if not is_kept:
        server.slots.clear()

    async def stop(client: PrefectClient) -> None:
        await HandingBack(client, LOG).all([(running, owner, stopped.is_known_held)])

    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        with_client(server, stop)
    assert server.runs[str(running)].state.name == then  # type: ignore[union-attr]


def test_a_peer_that_stopped_in_order_has_its_flow_runs_searched_for(server: Server) -> None:
    worker, peer = member(server), member(server)
    assert not worker.bury_the_dead(LOG)
    peer.leave()
    assert worker.bury_the_dead(LOG)
    assert not worker.bury_the_dead(LOG)


def test_nobody_elses_flow_runs_are_touched(server: Server) -> None:
    worker, peer = member(server), member(server)
    message = pending_message("peer", peer.worker_id)
    process = server.has(State(type=StateType.RUNNING), "4711")
    no_owner = server.has(State(type=StateType.RUNNING))
    peers = server.has(State(type=StateType.RUNNING), of(peer.worker_id))
    taken_by_peer = server.has(State(type=StateType.PENDING, message=message), of(DEAD))
    ended = server.has(State(type=StateType.COMPLETED, data=None), of(DEAD))
    suspended = server.has(State(type=StateType.PAUSED, name="Suspended"), of(DEAD))
    mine = server.has(State(type=StateType.RUNNING), of(worker.worker_id))
    before = {run_id: run.state for run_id, run in server.runs.items()}
    search(server, worker, {mine})
    assert {run_id: run.state for run_id, run in server.runs.items()} == before
    assert len({process, no_owner, peers, taken_by_peer, ended, suspended, mine}) == len(before)


def test_an_own_flow_run_without_a_thread_is_scheduled_again(server: Server) -> None:
    """The server did not answer when it was to begin, or to end."""
    worker = member(server)
    lost = server.has(State(type=StateType.RUNNING), of(worker.worker_id))
    search(server, worker)
    assert server.runs[str(lost)].state.name == "AwaitingRetry"  # type: ignore[union-attr]


def test_a_flow_run_that_went_on_since_it_was_listed_is_not_touched(server: Server) -> None:
    worker = member(server)
    running = server.has(State(type=StateType.RUNNING), of(DEAD))

    def goes_on(run: FlowRun) -> None:
        run.infrastructure_pid = of("e" * 32)  # of a worker that came since

    server.before_read = goes_on
    search(server, worker)
    assert server.runs[str(running)].state.name == "Running"  # type: ignore[union-attr]


def test_a_flow_run_that_was_deleted_since_holds_no_other_up(server: Server) -> None:
    runs = [server.has(State(type=StateType.RUNNING), of(DEAD)) for _ in range(5)]
    server.deleted = {runs[0], runs[3]}
    search(server, member(server))
    names = [server.runs[str(each)].state.name for each in runs]  # type: ignore[union-attr]
    assert names == ["Running", *["AwaitingRetry"] * 2, "Running", "AwaitingRetry"]


def test_a_flow_run_that_comes_again_on_the_next_page_is_scheduled_again_once(
    server: Server,
) -> None:
    """A newer flow run has entered before each page, and moved all others down by a row."""
    worker = member(server)
    last = server.has(Running(), of(DEAD), id=UUID(int=1))
    for number in range(2, PAGE):
        server.has(Running(), "4711", id=UUID(int=number))
    pages: list[UUID] = []
    scheduled: list[UUID] = []

    def enters() -> None:
        pages.append(server.has(Running(), "4711", id=UUID(int=PAGE + len(pages))))

    server.before_page = enters
    server.after_state = lambda run: scheduled.append(run.id)
    search(server, worker)
    assert len(pages) == 3, "two of open flow runs, and one of those that await a retry"
    assert scheduled == [last]


def test_one_worker_at_a_time_adopts(server: Server) -> None:
    first, second = member(server), member(server)
    server.has(State(type=StateType.RUNNING), of(DEAD))
    search(server, first)
    running = server.has(State(type=StateType.RUNNING), of(DEAD))
    search(server, second)
    assert server.runs[str(running)].state.name == "Running"  # type: ignore[union-attr]
    search(server, first)
    assert server.runs[str(running)].state.name == "AwaitingRetry"  # type: ignore[union-attr]


def test_a_flow_run_that_only_waited_is_not_what_its_worker_died_of(server: Server) -> None:
    worker, dead = member(server), member(server)
    waited, worked = (
        server.has(State(type=StateType.RUNNING), of(dead.worker_id), labels={ADOPTIONS_LABEL: 2})
        for _ in range(2)
    )
    dead.renew([waited])
    worker.bury_the_dead(LOG)
    for _ in range(14):
        server.variables.clock.sleep(5)
        worker.renew()
    assert worker.bury_the_dead(LOG)
    search(server, worker)
    counts = [server.runs[str(each)].labels[ADOPTIONS_LABEL] for each in (waited, worked)]
    assert counts == [0, 3]


def test_each_worker_finds_its_own_lost_flow_runs_whoever_adopts_those_of_the_dead(
    server: Server,
) -> None:
    holder, other = member(server), member(server)
    server.has(State(type=StateType.RUNNING), of(DEAD))
    search(server, holder)
    lost = server.has(State(type=StateType.RUNNING), of(other.worker_id))
    search(server, other)
    assert server.runs[str(lost)].state.name == "AwaitingRetry"  # type: ignore[union-attr]


def test_a_worker_that_stopped_in_order_is_no_death(server: Server) -> None:
    worker, stopped = member(server), member(server)
    left = server.has(State(type=StateType.RUNNING), of(stopped.worker_id))
    stopped.leave()
    search(server, worker)
    run = server.runs[str(left)]
    assert run.state.name == "AwaitingRetry"  # type: ignore[union-attr]
    assert ADOPTIONS_LABEL not in run.labels


def test_a_state_that_changes_while_a_flow_run_is_adopted_is_not_overwritten(
    server: Server,
) -> None:
    worker = member(server)
    running = server.has(State(type=StateType.RUNNING), of(DEAD))

    def ends_between(run: FlowRun) -> None:
        run.state = State(type=StateType.FAILED)

    server.before_read = ends_between
    search(server, worker)
    assert server.runs[str(running)].state.name == "Failed"  # type: ignore[union-attr]


def test_a_flow_run_that_gets_a_process_is_adopted_by_nobody(
    server: Server, tmp_path: Path
) -> None:
    """Its process goes on when the worker that started it has died."""
    flow_run_id, dead = server.has(Running()), member(server)

    async def hand_over(client: PrefectClient) -> None:
        taking = Taking(client, "a worker", tmp_path, LOG)
        await taking.hand_to_a_process(server.runs[str(flow_run_id)], dead)
        taking.close()

    with_client(server, hand_over)
    assert dead.worker_id in str(server.runs[str(flow_run_id)].infrastructure_pid)
    dead.leave()
    search(server, member(server))
    state = server.runs[str(flow_run_id)].state
    assert state is not None
    assert state.is_running()


@pytest.mark.parametrize(
    ("minutes", "pid", "is_adopted"),
    [(11, None, True), (9, None, False), (11, "4711", False)],
)
def test_a_flow_run_whose_worker_died_before_it_started_its_process_is_adopted(
    server: Server, minutes: int, pid: str | None, is_adopted: bool
) -> None:
    """Not before it is sure that there is none, which would run beside the next worker's thread."""
    dead = member(server)
    submitting = Submitting(timestamp=datetime.now(UTC) - timedelta(minutes=minutes))
    flow_run_id = server.has(submitting, pid or f"{PROCESS_PREFIX}{dead.worker_id}")
    search(server, dead, mine={flow_run_id})
    assert server.runs[str(flow_run_id)].state == submitting, "its worker lives, and starts it"
    dead.leave()
    search(server, member(server))
    state = server.runs[str(flow_run_id)].state
    assert state is not None
    assert state.name == ("AwaitingRetry" if is_adopted else "Submitting")


@pytest.mark.parametrize(("minutes", "is_ended"), [(11, True), (9, False)])
@pytest.mark.parametrize("started", [datetime(2026, 1, 1, tzinfo=UTC), None])
def test_a_flow_run_that_is_cancelled_while_its_process_is_not_started_does_not_stay_cancelling(
    server: Server, minutes: int, started: datetime | None, *, is_ended: bool
) -> None:
    """Its worker died before it started the process; an earlier attempt may have started a job."""
    dead = member(server)
    cancelling = State(
        type=StateType.CANCELLING, timestamp=datetime.now(UTC) - timedelta(minutes=minutes)
    )
    pid = f"{PROCESS_PREFIX}{dead.worker_id}"
    flow_run_id = server.has(cancelling, pid, start_time=started)
    assert search(server, dead, mine={flow_run_id}) == [], "its worker lives, and starts it"
    dead.leave()
    assert search(server, member(server)) == ([flow_run_id] if is_ended else [])


def replace_by_another(server: Server, frozen: Membership) -> Membership:
    """One stands still for longer than its lease, and another one finds that out."""
    other = member(server)
    other.bury_the_dead(LOG)
    for _ in range(14):
        server.variables.clock.sleep(5)
        other.renew()
    assert other.bury_the_dead(LOG)
    return other


@pytest.mark.parametrize(
    ("started", "outcome"),
    [(datetime(2026, 1, 1, tzinfo=UTC), WasCancelled), (None, NotTaken)],
)
def test_a_flow_run_that_the_server_cancels_when_it_is_taken_again_is_to_be_ended_by_its_hooks(
    server: Server, tmp_path: Path, started: datetime | None, outcome: type[NotTaken]
) -> None:
    """As with CANCEL_NEW, when another has its slot. What it began goes on until they run."""
    worker = member(server)
    flow_run_id = server.has(State(type=StateType.SCHEDULED), start_time=started)
    refused = State(type=StateType.CANCELLED, message="Deployment concurrency limit reached.")

    def cancelled_instead(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/set_state"):
            return server.answer(request)
        answer = {"status": "REJECT", "details": {"type": "reject_details", "reason": "full"}}
        return httpx.Response(201, json={**answer, "state": refused.model_dump(mode="json")})

    async def take() -> None:
        settings = {"transport": httpx.MockTransport(cancelled_instead)}
        async with PrefectClient("http://prefect.test/api", httpx_settings=settings) as client:
            client._client.enable_csrf_support = False
            taking = Taking(client, "a worker", tmp_path, LOG)
            with pytest.raises(NotTaken) as raised:
                await taking.take(server.runs[str(flow_run_id)], {}, worker)
            taking.close()
        assert type(raised.value) is outcome

    asyncio.run(take())


def test_a_flow_run_that_was_taken_over_as_it_runs_is_proposed_to_nobody(
    server: Server, tmp_path: Path
) -> None:
    """Its thread says Running next, as that of any other."""
    worker = member(server)
    flow_run_id = server.has(Running(), of(worker.worker_id))
    states: list[State] = []
    server.after_state = lambda run: states.append(run.state)  # type: ignore[arg-type]

    async def take(client: PrefectClient) -> None:
        taking = Taking(client, "a worker", tmp_path, LOG)
        with pytest.raises(NeedsProcess, match="no deployment"):
            await taking.take(server.runs[str(flow_run_id)], {}, worker)
        taking.close()

    with_client(server, take)
    assert not states


def test_a_flow_run_gets_no_process_when_its_worker_was_replaced_while_it_took_it(
    server: Server, tmp_path: Path
) -> None:
    """It learns that from its next sign of life."""
    frozen, flow_run_id = member(server), server.has(State(type=StateType.SCHEDULED))
    server.after_state = lambda _: replace_by_another(server, frozen) and None

    async def take(client: PrefectClient) -> None:
        taking = Taking(client, "a worker", tmp_path, LOG)
        taken = asyncio.create_task(taking.take(server.runs[str(flow_run_id)], {}, frozen))
        await asyncio.sleep(0.3)
        assert not taken.done(), "it is not known yet"
        assert not frozen.renew()
        with pytest.raises(NotTaken, match="another worker"):
            await asyncio.wait_for(taken, 30)
        taking.close()

    with_client(server, take)


def test_a_flow_run_that_ends_while_it_is_noted_what_its_worker_died_of_is_not_overwritten(
    server: Server,
) -> None:
    worker, dead = member(server), member(server)
    running = server.has(State(type=StateType.RUNNING), of(dead.worker_id))
    reads: list[FlowRun] = []

    def ends_between(run: FlowRun) -> None:
        reads.append(run)
        if len(reads) == 2:
            run.state = State(type=StateType.FAILED)

    server.before_read = ends_between
    worker.bury_the_dead(LOG)
    for _ in range(14):
        server.variables.clock.sleep(5)
        worker.renew()
    assert worker.bury_the_dead(LOG)
    search(server, worker)
    assert server.runs[str(running)].state.name == "Failed"  # type: ignore[union-attr]


def test_a_worker_that_stops_does_not_adopt_what_it_hands_back(server: Server) -> None:
    """Its threads have ended, so they look like those that it lost when the server was away."""
    stopping = member(server)

    async def stop(client: PrefectClient) -> None:
        with temporary_settings({PREFECT_API_URL: "http://prefect.test/api"}):
            worker = ThreadWorker("pool")
            answered = asyncio.Event()
            worker._service = service = service_of(client, stopping, answered)
            service.start()
            await asyncio.sleep(0.1)
            await worker._drain(print)
            left = server.has(Running(), of(stopping.worker_id))
            answered.set()
            await asyncio.sleep(0.3)
            await service.stop()
            shutil.rmtree(worker._home)
        assert server.runs[str(left)].state.name == "Running"  # type: ignore[union-attr]

    with_client(server, stop)


@pytest.mark.parametrize("is_adopted", [False, True])
def test_a_worker_that_stops_schedules_only_its_own_flow_runs_again(
    server: Server, is_adopted: bool
) -> None:
    """One that another worker has adopted, without this one's knowledge, goes on there."""
    stopped = member(server)
    flow_run_id = server.has(State(type=StateType.RUNNING), of(stopped.worker_id))
    taken = server.runs[str(flow_run_id)]
    if is_adopted:
        other = replace_by_another(server, stopped)
        search(server, other)
        taken.state = Running()

    async def stop(client: PrefectClient) -> None:
        owner = of(stopped.worker_id)
        await HandingBack(client, LOG).all([(taken.id, owner, stopped.is_known_held)])

    with_client(server, stop)
    assert taken.state is not None
    assert taken.state.name == ("Running" if is_adopted else "AwaitingRetry")


def test_a_worker_that_stops_hands_several_back_at_a_time_and_those_behind_a_deleted_one(
    server: Server,
) -> None:
    stopped = member(server)
    owner = of(stopped.worker_id)
    runs = [server.has(State(type=StateType.RUNNING), owner) for _ in range(12)]
    server.deleted = {runs[0]}
    reading, most = 0, 0

    async def slowly(request: httpx.Request) -> httpx.Response:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        await asyncio.sleep(0.01)
        reading -= 1
        return server.answer(request)

    async def stop() -> None:
        settings = {"transport": httpx.MockTransport(slowly)}
        async with PrefectClient("http://prefect.test/api", httpx_settings=settings) as client:
            client._client.enable_csrf_support = False
            await HandingBack(client, LOG).all(
                [(each, owner, stopped.is_known_held) for each in runs]
            )

    asyncio.run(stop())
    names = [server.runs[str(each)].state.name for each in runs]  # type: ignore[union-attr]
    assert names == ["Running", *["AwaitingRetry"] * 11]
    assert 2 <= most <= 8


def test_a_worker_that_stops_reads_its_flow_runs_by_the_page(server: Server) -> None:
    """It may not have long: a call for each, and one for 200 of them."""
    stopped, other = member(server), member(server)
    owner = of(stopped.worker_id)
    runs = [server.has(State(type=StateType.RUNNING), owner) for _ in range(2 * PAGE + 1)]
    taken = server.has(State(type=StateType.RUNNING), of(other.worker_id))
    ended = server.has(State(type=StateType.COMPLETED), owner)
    server.calls.clear()

    async def stop(client: PrefectClient) -> None:
        own = [(each, owner, stopped.is_known_held) for each in (*runs, taken, ended)]
        await HandingBack(client, LOG).all(own)

    with_client(server, stop)
    assert server.calls == {"POST filter": 3, "POST set_state": len(runs)}
    names = [server.runs[str(each)].state.name for each in (*runs, taken, ended)]  # type: ignore[union-attr]
    assert names == [*["AwaitingRetry"] * len(runs), "Running", "Completed"]


def test_flow_runs_that_have_not_begun_are_handed_back_together(server: Server) -> None:
    """Each asks for itself as the start queue closes; those that come later have a page, too."""
    stopped = member(server)
    owner = of(stopped.worker_id)
    runs = [server.has(State(type=StateType.PENDING), owner) for _ in range(30)]
    server.calls.clear()

    async def stop(client: PrefectClient) -> None:
        back = HandingBack(client, LOG)
        for some in (runs[:20], runs[20:]):
            await asyncio.gather(*(back.one((each, owner, stopped.is_known_held)) for each in some))

    with_client(server, stop)
    assert server.calls == {"POST filter": 2, "POST set_state": len(runs)}
    assert {server.runs[str(each)].state.name for each in runs} == {"AwaitingRetry"}  # type: ignore[union-attr]


def test_a_worker_without_threads_hands_back_those_that_have_not_begun_before_it_ends(
    server: Server,
) -> None:
    """Their tasks are cancelled when the worker is drained."""
    stopped = member(server)
    owner = of(stopped.worker_id)
    runs = [server.has(State(type=StateType.PENDING), owner) for _ in range(3)]

    async def stop(client: PrefectClient) -> None:
        endings = Endings(client, no_flow, no_hooks, LOG)
        threads = ThreadRuns(client, endings, contextvars.copy_context(), LOG)
        back = HandingBack(client, LOG)
        own = [back.one((each, owner, stopped.is_known_held)) for each in runs]
        tasks = [asyncio.create_task(one) for one in own]
        processes, may_speak = OwnProcesses(), stopped.is_known_held
        await drained(threads, processes, owner, may_speak, back, 60.0, LOG, print)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    with_client(server, stop)
    assert {server.runs[str(each)].state.name for each in runs} == {"AwaitingRetry"}  # type: ignore[union-attr]


def test_pages_that_cannot_be_read_are_left_to_the_next_worker(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """And those behind them are not."""
    stopped = member(server)
    owner = of(stopped.worker_id)
    runs = [server.has(State(type=StateType.RUNNING), owner) for _ in range(PAGE + 1)]
    pages = iter([False, True])

    def first_fails() -> None:
        if not next(pages):
            raise httpx.DecodingError("the answer is cut off")

    server.before_page = first_fails

    async def stop(client: PrefectClient) -> None:
        await HandingBack(client, LOG).all([(each, owner, stopped.is_known_held) for each in runs])

    with_client(server, stop)
    names = [server.runs[str(each)].state.name for each in runs]  # type: ignore[union-attr]
    assert names == [*["Running"] * PAGE, "AwaitingRetry"]
    assert f"Flow run {runs[0]} is left to the next worker: the answer is cut off" in caplog.text


def test_a_worker_that_is_replaced_while_it_hands_back_leaves_the_rest(server: Server) -> None:
    """The page shows them as its own still: whether it may speak is asked before each."""
    stopped = member(server)
    owner = of(stopped.worker_id)
    runs = [server.has(State(type=StateType.RUNNING), owner) for _ in range(20)]
    server.after_state = lambda run: server.variables.clock.sleep(61)

    async def stop(client: PrefectClient) -> None:
        await HandingBack(client, LOG).all([(each, owner, stopped.is_known_held) for each in runs])

    with_client(server, stop)
    names = [server.runs[str(each)].state.name for each in runs]  # type: ignore[union-attr]
    assert 1 <= names.count("AwaitingRetry") <= AT_ONCE


def test_a_worker_that_was_replaced_while_it_stopped_schedules_nothing_again(
    server: Server,
) -> None:
    """It has read that the flow run is its own, and was frozen before it could say anything."""
    stopped = member(server)
    flow_run_id = server.has(State(type=StateType.RUNNING), of(stopped.worker_id))
    server.before_page = lambda: server.variables.clock.sleep(61)

    async def stop(client: PrefectClient) -> None:
        owner = of(stopped.worker_id)
        await HandingBack(client, LOG).all([(flow_run_id, owner, stopped.is_known_held)])

    with_client(server, stop)
    state = server.runs[str(flow_run_id)].state
    assert state is not None
    assert state.name == "Running"
