"""Choose the order of a job's connections for one run, and promise it its addresses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice

from flinkglue.clock import Clock, Pace, SystemClock
from flinkglue.glue.api.connection_reading import Candidates, Selection
from flinkglue.glue.api.live_runs import ListedRuns, list_runs
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.protocols import Coordination
from flinkglue.glue.coordination.reservations import Knowledge, Reservation, knowledge_for
from flinkglue.glue.coordination.slots import NoSlot, slots_of
from flinkglue.glue.coordination.start_deadline import StartDeadline
from flinkglue.glue.models import JobRun, Ranking
from flinkglue.glue.options import RunOptions
from flinkglue.glue.placement.demand import EXTRA_NODES, demand_of, usual_extra_nodes
from flinkglue.glue.placement.job_settings import OLDEST_LIVE_RUN, oldest_live_run, warnings_about
from flinkglue.glue.placement.ranking import check_one_vpc, rank
from flinkglue.glue.placement.shortage import (
    CORRECT_ONE_ADVICE,
    NO_ROOM_ADVICE,
    Decision,
    NoPlace,
    ShortagePolicy,
)
from flinkglue.glue.placement.strategies import STRATEGIES, Strategy
from flinkglue.glue.placement.strategy_by_name import AskedOnce
from flinkglue.glue.placement.zone_counts import running_by_connection
from flinkglue.glue.run_request import Log, RunRequest

LOOK_AGAIN = Pace(first_seconds=5, most_seconds=20, jitter=0.5)


@dataclass(frozen=True)
class Wanted:
    """What a person asks of the order.

    Args:
        job_name: The job.
        connection_names: The candidates, in the person's order; None: those that the job has.
        strategy_name: The strategy as the person wrote it.
        strategy: The function it stands for.
        seed: Makes the order repeatable.
        arguments: The run's own arguments.
        extra_nodes: Nodes beside the workers; None counts what the strategy usually does, and
            promises as many as Glue may add.
        needed_addresses: In place of workers and extra nodes.
        allow_several_vpcs: Whether the candidates may lie in more than one VPC.
        list_all: Read all connections of the account with one call.
        check_security_groups: Read the connections' security groups as well, with a call more.
        options: The run's own settings, which win over the job's.
        shortage: What to do when nothing fits.
    """

    job_name: str
    connection_names: Sequence[str] | None
    strategy_name: str
    strategy: Strategy
    seed: int
    arguments: Mapping[str, str] = field(default_factory=dict)
    extra_nodes: int | None = None
    needed_addresses: int | None = None
    allow_several_vpcs: bool = False
    list_all: bool = False
    check_security_groups: bool = False
    options: RunOptions = field(default_factory=RunOptions)
    shortage: ShortagePolicy = field(default_factory=ShortagePolicy)


def select(
    client: GlueClient,
    wanted: Wanted,
    coordination: Coordination,
    *,
    request: RunRequest,
    failed: Sequence[str] = (),
    kept: Ranking | None = None,
    log: Log,
    clock: Clock | None = None,
    pace: Pace | None = None,
) -> Ranking:
    """Order the connections by what their subnets have free and not promised, and promise.

    Waits for addresses when nothing fits and the person chose so, without holding the lock: it is
    taken only to promise.

    Args:
        client: The account.
        wanted: What is asked.
        coordination: What other flow runs promised and saw fail.
        request: What is to be run; the addresses are promised to its key.
        failed: Connections that this flow run saw fail, the earliest first.
        kept: The order of the attempt before, to be kept as long as nothing speaks against it.
        log: Gets a line per decision.
        clock: The time to go by.
        pace: How often to look for addresses while waiting.

    Raises:
        InvalidInput: The connections lie in several VPCs, or the strategy broke its rule.
        CallFailed: The job, its runs, all connections or the subnets could not be read, or the
            lock over the promises was not to be had.
        NoPlace: Nothing fits, and the person chose not to run then; or no connection can hold a run
            before somebody corrects one.
        NoSlot: The job may have no other run now. Nothing is promised, so that others can have it.
        DeadlineExceeded: The request's deadline passed while nothing fitted. Nothing is promised.
    """
    clock = clock or SystemClock()
    started_at, deadline = clock.monotonic(), StartDeadline(request, clock)
    candidates, runs, live_runs = _first_reading(client, wanted, request, log)
    if not candidates.connection_names:
        log.info("Job %s has no connections: it runs without any", wanted.job_name)
    given_order = candidates.connection_names
    for warning in warnings_about(wanted.options.over(candidates.job)):
        log.warning("%s", warning)
    is_own = wanted.strategy_name not in STRATEGIES
    if is_own:
        wanted = replace(wanted, strategy=AskedOnce(wanted.strategy, wanted.strategy_name, log))

    def look() -> tuple[Ranking, Decision]:
        # Promises before counts: a promise that is released in between is held by then, and the
        # count shows it.
        promised = coordination.reservations.live()
        slots = slots_of(candidates.job, request, runs, promised, candidates.subnet_ids)
        if not slots.free and request.key not in runs.by_key:
            coordination.reservations.release(request.key)
            raise NoSlot(wanted.job_name, slots.describe())
        knowledge = knowledge_for(request.key, promised, coordination.cool_downs.live())
        selection = client.add_subnets(candidates)
        knowledge = _with_zones(knowledge, live_runs, selection)
        ranking = _ranked(selection, wanted, knowledge, failed, kept, given_order)
        return ranking, wanted.shortage.decide(ranking, clock.monotonic() - started_at)

    # Most runs can start at once. Those look once, under the lock; a look in advance would cost
    # them a round trip, and all that start together would ask EC2 at the same moment.
    looks_first, has_waited = is_own, False
    for pause in (pace or LOOK_AGAIN).pauses():
        decision = Decision.START
        if looks_first:
            ranking, decision = look()
        if decision is Decision.START:
            if has_waited:
                live_runs = _running(_run_pages(client, wanted), wanted, candidates, log)
            with coordination.reservations.placing(client.region) as lock:
                ranking, decision = look()
                if decision is Decision.START:
                    lock.check()
                    return _promised(coordination, ranking, wanted.job_name, request.key)
        if decision is Decision.FAIL:
            raise _no_place(ranking, wanted)
        no_room = _no_room(ranking, wanted)
        log.info("%s; polling again in %.0f s", no_room, pause)
        clock.sleep(min(pause, max(0.0, deadline.left_seconds)))
        deadline.check(no_room)
        looks_first = has_waited = True
        runs = list_runs(client, request)
    raise AssertionError("pauses never end")


def _first_reading(
    client: GlueClient, wanted: Wanted, request: RunRequest, log: Log
) -> tuple[Candidates, ListedRuns, Counter[str]]:
    """The connections, the job's runs, and those by connection, in one round trip.

    Another is needed only for a job with more than 200 runs in the time that one of them can last.
    """
    pages = _run_pages(client, wanted)

    def newest_first() -> Iterator[list[JobRun]]:
        yield from newest.result()
        yield from pages

    with ThreadPoolExecutor(2, thread_name_prefix="glue-runs") as beside:
        runs = beside.submit(list_runs, client, request)
        newest = beside.submit(lambda: list(islice(pages, 1)))
        candidates = client.get_candidates(
            wanted.job_name, wanted.connection_names, list_all=wanted.list_all
        )
        if wanted.check_security_groups:
            candidates = client.add_security_groups(candidates)
        live_runs = _running(newest_first(), wanted, candidates, log)
        return candidates, runs.result(), live_runs


def _run_pages(client: GlueClient, wanted: Wanted) -> Iterator[list[JobRun]]:
    """The job's runs, newest first; only strategy spread asks for them."""
    if wanted.strategy_name != "spread":
        return iter(())
    return client.job_run_pages(wanted.job_name, datetime.now(UTC) - OLDEST_LIVE_RUN)


def _ranked(
    selection: Selection,
    wanted: Wanted,
    knowledge: Knowledge,
    failed: Sequence[str],
    kept: Ranking | None,
    given_order: Sequence[str],
) -> Ranking:
    if not wanted.allow_several_vpcs:
        check_one_vpc(selection.connections)
    usual, given = usual_extra_nodes(wanted.strategy_name), wanted.extra_nodes
    demand = demand_of(
        wanted.options.over(selection.job),
        extra_nodes=usual if given is None else given,
        promised_extra_nodes=EXTRA_NODES if given is None else given,
        arguments=wanted.arguments,
        needed_addresses=wanted.needed_addresses,
    )
    ranking = rank(
        selection.connections,
        demand.addresses,
        wanted.strategy,
        wanted.seed,
        strategy_name=wanted.strategy_name,
        failed=failed,
        knowledge=knowledge,
        given_order=given_order,
        kept=kept,
    )
    return replace(
        ranking, needed_because=demand.because, promised_addresses=demand.promised_addresses
    )


def _promised(coordination: Coordination, ranking: Ranking, job_name: str, run_key: str) -> Ranking:
    expected = ranking.expected
    if expected is None or expected.subnet_id is None:
        return ranking  # a run without a subnet takes no addresses
    promised_at = datetime.now(UTC)  # before the call: it lasts no longer than is believed
    free = (expected.free_addresses or 0) - expected.reserved_addresses
    coordination.reservations.reserve(
        Reservation(
            run_key=run_key,
            job_name=job_name,
            connection_name=expected.connection_name,
            subnet_id=expected.subnet_id,
            availability_zone=expected.availability_zone or "",
            addresses=min(max(ranking.needed_addresses, ranking.promised_addresses), free),
        )
    )
    return replace(ranking, promised_at=promised_at)


def _running(
    pages: Iterable[list[JobRun]], wanted: Wanted, candidates: Candidates, log: Log
) -> Counter[str]:
    age = oldest_live_run(wanted.options.over(candidates.job))
    return running_by_connection(pages, datetime.now(UTC) - age, log)


def _with_zones(knowledge: Knowledge, live_runs: Counter[str], selection: Selection) -> Knowledge:
    zones = Counter(knowledge.live_runs)
    for connection in selection.connections:
        if connection.subnet is not None:
            zones[connection.subnet.availability_zone] += live_runs[connection.name]
    return replace(knowledge, live_runs=dict(zones))


def _no_place(ranking: Ranking, wanted: Wanted) -> NoPlace:
    if not ranking.needs_a_person:
        return NoPlace(_no_room(ranking, wanted), ranking, NO_ROOM_ADVICE)
    problems = "; ".join(
        f"{r.connection_name}: {r.problem}" for r in ranking.connections if r.problem
    )
    reason = f"No connection of job {wanted.job_name} can hold a run, however long it waits: "
    return NoPlace(reason + problems, ranking, CORRECT_ONE_ADVICE)


def _no_room(ranking: Ranking, wanted: Wanted) -> str:
    subnets = "; ".join(
        f"{r.connection_name} {r.free_addresses}"
        + (f", {r.reserved_addresses} of them promised" if r.reserved_addresses else "")
        for r in ranking.connections
        if r.free_addresses is not None
    )
    return (
        f"No subnet has the {ranking.needed_addresses} addresses that a run of job "
        f"{wanted.job_name} takes (free: {subnets or 'not known'})"
    )
