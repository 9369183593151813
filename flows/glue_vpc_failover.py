"""Run an AWS Glue job on the VPC connection whose subnet has room for it."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from random import SystemRandom
from typing import Any

from prefect.input import RunInput
from pydantic import Field

from flinkglue.blocks.aws import AwsCredentialsChoice, AwsRegion
from flinkglue.blocks.aws_credentials import AwsCredentials
from flinkglue.blocks.forms.glue_job import (
    MOVED,
    AdvancedOptions,
    RetryOptions,
    ShortageOptions,
    StrategyChoice,
    WaitOptions,
    strategy_name,
    with_strategy_function,
)
from flinkglue.blocks.glue_job_definition import GlueJobDefinition, GlueJobDefinitionChoice
from flinkglue.blocks.secret_arguments import read_secret_arguments
from flinkglue.clock import SystemClock
from flinkglue.errors import DeadlineExceeded, JobFailed
from flinkglue.glue.attempts import (
    Attempt,
    AttemptFailed,
    RetryPolicy,
    is_recorded,
    settled_number,
    with_attempt,
)
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.slots import NotStarted
from flinkglue.glue.inputs import (
    JobName,
    argument_values,
    check_arguments,
    check_secret_arguments,
    parse_connection_names,
)
from flinkglue.glue.models import JobPlace
from flinkglue.glue.options import RunOptions
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.placement.shortage import NoPlace
from flinkglue.glue.placement.strategy_by_name import allowed_modules, load_strategy
from flinkglue.glue.run.cost import cost_of, limit_in_words
from flinkglue.glue.run.outcome import recorded_attempts
from flinkglue.glue.run.report import RunOutput, followed_output
from flinkglue.glue.run.stop import stopped_at_the_deadline
from flinkglue.glue.run_request import RunRequest
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.forms.form_flow import form_flow
from flinkglue.prefect.hooks.glue_run import (
    stop_and_restore,
    stop_when_cancelled,
    stop_when_crashed,
)
from flinkglue.prefect.hooks.settling import Parameters
from flinkglue.prefect.names import USUAL_CREDENTIALS
from flinkglue.prefect.pages.glue_choices import Choices
from flinkglue.prefect.pages.glue_end import show_early_end, show_end
from flinkglue.prefect.pages.glue_events import emit_exhausted
from flinkglue.prefect.questions import ask
from flinkglue.prefect.retries import failed_at, first_started_at, is_another_attempt
from flinkglue.prefect.run_log import run_log, this_flow_run
from flinkglue.tasks.glue import (
    connect,
    credentials_and_place,
    find_recorded_attempts,
    prioritize_connections,
    read_script_output,
    run_glue_job,
    wait_for_slot,
)
from flinkglue.tasks.glue_definition import definition_of, deploy_glue_job
from flinkglue.tasks.glue_wait import reset_job_bookmark
from flinkglue.texts import counted, sentence, sentences

RAISE_THE_LIMIT = (
    "What to do: start a new flow run, which counts from 0, with a higher "
    "retry_options.max_dpu_hours if it needs one; with retry_options.ask_within_minutes, its page "
    "shows the question instead"
)


def _client_and_place(given: Parameters) -> tuple[GlueClient, JobPlace]:
    credentials, place = credentials_and_place(given["aws_credentials"], given["region"])
    return connect(credentials), place


stop_live_runs = stop_when_cancelled(_client_and_place)


@form_flow(
    name="glue-job",
    moved=MOVED,
    adapt=with_strategy_function,
    flow_run_name="{job_name}: attempt 1",
    on_cancellation=[stop_live_runs],
    on_crashed=[stop_when_crashed(stop_live_runs)],
)
@ends_in_words
def glue_vpc_failover(
    job_name: JobName,
    connection_names: list[str] | str | None = None,
    strategy: StrategyChoice = "random",
    arguments: dict[str, Any] | None = None,
    secret_arguments: dict[str, str] | None = None,
    aws_credentials: AwsCredentialsChoice = USUAL_CREDENTIALS,
    region: AwsRegion | None = None,
    job_definition: GlueJobDefinitionChoice | None = None,
    # The groups are frozen, and the form shows their defaults.
    run_options: RunOptions = RunOptions(),  # noqa: B008
    shortage_options: ShortageOptions = ShortageOptions(),  # noqa: B008
    retry_options: RetryOptions = RetryOptions(),  # noqa: B008
    wait_options: WaitOptions = WaitOptions(),  # noqa: B008
    advanced_options: AdvancedOptions = AdvancedOptions(),  # noqa: B008
) -> dict[str, Any]:
    """Put a Glue job's connections in order by the free addresses of their subnets, and run it.

    The job needs one address per node in the subnet of the connection that Glue takes, which is the
    first that has any. The addresses are reserved for this run, so that runs starting together do
    not count on the same ones; runs of one job take turns to write its definition. A failed run is
    retried from the choice on, the failed connection last, and that connection is on cooldown for
    all flow runs for five minutes, while there are others.

    Args:
        job_name: The Glue job to run.
        connection_names: The connections to choose from, as a list or comma-separated. Other
            connections of the job are kept, after these. Empty: the job's connections, except for
            strategy preferred; a job without connections just runs.
        strategy: How the connections are ordered. random: shuffled, those with enough addresses
            first. capacity: most free addresses first. weighted: drawn, each in
            proportion to its free addresses. best_fit: the smallest subnet that holds the whole
            run. preferred: in the order given here. spread: the zone with the fewest live runs.
            custom: your own, in advanced_options.strategy_function.
        arguments: Job arguments by name, for example --date. Values other than texts reach
            the script as JSON; null leaves an argument out. Do not put secrets here. The script
            gets --flinkglue-run-key and --flinkglue-connection as well.
        secret_arguments: Job arguments that Prefect must not show. By argument name, for example
            --api-key, the name of a Secret block that holds the value. It is read when a run
            starts, and hidden in logs. Glue itself shows it to everybody who may read the job's
            runs.
        aws_credentials: The AWS Credentials block with the account and region, or its name.
        region: The region of this run, instead of the block's, for example eu-west-1.
        job_definition: A Glue Job Definition block, or its name. The job is created from it, or
            changed where it differs, before it runs. Needs the permission glue:CreateJob, with
            tags glue:GetTags, glue:TagResource and glue:UntagResource, and for a script of the
            block s3:GetObject and s3:PutObject. Empty: the job runs as it is.
        run_options: Settings of this run that override the job's. Empty: as the job has them.
        shortage_options: What a run needs of a subnet, and what to do when no subnet has it.
        retry_options: When a failed run is followed by another one.
        wait_options: How long a run is waited for, and what happens to it when nobody does.
        advanced_options: Settings that few runs need.

    Returns:
        The run that succeeded (without wait_for_end: that continues), its expected connection, all
        attempts, and the cost.

    Raises:
        InvalidInput: A parameter was refused before any call.
        CallFailed: A service refused a call, or did not answer after several.
        JobFailed: The last run failed.
    """
    values = argument_values(arguments or {})
    chosen = strategy_name(strategy, advanced_options.strategy_function)
    names = parse_connection_names(connection_names, chosen)
    ordered_by = load_strategy(chosen, allowed_modules())
    check_arguments(values)
    check_secret_arguments(secret_arguments or {}, values)
    definition = None
    if not is_another_attempt():  # whose run may be there already, and need no secret any more
        read_secret_arguments(secret_arguments or {})
        definition = definition_of(job_definition, job_name) if job_definition else None
    credentials, place = credentials_and_place(aws_credentials, region)
    flow_run = this_flow_run()
    first = RunRequest(
        job_name=job_name,
        flow_run_id=str(flow_run.id),
        since=first_started_at(flow_run),
        arguments=values,
        deadline_seconds=wait_options.deadline_minutes * 60,
        options=run_options,
        secret_arguments=secret_arguments or {},
        restore_order=advanced_options.restore_order,
        allow_lost_settings=advanced_options.allow_lost_settings,
        failure_rules=tuple(retry_options.failure_rules),
        wait_for_end=wait_options.wait_for_end,
        may_exist=False,  # the task that starts it knows of another attempt
        place=place,
    )
    seed = advanced_options.seed
    placement = PlacementRequest(
        run=first,
        connection_names=names,
        strategy_name=chosen,
        strategy=ordered_by,
        seed=SystemRandom().getrandbits(31) if seed is None else seed,
        extra_nodes=shortage_options.extra_nodes,
        needed_addresses=shortage_options.needed_addresses,
        allow_several_vpcs=advanced_options.allow_several_vpcs,
        list_all=advanced_options.read_all_connections,
        check_security_groups=advanced_options.check_security_groups,
        shortage=shortage_options.policy(chosen),
    )
    attempts = []
    if is_another_attempt():  # nothing is older than the first
        attempts = find_recorded_attempts(credentials, first, job_definition is not None)
    if advanced_options.reset_bookmark and not attempts:
        reset_job_bookmark(credentials, job_name)
    ended_before = failed_at(flow_run) if attempts else None
    policy = replace(retry_options.policy, settled=settled_number(attempts, ended_before))
    follow_logs, requested_again = wait_options.follow_logs, ended_before is not None
    first_number = policy.first_number(attempts)
    price = advanced_options.price_per_dpu_hour
    why = ""
    try:
        for number in count(first_number):
            goes_on = is_recorded(attempts, number)
            if attempts and not goes_on:
                why = _why_no_other_run(job_name, attempts, retry_options, policy)
            if why:
                run_log().warning("%s", why)
                break
            if number > first_number:
                _pause(policy.delay_after(attempts))
            elif not goes_on:  # a run that is there already goes on as its job was
                _deploy(
                    credentials,
                    definition or definition_of(job_definition, job_name),
                    advanced_options,
                    place,
                )
            now = SystemClock().now()
            request = replace(
                first, number=number, requested_at=now, requested_again=requested_again
            )
            try:
                if goes_on:
                    attempt = _continued(credentials, request, follow_logs)
                else:
                    requested = replace(placement, run=request)
                    attempt = _new_attempt(credentials, requested, attempts, policy, follow_logs)
            except AttemptFailed as failed:
                attempt = failed.attempt
            except DeadlineExceeded as late:
                if wait_options.when_deadline_passes == "leave":
                    raise
                client = connect(credentials).masked_for(request)
                stopped = stop_and_restore(client, request, run_log())
                raise stopped_at_the_deadline(late, stopped) from None
            attempts = with_attempt(attempts, attempt)
            if not policy.again(attempt):
                break
    except Exception as error:
        _show_early_end(credentials, first, attempts, error)
        raise
    return _result(credentials, first, _ended(job_name, attempts, policy), price, why)


def _deploy(
    credentials: AwsCredentials,
    definition: GlueJobDefinition | None,
    options: AdvancedOptions,
    place: JobPlace,
) -> None:
    """Have the job as its definition says, before a run of it is started."""
    if definition is not None:
        deploy_glue_job(
            credentials,
            definition,
            allow_lost_settings=options.allow_lost_settings,
            keep_connections=True,
            place=place,
        )


def _ended(job_name: str, attempts: list[Attempt], policy: RetryPolicy) -> list[Attempt]:
    """The attempts, which no other one follows; an event says so where one might have helped."""
    ended = [*attempts[:-1], attempts[-1].as_last()]
    if policy.may_help(ended[-1]):
        emit_exhausted(job_name, ended)
    return ended


def _show_early_end(
    credentials: AwsCredentials, request: RunRequest, attempts: list[Attempt], error: Exception
) -> None:
    client = connect(credentials).masked_for(request)
    show_early_end(
        client,
        request,
        attempts,
        lambda: recorded_attempts(client, request),
        error,
    )


def _continued(credentials: AwsCredentials, request: RunRequest, follow_logs: bool) -> Attempt:
    """Wait for a run that an earlier process started."""
    attempt = run_glue_job(credentials, request, None, follow_logs)
    assert isinstance(attempt, Attempt), "a run that is only adopted needs no slot"
    return attempt


def _new_attempt(
    credentials: AwsCredentials,
    requested: PlacementRequest,
    attempts: list[Attempt],
    policy: RetryPolicy,
    follow_logs: bool,
) -> Attempt:
    """Choose and run; when the job has no slot, wait for one and choose again."""
    failed, kept = policy.failed_connections(attempts), policy.kept_order(attempts)
    request = requested.run
    refused = 0
    with Choices(requested, policy.moved_from(attempts)) as choices:
        for tries in count(1):
            try:
                ranking = prioritize_connections(credentials, requested, failed, kept)
            except NoPlace as no_place:
                choices.show_refused(no_place)
                raise
            if ranking is None:
                refused = 0
            else:
                choices.show(ranking)
                outcome = run_glue_job(credentials, request, ranking, follow_logs)
                if not isinstance(outcome, NotStarted):
                    return outcome
                refused = refused + 1 if outcome.refused_although_free else 0
            wait_for_slot(credentials, request, tries, refused)
    raise AssertionError("slots are waited for until the deadline")


class AnotherRun(RunInput):
    """The answer that another run may follow, whatever those before cost."""

    start_another_run: bool = Field(default=False, description="Whether another run may follow.")


def _why_no_other_run(
    job_name: str, attempts: list[Attempt], options: RetryOptions, policy: RetryPolicy
) -> str:
    """Why what the runs took allows no other one; empty: one may follow, perhaps by an answer."""
    used = limit_in_words(attempts, options.max_dpu_hours)
    if not used:
        return ""
    why = f"No further run is started: {used}"
    if not options.ask_within_minutes:
        return f"{why}. {RAISE_THE_LIMIT}"
    times = counted(len(attempts), "time")
    question = f"Glue job {job_name} failed {times}; {used}. Start another run?"
    name = f"another-run-after-{attempts[-1].number}"
    answer = ask(AnotherRun, question, name, options.ask_within_minutes)
    if answer is None:  # the server lets this flow run do nothing more
        described = _ended(job_name, attempts, policy)[-1].describe()
        raise JobFailed(_failed(job_name, described, f"{why}, and nobody answered in time"))
    return "" if answer.start_another_run else f"{why}, and the answer was no"


def _failed(job_name: str, *parts: str) -> str:
    return f"Glue job {job_name}: {sentences(*parts)}"


def _pause(delay_seconds: float) -> None:
    if delay_seconds:
        run_log().info("Trying again in %g s", delay_seconds)
        SystemClock().sleep(delay_seconds)


def _result(
    credentials: AwsCredentials,
    request: RunRequest,
    attempts: list[Attempt],
    price: float | None,
    why_no_other_run: str,
) -> dict[str, Any]:
    last, job_name = attempts[-1], request.job_name
    if last.live:
        output = RunOutput(note="The run continues: this flow run does not wait for its end.")
    else:
        output = followed_output(last) or (
            read_script_output(credentials, request, last.run) if last.run else RunOutput()
        )
    ended = show_end(connect(credentials), request, attempts, output, price, why_no_other_run)
    if last.failure:
        raise JobFailed(_failed(job_name, ended, sentence(last.describe()), why_no_other_run))
    result = {
        "job_name": job_name,
        **last.to_dict(),
        "attempts": [attempt.to_dict() for attempt in attempts],
        "cost": cost_of(attempts, price).to_dict(),
    }
    return completed(result, ended)
