"""What is read to place a run before the placement lock is held: its job, connections and runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from flinkglue.errors import CallFailed
from flinkglue.glue.api.connection_reading import Candidates
from flinkglue.glue.api.live_runs import ListedRuns, list_runs
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import CONNECTION_ARGUMENT, Connection, Job, JobRun, JobRunState
from flinkglue.glue.placement.job_settings import OLDEST_LIVE_RUN, oldest_live_run
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.run_request import Log


@dataclass(frozen=True)
class Reading:
    """What is read outside the placement lock: `live_runs` counts the job's runs by connection.

    `listed_at` is a time before the list of runs was read, `known_job` the job if it was read
    before, within a minute, and `known_connections` the names of those connections.
    """

    candidates: Candidates
    runs: ListedRuns
    listed_at: datetime
    live_runs: Counter[str]
    known_job: Job | None = None
    known_connections: frozenset[str] = frozenset()

    @property
    def is_up_to_date(self) -> bool:
        """Whether nothing of it was read before."""
        return self.known_job is None and not self.known_connections


def first_reading(context: RunContext, requested: PlacementRequest) -> Reading:
    """The connections, the job's runs, and those by connection, in one round trip.

    Another is needed only for a job with more than 200 runs in the time that one of them can last.
    """
    client, pages = context.client, _run_pages(context, requested)
    # Connections that nobody named are those of the job as it is now.
    names = requested.connection_names
    known_job = None if names is None else client.kept_jobs.recent(requested.job_name)
    known = {} if names is None or requested.list_all else client.kept_connections.recent(names)
    listed_at = context.clock.now()

    def newest_first() -> Iterator[list[JobRun]]:
        yield from newest.result()
        yield from pages

    with ThreadPoolExecutor(2, thread_name_prefix="glue-runs") as in_parallel:
        runs = in_parallel.submit(list_runs, client, requested.run)
        newest = in_parallel.submit(lambda: list(islice(pages, 1)))
        candidates = client.get_candidates(
            requested.job_name,
            names,
            list_all=requested.list_all,
            known_job=known_job,
            known_connections=known,
        )
        if requested.check_security_groups:
            candidates = client.add_security_groups(candidates)
        live_runs = running_runs(context, requested, candidates, newest_first())
        known_names = frozenset(known)
        return Reading(candidates, runs.result(), listed_at, live_runs, known_job, known_names)


def brought_up_to_date(
    context: RunContext, requested: PlacementRequest, reading: Reading
) -> Reading:
    """The same, with the job and the connections as they are now."""
    client, candidates = context.client, reading.candidates
    if reading.known_job is not None:
        candidates = replace(candidates, job=client.get_job(requested.job_name))
    if reading.known_connections:
        candidates = client.get_candidates(
            requested.job_name, candidates.connection_names, known_job=candidates.job
        )
        if requested.check_security_groups:
            candidates = client.add_security_groups(candidates)
    return replace(reading, candidates=candidates, known_job=None, known_connections=frozenset())


def running_runs(
    context: RunContext,
    requested: PlacementRequest,
    candidates: Candidates,
    pages: Iterable[list[JobRun]] | None = None,
) -> Counter[str]:
    """How many running runs each connection carries.

    Args:
        pages: The job's runs, newest first; None reads them.
    """
    age = oldest_live_run(requested.run.options.over(candidates.job))
    pages = _run_pages(context, requested) if pages is None else pages
    return running_by_connection(pages, context.clock.now() - age, context.log)


def _run_pages(context: RunContext, requested: PlacementRequest) -> Iterator[list[JobRun]]:
    """The job's runs, newest first; only strategy spread uses them."""
    if requested.strategy_name != "spread":
        return iter(())
    since = context.clock.now() - OLDEST_LIVE_RUN
    return context.client.job_run_pages(requested.job_name, since)


def running_by_connection(pages: Iterable[list[JobRun]], since: datetime, log: Log) -> Counter[str]:
    """How many running runs each connection carries, as far as this project started them.

    Runs that are still starting are left out: their reservations count them.

    Args:
        pages: The job's runs, newest first; no more of them are read than needed.
        since: When the oldest live run can have started.
        log: Told when they cannot be read, which fails nothing: zones are then compared without.
    """
    running: Counter[str] = Counter()
    try:
        for page in pages:
            running.update(
                run.arguments.get(CONNECTION_ARGUMENT, "")
                for run in page
                if run.state == JobRunState.RUNNING
            )
            if any(run.started_on and run.started_on < since for run in page):
                break
    except CallFailed as error:
        log.warning("Comparing zones without the job's live runs: %s", error)
        return Counter()
    return running


def by_zone(live_runs: Counter[str], connections: Sequence[Connection]) -> Counter[str]:
    """How many running runs each zone carries."""
    zones: Counter[str] = Counter()
    for connection in connections:
        if connection.subnet is not None:
            zones[connection.subnet.availability_zone] += live_runs[connection.name]
    return zones
