"""Run a job once: look for the run, else order its connections and start it, then see it end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from flinkglue.clock import Pace, SystemClock, WakeableClock
from flinkglue.errors import (
    CallFailed,
    Conflict,
    DeadlineExceeded,
    InDoubt,
    InvalidInput,
    NotFound,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.glue.attempts import Attempt, attempt_number
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.promise import Promise
from flinkglue.glue.coordination.protocols import Coordination, coordination_in_process
from flinkglue.glue.coordination.slots import OrderStale
from flinkglue.glue.coordination.start_marks import end_marks_of_listed
from flinkglue.glue.failures.blame import also_blamed, blamed_connections, carried_by
from flinkglue.glue.failures.classification import Failure, classify, classify_call
from flinkglue.glue.failures.own_rules import FailureRule
from flinkglue.glue.failures.table import FailureClass
from flinkglue.glue.models import CONNECTION_ARGUMENT, CoolDown, JobRun, Ranking
from flinkglue.glue.placement.from_history import ranking_in_hindsight
from flinkglue.glue.run.automatic_retries import last_of_glues_own
from flinkglue.glue.run.connection_order import (
    LAST_TRIES_SECONDS,
    SHORT_TRY_SECONDS,
    OrderRestoring,
)
from flinkglue.glue.run.start import Started, stale, start_run
from flinkglue.glue.run.wait import watch_run
from flinkglue.glue.run_request import Log, ReadSecrets, RunRequest, no_secrets


def run_job(
    client: GlueClient,
    request: RunRequest,
    ranking: Ranking | None,
    *,
    log: Log,
    coordination: Coordination | None = None,
    read_secrets: ReadSecrets = no_secrets,
    on_run: Callable[[JobRun], None] = lambda run: None,
    on_adopted: Callable[[JobRun], None] = lambda run: None,
    on_look: Callable[[JobRun], None] = lambda run: None,
    clock: WakeableClock | None = None,
    pace: Pace | None = None,
) -> Attempt:
    """Have exactly one run for the request's key, and return how it ended, or that it goes on.

    What was promised to the run stays promised until it holds its addresses, and a connection on
    which it failed is cooled down.

    Args:
        client: The account.
        request: What to run.
        ranking: The order to start it with; None only continues a run that exists.
        log: Gets a line per decision.
        coordination: What is agreed on with other flow runs; without it nobody else starts runs.
        read_secrets: Tells the values of the request's secret arguments, just before a start.
        on_run: Told about the run as soon as it is known.
        on_adopted: Told about a run that was there already.
        on_look: Told what each look at the run saw.
        clock: The time to go by.
        pace: How often to look.

    Raises:
        CallFailed: The run could not be looked for, started or watched. Calling again with the same
            request is safe: it looks for the run first.
        OrderStale: Nothing was started, and the order has to be chosen anew; after a NoSlot when
            there is a slot again.
        InvalidInput: The job would lose something by its new order, or a secret is refused; nothing
            was written, and there is no run.
        DeadlineExceeded: The run was to be waited for and did not end in time; it is left running.
            Or it could not be started in time, and there is none.
    """
    clock = clock or SystemClock()
    coordination = coordination or coordination_in_process()
    promised_at = ranking.promised_at if ranking else None
    promise = Promise(coordination.reservations, request.key, clock, log, promised_at)
    order = OrderRestoring(client, request, coordination, clock, log)

    def saw(run: JobRun) -> None:
        promise.saw(run)
        order.saw(run)
        on_look(run)

    started: Started | None = None
    try:
        if ranking is None:
            started = _adopted(client, request)
        else:
            started = start_run(
                client,
                request,
                ranking,
                coordination,
                log=log,
                clock=clock,
                read_secrets=read_secrets,
                before_writing=order.remember,
                promise=promise,
            )
    except CallFailed as error:
        try:
            _settle(promise, request, error)
            attempt = _refused(request, ranking, error)
        except CallFailed:
            if not isinstance(error, InDoubt):  # then there may be a run that needs the order
                order.end(_restoring_seconds(classify_call(error)))
            raise
    except (DeadlineExceeded, InvalidInput):  # before anything was started
        promise.end()
        order.end()
        raise
    else:
        run = started.run
        if started.adopted:
            log.info("Adopted run %s of job %s (%s)", run.job_run_id, run.job_name, run.describe())
            on_adopted(run)
        order.saw(run)
        on_run(run)
        watch = partial(watch_run, client, request, log=log, clock=clock, pace=pace)
        run = watch(run, on_look=saw)
        run = last_of_glues_own(
            client, request, run, log=log, watch=partial(watch, on_look=on_look), clock=clock
        )
        if run.ended:
            log.info("Run %s of job %s ended %s", run.job_run_id, run.job_name, run.describe())
        if ranking is None and run.ended and not run.succeeded:
            ranking = _in_hindsight(client, request, log)
        attempt = attempt_of(
            run, request.number, ranking, adopted=started.adopted, own_rules=request.failure_rules
        )
    if not attempt.live:  # a live one has given it back, or may still have to take its addresses
        promise.end()
    _cool_down(attempt, ranking, coordination, log)
    order.end(_restoring_seconds(attempt.failure))
    if started is not None:  # last: others can have the addresses and learn of a failure before
        end_marks_of_listed(client, request, coordination.start_marks, log, started.mark)
    if attempt.failure and attempt.failure.alert:
        log.warning("Job %s needs a person: %s", request.job_name, attempt.describe())
    return attempt


def recorded_attempts(client: GlueClient, request: RunRequest) -> list[Attempt]:
    """The attempts that earlier processes of the same flow run left in Glue, in order."""
    found: dict[int, Attempt] = {}
    runs = client.find_runs(
        request.job_name, request.flow_run_id, request.since, before_a_start=True
    )
    for run in runs:
        number = attempt_number(run.key or "", request.flow_run_id)
        if number is not None:
            # Newest first: what Glue repeated by itself carries the same key.
            attempt = attempt_of(run, number, None, adopted=True, own_rules=request.failure_rules)
            found.setdefault(number, attempt)
    return [found[number] for number in sorted(found)]


def attempt_of(
    run: JobRun,
    number: int,
    ranking: Ranking | None,
    *,
    adopted: bool,
    own_rules: Sequence[FailureRule] = (),
) -> Attempt:
    """A run as an attempt, judged when it has ended without success."""
    failed = run.ended and not run.succeeded
    expected_name = run.arguments.get(CONNECTION_ARGUMENT)
    in_vpc = ranking.in_vpc if ranking else expected_name is not None
    failure = (
        classify(run.state, run.error_message, in_vpc=in_vpc, own_rules=own_rules)
        if failed
        else None
    )
    connection_name = carried_by(ranking, failure, expected_name)
    return Attempt(
        number=number,
        run=run,
        connection_name=connection_name,
        failure=failure,
        adopted=adopted,
        also_blamed=also_blamed(ranking, failure, connection_name),
        ranking=ranking,
    )


def _settle(promise: Promise, request: RunRequest, error: CallFailed) -> None:
    """What a start that failed means for the run's addresses.

    Raises:
        OrderStale: The start may be tried again, and the promise may not last until then.
    """
    if isinstance(error, InDoubt):
        return  # a run may be on its way to take them
    passes = isinstance(error, Throttled | ServiceUnavailable | Conflict)
    if not passes or isinstance(error, OrderStale):
        promise.end()
    else:
        promise.renew()
        if promise.may_have_lapsed:
            promise.end()
            raise stale(request.job_name) from error


def _restoring_seconds(failure: Failure | None) -> float:
    """How long to try to put the order back: another run may follow, which writes its own."""
    is_followed = failure is not None and failure.failure_class is not FailureClass.STOP
    return SHORT_TRY_SECONDS if is_followed else LAST_TRIES_SECONDS


def _adopted(client: GlueClient, request: RunRequest) -> Started:
    run = client.find_run_by_key(request.job_name, request.key, request.since)
    if run is None:
        raise NotFound(
            "AWS Glue",
            "GetJobRuns",
            f"job {request.job_name}",
            f"the run with key {request.key} is not there any more",
            advice="run the flow again",
        )
    return Started(run, adopted=True)


def _in_hindsight(client: GlueClient, request: RunRequest, log: Log) -> Ranking | None:
    """What tells which connections a failure of an adopted run speaks against."""
    try:
        return ranking_in_hindsight(client, request.job_name)
    except CallFailed as error:
        log.warning("Other flow runs may not learn of the failure: %s", error)
        return None


def _cool_down(
    attempt: Attempt, ranking: Ranking | None, coordination: Coordination, log: Log
) -> None:
    failure = attempt.failure
    if failure is None or ranking is None:
        return
    for ranked in blamed_connections(ranking, failure, attempt.connection_name):
        assert ranked.subnet_id, "Glue can blame only a connection with a subnet"
        cool_down = CoolDown(ranked.connection_name, ranked.subnet_id, failure.evidence)
        try:
            coordination.cool_downs.start(cool_down)
        except CallFailed as error:
            log.warning("Other flow runs do not learn of the failure: %s", error)
        else:
            log.info("Connection %s is on cooldown", ranked.connection_name)


def _refused(request: RunRequest, ranking: Ranking | None, error: CallFailed) -> Attempt:
    """A start that Glue refused because of the subnet, as a value; anything else is raised."""
    failure = classify_call(error, request.failure_rules)
    is_start = error.operation == "StartJobRun"
    moves_on = is_start and failure.failure_class is FailureClass.FAIL_OVER
    if not moves_on or ranking is None:
        raise error
    expected_name = ranking.expected.connection_name if ranking.expected else None
    connection_name = carried_by(ranking, failure, expected_name)
    return Attempt(
        number=request.number,
        run=None,
        connection_name=connection_name,
        failure=failure,
        also_blamed=also_blamed(ranking, failure, connection_name),
        ranking=ranking,
    )
