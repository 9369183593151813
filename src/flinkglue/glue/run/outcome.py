"""How a run ended, as an attempt: which failure it was, and which connections it speaks against."""

from __future__ import annotations

from collections.abc import Sequence

from flinkglue.errors import CallFailed, FlinkGlueError
from flinkglue.glue.attempts import Attempt, attempt_number
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.failures.blame import blamed_connections, carried_by
from flinkglue.glue.failures.classification import classify, classify_call
from flinkglue.glue.failures.own_rules import FailureRule
from flinkglue.glue.failures.rule import FailureClass
from flinkglue.glue.models import CONNECTION_ARGUMENT, CoolDown, JobRun, Ranking
from flinkglue.glue.placement.ranking import rank
from flinkglue.glue.placement.strategies import as_given
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run_request import RunRequest


def recorded_attempts(client: GlueClient, request: RunRequest) -> list[Attempt]:
    """The attempts that earlier processes of the same flow run left in Glue, in order."""
    runs = client.find_runs(
        request.job_name, request.flow_run_id, request.since, before_a_start=True
    )
    return attempts_of(runs, request)


def attempts_of(runs: Sequence[JobRun], request: RunRequest) -> list[Attempt]:
    """A flow run's runs as its attempts, in order.

    Args:
        runs: The newest first: what Glue repeated by itself carries the same key.
    """
    found: dict[int, Attempt] = {}
    for run in runs:
        number = attempt_number(run.key or "", request.flow_run_id)
        if number is not None:
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
    """A run as an attempt, classified when it has ended without success."""
    expected_name, failure = run.arguments.get(CONNECTION_ARGUMENT), None
    if run.ended and not run.succeeded:
        in_vpc = ranking.in_vpc if ranking else expected_name is not None
        failure = classify(run.state, run.error_message, in_vpc=in_vpc, own_rules=own_rules)
    carrier, others = carried_by(ranking, failure, expected_name)
    return Attempt(number, run, carrier, failure, adopted, others, ranking)


def classified(
    context: RunContext,
    request: RunRequest,
    run: JobRun,
    ranking: Ranking | None,
    *,
    adopted: bool,
) -> Attempt:
    """The run as an attempt; which connections an adopted one blames is read from the job."""
    if ranking is None and run.ended and not run.succeeded:
        try:
            ranking = _order_of_the_job(context.client, request.job_name)
        except CallFailed as error:
            context.log.warning("No cooldown, as the failed connection is not known: %s", error)
    rules = request.failure_rules
    return attempt_of(run, request.number, ranking, adopted=adopted, own_rules=rules)


def _order_of_the_job(client: GlueClient, job_name: str) -> Ranking:
    """The order that an adopted run was started with, as far as the job still has it."""
    candidates = client.get_candidates(job_name, None)
    connections, given_order = client.add_subnets(candidates), candidates.connection_names
    return rank(connections, 1, as_given, 0, strategy_name="preferred", given_order=given_order)


def refused_for_its_subnet(
    request: RunRequest, ranking: Ranking | None, error: FlinkGlueError
) -> Attempt | None:
    """A start that Glue refused because of the subnet, as a value; None: it is another failure."""
    if ranking is None or not isinstance(error, CallFailed) or error.operation != "StartJobRun":
        return None
    failure = classify_call(error, request.failure_rules)
    if failure.failure_class is not FailureClass.FAIL_OVER:
        return None
    carrier, others = carried_by(ranking, failure, ranking.expected_name)
    return Attempt(request.number, None, carrier, failure, also_blamed=others, ranking=ranking)


class CoolDownsOfFailure(RunObserver):
    """Cools down the connections that a failure speaks against, for all flow runs.

    After any failure, the connections are read again before another choice.
    """

    def __init__(self, context: RunContext) -> None:
        self._cool_downs = context.coordination.cool_downs
        self._kept = context.client.kept_connections
        self._log = context.log

    def on_ended(self, attempt: Attempt) -> None:
        failure, ranking = attempt.failure, attempt.ranking
        if failure is not None:
            self._kept.forget_all()
        if failure is None or ranking is None:
            return
        for ranked in blamed_connections(ranking, failure, attempt.connection_name):
            assert ranked.subnet_id, "Glue can blame only a connection with a subnet"
            cool_down = CoolDown(ranked.connection_name, ranked.subnet_id, failure.evidence)
            try:
                self._cool_downs.start(cool_down)
            except CallFailed as error:
                self._log.warning("The cooldown could not be recorded: %s", error)
            else:
                self._log.info("Connection %s is on cooldown", ranked.connection_name)
