"""Start one run with the order that was chosen for it, under the job's lock.

UpdateJob changes the definition that all runs of the job share, and Glue reads it when a run is
submitted. So GetJob, UpdateJob and StartJobRun are one step, which one flow run does at a time.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count, islice

from flinkglue.errors import (
    CallFailed,
    InDoubt,
    NotFound,
)
from flinkglue.glue.api.kept_jobs import settings_of
from flinkglue.glue.api.live_runs import NO_RUNS, ListedRuns, list_runs
from flinkglue.glue.api.run_listing import recent
from flinkglue.glue.coordination.claims import Start
from flinkglue.glue.coordination.lock import HeldLock, job_lock_name
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.coordination.slots import (
    NoSlot,
    OrderStale,
    Slots,
    is_refused_for_slots,
    slots_of,
)
from flinkglue.glue.coordination.start_deadline import StartDeadline
from flinkglue.glue.log_arguments import log_arguments
from flinkglue.glue.log_places import located
from flinkglue.glue.models import (
    CONNECTION_ARGUMENT,
    RUN_KEY_ARGUMENT,
    WAIT_FOR_END_ARGUMENT,
    Job,
    JobRun,
    Ranking,
    own_arguments,
)
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run.run_claim import RunClaim
from flinkglue.glue.run.run_search import runs_within_reach
from flinkglue.glue.run.start_retries import DOUBTED_SECONDS, patience_for
from flinkglue.glue.run_request import RunRequest

COUNTED_WITHIN_SECONDS = 5.0
"""How long the job's runs are as they were listed to choose the order: the reservations that are
made since then tell others of those that are on their way."""


@dataclass(frozen=True)
class Started:
    """The one run of a key; `adopted`: it was there already.

    The run that was just started has all arguments that say where its logs lie: its own and its
    job's.
    """

    run: JobRun
    adopted: bool = False


def adopted_run(context: RunContext, request: RunRequest, claim: RunClaim) -> Started:
    """The run that is there already, by its key.

    Raises:
        CallFailed: It could not be searched for, or is not there any more.
    """
    try:
        run = context.client.find_run_by_key(request.job_name, request.key, request.since)
    except CallFailed as error:
        claim.keep_if_started_again(error)
        raise
    if run is None:
        raise NotFound(
            "AWS Glue",
            "GetJobRuns",
            f"job {request.job_name}",
            f"the run with key {request.key} no longer exists",
            advice="run the flow again",
        )
    return Started(run, adopted=True)


def start_run(
    context: RunContext,
    request: RunRequest,
    ranking: Ranking,
    claim: RunClaim,
    observer: RunObserver,
) -> Started:
    """Start the run with its order, unless it is there already.

    The job's lock is not held while waiting.

    Args:
        observer: Notified before each start of the order that is written for it.

    Raises:
        OrderStale: There is no slot for the run, or its reservation may have lapsed while others
            held the lock.
        CallFailed: The job could not be read or written, or the run not be started.
        InvalidInput: The job would lose something by its new order; nothing was written.
        InDoubt: A run may have been started and cannot be searched for, or Glue goes on failing.
        DeadlineExceeded: The deadline passed before the run could be started; there is none.
    """
    deadline = StartDeadline(request, context.clock)
    try:
        return _Starting(context, request, ranking, claim, observer, deadline).until_done()
    except CallFailed as error:
        claim.keep_if_started_again(error)
        raise


@dataclass(frozen=True)
class _Doubt:
    """A start that may have happened, and its record."""

    error: InDoubt
    start: Start


@dataclass(frozen=True)
class _Starting:
    """The start of one run; what each part is stands at `start_run`."""

    context: RunContext
    request: RunRequest
    ranking: Ranking
    claim: RunClaim
    observer: RunObserver
    deadline: StartDeadline

    def until_done(self) -> Started:
        """Try, as often and as long as each failure allows."""
        clock, log = self.context.clock, self.context.log
        began_at = clock.monotonic()
        newer_than, earlier = self._read_ahead()
        if found := earlier.by_key.get(self.request.key):
            return Started(found, adopted=True)
        for tries in count():
            self.claim.keep()
            try:
                with self._job_lock() as lock:
                    outcome = self._once(lock, newer_than, earlier)
            except CallFailed as error:
                patience = patience_for(error)
                if patience is None or clock.monotonic() - began_at > patience.seconds:
                    raise
                pause = next(islice(patience.pace.pauses(), tries, None))
                log.info("Retrying the start in %.1f s: %s", pause, error)
                clock.sleep(pause)
                continue
            if isinstance(outcome, Started):
                return outcome
            if run := self._search_for(outcome):
                self.claim.end(outcome.start)
                return Started(run, adopted=not outcome.start.is_new)
            if clock.monotonic() - began_at > DOUBTED_SECONDS:
                raise outcome.error
            self.claim.end(outcome.start)
            log.warning("The start did not go through; retrying")
        raise AssertionError("tries never end")

    def _job_lock(self) -> AbstractContextManager[HeldLock]:
        context = self.context
        return context.coordination.locks.hold(
            job_lock_name(context.client.region, self.request.job_name)
        )

    def _read_ahead(self) -> tuple[datetime, ListedRuns]:
        """What is read of a long list before the lock is held, and since when the rest is read.

        A run of this key that is not in it was started, or listed, later.
        """
        now = self.context.clock.now()
        newer_than = recent(self.request.since, now)
        if newer_than == self.request.since:
            return newer_than, NO_RUNS
        return newer_than, list_runs(self.context.client, self.request)

    def _once(self, lock: HeldLock, newer_than: datetime, earlier: ListedRuns) -> Started | _Doubt:
        """Read, write, start. What was true before the lock was held may not be true any more."""
        request = self.request
        job = self.context.client.get_job(request.job_name)
        slots = None
        if not self._is_counted:
            runs = earlier.and_newer(list_runs(self.context.client, request, newer_than))
            if found := runs.by_key.get(request.key):
                return Started(found, adopted=True)
            slots = slots_of(job, request, runs)
        self._check_settings(job)
        self.deadline.check("the job's turn to be started has come too late")
        if slots is not None and not slots.free:
            raise NoSlot(request.job_name, slots.describe())
        self.claim.check()
        arguments = self._arguments()  # before the job is written: a secret may be refused
        self._write_order(job, lock)
        start = self.claim.start()
        if not start.is_new:
            return _Doubt(_began_before(request), start)
        try:
            if found := self._run_of_another_process(newer_than, earlier):
                self.claim.end(start)
                return Started(found, adopted=True)
            self.claim.check()
            lock.check()
            job_run_id = self.context.client.start_job_run(
                request.job_name, arguments, request.options.parameters()
            )
        except InDoubt as error:
            return _Doubt(error, start)
        except CallFailed as error:
            self.claim.end(start)
            if is_refused_for_slots(error):
                raise _no_slot(request, error, slots) from error
            raise
        self.context.log.info("Started run %s of job %s", job_run_id, request.job_name)
        own = own_arguments(arguments)
        run = JobRun(
            request.job_name,
            job_run_id,
            "STARTING",
            arguments=own,
            log_arguments=log_arguments(arguments),
            glue_version=job.get("GlueVersion"),
        )
        return Started(located(run, job))

    def _check_settings(self, job: Job) -> None:
        """Return only if the order was chosen for a job with these settings.

        Raises:
            OrderStale: It was chosen by an earlier reading, and the job was changed since.
        """
        if self.ranking.job_settings and self.ranking.job_settings != settings_of(job):
            raise OrderStale(
                "AWS Glue",
                "GetJob",
                f"job {self.request.job_name}",
                "the job was changed since its settings were read to choose its connections",
                advice="nothing was started; the connections are chosen again",
            )

    def _check_connections(self, job: Job) -> None:
        """Return only if the connections of the order exist.

        Raises:
            OrderStale: One was deleted since it was read.
        """
        names = self.ranking.connection_names
        lookups = self.context.client.get_candidates(self.request.job_name, names, known_job=job)
        for name, lookup in zip(names, lookups.lookups, strict=True):
            if isinstance(lookup, NotFound):
                raise OrderStale(
                    "AWS Glue",
                    "UpdateJob",
                    f"job {self.request.job_name}",
                    f"connection {name} was deleted since it was read to choose the connections",
                    advice="nothing was started; the connections are chosen again",
                )

    @property
    def _is_counted(self) -> bool:
        """Whether the list would say nothing new: no run of this key, and slots as a moment ago."""
        listed_at = self.ranking.listed_at
        if self.request.may_exist or listed_at is None:
            return False
        age_seconds = (self.context.clock.now() - listed_at).total_seconds()
        return 0 <= age_seconds <= COUNTED_WITHIN_SECONDS

    def _run_of_another_process(self, newer_than: datetime, earlier: ListedRuns) -> JobRun | None:
        """The run that another process of the flow run had since the list was read for this start.

        It may have ended, and its claim with it, while this process was suspended and its clocks
        stood still. Any other process reserves in place of this one before it starts the run.
        """
        if self.claim.is_confirmed():
            return None
        runs = earlier.and_newer(list_runs(self.context.client, self.request, newer_than))
        return runs.by_key.get(self.request.key)

    def _arguments(self) -> dict[str, str]:
        expected_name = self.ranking.expected_name
        return {
            **self.request.arguments,
            **self.context.read_secrets(self.request.secret_arguments),
            RUN_KEY_ARGUMENT: self.request.key,
            **({CONNECTION_ARGUMENT: expected_name} if expected_name is not None else {}),
            **({} if self.request.wait_for_end else {WAIT_FOR_END_ARGUMENT: "false"}),
        }

    def _write_order(self, job: Job, lock: HeldLock) -> None:
        job_name, missing = self.request.job_name, self.ranking.missing_names
        client, log = self.context.client, self.context.log
        if missing:
            log.warning("Job %s: left out %s: no such connection", job_name, ", ".join(missing))
        update = client.plan_update(job, self.ranking.connection_names, leave_out=missing)
        update.check_nothing_is_lost(job_name, self.request.allow_lost_settings)
        self.observer.before_start(job, update, lock)
        if not update.changes:
            log.info("Job %s already has this connection order; nothing is written", job_name)
            return
        if update.lost:
            log.warning("Job %s loses these settings: %s", job_name, ", ".join(update.lost))
        lock.check()
        try:
            client.update_job(job_name, update)
        except NotFound:
            self._check_connections(job)
            raise
        if not update.lost:
            client.kept_jobs.keep(job_name, job)  # all of it but the order
        log.info(
            "Job %s: connection order changed: %s → %s",
            job_name,
            ", ".join(update.connections_before) or "none",
            ", ".join(update.connections_after),
        )
        if update.kept_by_glue:
            kept = ", ".join(update.kept_by_glue)
            log.info("Job %s: not sent, because Glue keeps them itself: %s", job_name, kept)

    def _search_for(self, doubt: _Doubt) -> JobRun | None:
        """The run, as soon as Glue lists it; None when the list is read and it is not there.

        Raises:
            InDoubt: The list cannot be read, which says nothing about the run.
        """
        self.context.log.warning("Checking whether the run was started: %s", doubt.error)
        key = self.request.key
        # What may just have been started is not far down the list.
        since = recent(self.request.since, self.context.clock.now())
        request = replace(self.request, since=since)
        try:
            runs = runs_within_reach(self.context, request, [key])
        except CallFailed:
            raise doubt.error from None
        return next(iter(runs.get(key, ())), None)


def _no_slot(request: RunRequest, error: CallFailed, slots: Slots | None) -> NoSlot:
    """Glue's refusal; `slots` is what the job seemed to have, None: that was not read again."""
    if slots is None:
        return NoSlot(request.job_name, error.reason)
    reason = f"{error.reason} ({slots.describe()})"
    return NoSlot(request.job_name, reason, refused_although_free=True)


def _began_before(request: RunRequest) -> InDoubt:
    return InDoubt(
        "AWS Glue",
        "StartJobRun",
        f"job {request.job_name}",
        f"another process was about to start the run with key {request.key}",
        advice="search for the run before another is started; running the flow again does that",
    )
