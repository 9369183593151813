"""Run an AWS Glue job on the VPC connection whose subnet has room for it."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from random import SystemRandom
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.flows import Flow
from prefect.logging.loggers import flow_run_logger
from pydantic import Field

from flinkglue.blocks.aws import AwsCredentialsChoice, AwsRegion
from flinkglue.blocks.aws_credentials import AwsCredentials
from flinkglue.blocks.glue_job_definition import GlueJobDefinitionChoice
from flinkglue.blocks.secret_arguments import read_secret_arguments
from flinkglue.clock import SystemClock
from flinkglue.errors import DeadlineExceeded, JobFailed
from flinkglue.glue.attempts import (
    Attempt,
    RetryPolicy,
    is_recorded,
    settled_number,
    with_attempt,
)
from flinkglue.glue.coordination.slots import NotStarted
from flinkglue.glue.failures.own_rules import FailureRules
from flinkglue.glue.inputs import (
    JobName,
    StrategyName,
    argument_values,
    check_arguments,
    check_secret_arguments,
    parse_connection_names,
)
from flinkglue.glue.models import JobRun
from flinkglue.glue.options import RunOptions
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.placement.shortage import NoPlace, ShortagePolicy, WhenNothingFits, usual_choice
from flinkglue.glue.placement.strategy_by_name import allowed_modules, load_strategy
from flinkglue.glue.run.connection_order import OrderRestoring
from flinkglue.glue.run.cost import cost_of
from flinkglue.glue.run.report import RunOutput, followed_output
from flinkglue.glue.run.stop import stop_live_runs as stop_runs
from flinkglue.glue.run.stop import stopped_at_the_deadline
from flinkglue.glue.run_request import Log, RunRequest
from flinkglue.prefect.pages.glue_choices import Choices
from flinkglue.prefect.pages.glue_events import emit_exhausted
from flinkglue.prefect.pages.glue_run import show_job_run
from flinkglue.prefect.retries import failed_at, first_started_at, is_another_attempt
from flinkglue.prefect.run_log import HarmlessLog, run_log
from flinkglue.quantities import Count, Minutes
from flinkglue.tasks.glue import (
    connect,
    find_recorded_attempts,
    load_credentials,
    prioritize_connections,
    read_script_output,
    run_context,
    run_glue_job,
    wait_for_slot,
)
from flinkglue.tasks.glue_definition import definition_of, deploy_glue_job
from flinkglue.tasks.glue_wait import reset_job_bookmark

DEFAULT_CREDENTIALS = "aws"
STOP_WITHIN_SECONDS = 600.0


def stop_live_runs(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Stop what this flow run left running in Glue, and wait until it has stopped.

    Prefect goes on whatever happens here, so what cannot be stopped is told as an error in the log.
    """
    log = HarmlessLog(flow_run_logger(flow_run, flow))
    given = flow.validate_parameters(flow_run.parameters)
    request = RunRequest(
        given["job_name"],
        str(flow_run.id),
        first_started_at(flow_run),
        secret_arguments=given.get("secret_arguments") or {},
        restore_order=given.get("restore_order", False),
        allow_lost_settings=given.get("allow_lost_settings", False),
    )
    credentials = load_credentials(
        given.get("aws_credentials", DEFAULT_CREDENTIALS), given.get("region")
    )
    _stop_runs(credentials, request, log)


def _stop_runs(credentials: AwsCredentials, request: RunRequest, log: Log) -> list[JobRun]:
    """Stop the flow run's live Glue runs, wait until they have ended, put the order back.

    Returns:
        The runs that were live, as they were seen last.
    """
    client = connect(credentials).masked_for(request)
    with run_context(client, log) as context:
        stopped = stop_runs(context, request, STOP_WITHIN_SECONDS)
        OrderRestoring(context, request).end()
    return stopped


def stop_live_runs_if_requested(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """After a crash: stop the Glue run, or leave it to be adopted when the flow run is retried."""
    if flow_run.parameters.get("when_crashed") == "stop":
        stop_live_runs(flow, flow_run, state)
    else:
        HarmlessLog(flow_run_logger(flow_run, flow)).warning(
            "A Glue run of this flow run may go on. Retry the flow run to adopt it."
        )


@flow(
    name="glue-job",
    flow_run_name="{job_name} by {strategy}",
    on_cancellation=[stop_live_runs],
    on_crashed=[stop_live_runs_if_requested],
)
def glue_vpc_failover(
    job_name: JobName,
    connection_names: list[str] | str | None = None,
    strategy: StrategyName = "random",
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None,
    arguments: dict[str, Any] | None = None,
    secret_arguments: dict[str, str] | None = None,
    run_options: RunOptions = RunOptions(),  # noqa: B008 - frozen, and the form shows its fields
    when_nothing_fits: WhenNothingFits | None = None,
    wait_for_addresses_minutes: Annotated[float, Field(ge=0, le=2880, allow_inf_nan=False)] = 10,
    extra_nodes: Annotated[int, Field(ge=0, le=10)] | None = None,
    needed_addresses: Count | None = None,
    allow_several_vpcs: bool = False,
    read_all_connections: bool = False,
    check_security_groups: bool = False,
    restore_order: bool = False,
    allow_lost_settings: bool = False,
    retries: Annotated[int, Field(ge=0, le=50)] = 2,
    retry_delay_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 30,
    retry_every_failure: bool = False,
    failure_rules: FailureRules | None = None,
    deadline_minutes: Minutes = 2880,
    when_deadline_passes: Literal["leave", "stop"] = "leave",
    wait_for_end: bool = True,
    when_crashed: Literal["leave", "stop"] = "leave",
    reset_bookmark: bool = False,
    follow_logs: bool = True,
    price_per_dpu_hour: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] | None = None,
    job_definition: GlueJobDefinitionChoice | None = None,
    aws_credentials: AwsCredentialsChoice = DEFAULT_CREDENTIALS,
    region: AwsRegion | None = None,
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
            connections of the job are kept, after these. Empty: those that the job has, except for
            strategy preferred; a job without connections just runs.
        strategy: random (shuffled, those with enough addresses first), capacity (most free
            addresses first), weighted (drawn, each in proportion to its free addresses), best_fit
            (the smallest subnet that holds the whole run), preferred (in the order given here),
            spread (the zone with the fewest live runs), or your own module:function, whose module
            FLINKGLUE_STRATEGY_MODULES lists where flows run.
        seed: Repeats a random order. Leave empty for a new one each time.
        arguments: Job arguments by name, for example --date. Values that are no texts reach the
            script as JSON; null leaves an argument out. Do not put secrets here. The script gets
            --flinkglue-run-key and --flinkglue-connection as well.
        secret_arguments: Job arguments that Prefect must not show: by argument name, for example
            --api-key, the name of a Secret block that holds the value. It is read when a run
            starts, and shown as *** in logs. Glue itself shows it to everybody who may read the
            job's runs.
        run_options: Settings of this run that override the job's: workers, timeout and more.
        when_nothing_fits: What to do when no subnet has all the addresses. wait: poll for
            some minutes, then run with fewer nodes where most are free. use_best: do that at once.
            fail: do not run. While not even two addresses are free in any subnet, use_best waits
            as well; after the wait the flow run fails. Empty: use_best for random and capacity, as
            in the AWS blog post, else wait.
        wait_for_addresses_minutes: How long to wait for them, within deadline_minutes. Addresses of
            runs that ended come back after one or two minutes, so it starts again after a wait for
            a free run slot of the job.
        extra_nodes: Nodes that Glue adds to the job's workers, each with an address of its own.
            Empty: 2, which are reserved for the run; random and capacity, as in the AWS blog post,
            do not check that a subnet has room for them.
        needed_addresses: How many addresses a run takes, in place of workers and extra nodes.
        allow_several_vpcs: Take connections that lie in more than one VPC.
        read_all_connections: Read all connections of the account with one call, which is faster
            from about 20 connections on and takes the permission glue:GetConnections.
        check_security_groups: Read the connections' security groups before the start, with one more
            call, so that a connection whose group is missing or of another VPC comes last. Takes
            the permission ec2:DescribeSecurityGroups.
        restore_order: Put the job's connections back as they were, once its runs no longer need the
            order. An order that somebody else has written meanwhile is kept. After a kill,
            when Glue or others are busy, or when a queued run is not waited for, it may stay as it
            is until the job's next flow run.
        allow_lost_settings: Write the order although the job loses a setting by it: one that the
            installed boto3 does not know yet, or a repository's token, which Glue does not show.
            Off: the flow run fails before anything is written, and names the settings.
        retries: How many runs may follow a failed one.
        retry_delay_seconds: The pause before the first of them when the failure asks for time, as
            a quota does; it doubles each time, up to an hour. To another connection it moves
            without a pause.
        retry_every_failure: Also retry failures that a new run cannot fix, such as a broken script,
            and always pause before a retry, as in the AWS blog post.
        failure_rules: Your own rules by the run's error message, 20 at most: try another
            connection, wait, or stop. The first that matches counts; where none does, the built-in
            table decides.
        deadline_minutes: How long to wait for one run: for addresses, for a free run slot
            of the job, and for its end. A started run continues then, and one that was
            not started is not started any more. It counts from the start again for each attempt,
            and after Retry.
        when_deadline_passes: What happens to a live run then. leave: it goes on. stop: it is
            stopped, and the flow run ends when it has ended.
        wait_for_end: Off: the flow run ends when the run is RUNNING, or after 5 minutes of waiting
            for that. A run that fails before is repeated; one that fails later is not.
        when_crashed: What happens to a live run when this flow's process dies. leave: retrying the
            flow run adopts it. stop: it is stopped.
        reset_bookmark: Reset the job's bookmark before the first run, so that it reads everything
            again. Takes the permission glue:ResetJobBookmark.
        price_per_dpu_hour: What a DPU-hour costs for this job, in your currency, to show an
            estimate of what all runs cost. Empty: only the capacity is shown.
        follow_logs: Show in this flow run's log what the script writes, while it runs. Takes the
            permission logs:GetLogEvents, without which the run goes on and its log is not shown.
        job_definition: A Glue Job Definition block, or its name: the job is created from it, or
            changed where it differs, before it runs. Takes the permission glue:CreateJob, with
            tags glue:GetTags, glue:TagResource and glue:UntagResource, and for a script of the
            block s3:GetObject and s3:PutObject.
            Empty: the job runs as it is.
        aws_credentials: The AWS Credentials block with the account and region, or its name.
        region: The region of this run, instead of the block's, for example eu-west-1.

    Returns:
        The run that succeeded, or goes on without wait_for_end, the connection it was expected on,
        all attempts, and the cost.

    Raises:
        InvalidInput: A parameter was refused before any call.
        CallFailed: A service refused a call, or did not answer after several.
        JobFailed: The last run failed.
    """
    values = argument_values(arguments or {})
    names = parse_connection_names(connection_names, strategy)
    ordered_by = load_strategy(strategy, allowed_modules())
    check_arguments(values)
    check_secret_arguments(secret_arguments or {}, values)
    definition = None
    if not is_another_attempt():  # whose run may be there already, and need no secret any more
        read_secret_arguments(secret_arguments or {})
        definition = definition_of(job_definition, job_name)
    credentials = load_credentials(aws_credentials, region)
    flow_run = _this_flow_run()
    first = RunRequest(
        job_name=job_name,
        flow_run_id=str(flow_run.id),
        since=first_started_at(flow_run),
        arguments=values,
        deadline_seconds=deadline_minutes * 60,
        options=run_options,
        secret_arguments=secret_arguments or {},
        restore_order=restore_order,
        allow_lost_settings=allow_lost_settings,
        failure_rules=tuple(failure_rules or ()),
        wait_for_end=wait_for_end,
    )
    placement = PlacementRequest(
        run=first,
        connection_names=names,
        strategy_name=strategy,
        strategy=ordered_by,
        seed=SystemRandom().getrandbits(31) if seed is None else seed,
        extra_nodes=extra_nodes,
        needed_addresses=needed_addresses,
        allow_several_vpcs=allow_several_vpcs,
        list_all=read_all_connections,
        check_security_groups=check_security_groups,
        shortage=ShortagePolicy(
            when_nothing_fits or usual_choice(strategy), wait_for_addresses_minutes * 60
        ),
    )
    policy = RetryPolicy(retries, retry_delay_seconds, retry_every_failure)
    attempts = []
    if is_another_attempt():  # nothing is older than the first
        attempts = find_recorded_attempts(credentials, first, job_definition is not None)
    if reset_bookmark and not attempts:
        reset_job_bookmark(credentials, job_name)
    ended_before = failed_at(flow_run) if attempts else None
    settled, requested_again = settled_number(attempts, ended_before), ended_before is not None
    first_number = policy.first_number(attempts, settled)
    if is_recorded(attempts, first_number):
        definition = None  # a run that is there already goes on as its job was
    elif definition is None:
        definition = definition_of(job_definition, job_name)
    if definition is not None:
        deploy_glue_job(
            credentials,
            definition,
            allow_lost_settings=allow_lost_settings,
            keep_connections=True,
        )
    for number in count(first_number):
        now = SystemClock().now()
        request = replace(first, number=number, requested_at=now, requested_again=requested_again)
        try:
            if is_recorded(attempts, number):
                attempt = run_glue_job(credentials, request, None, follow_logs)
            else:
                requested = replace(placement, run=request)
                attempt = _new_attempt(credentials, requested, attempts, policy, follow_logs)
        except DeadlineExceeded as late:
            if when_deadline_passes == "leave":
                raise
            stopped = _stop_runs(credentials, request, run_log())
            raise stopped_at_the_deadline(late, stopped) from None
        attempts = with_attempt(attempts, attempt)
        if not policy.again(attempt, settled):
            break
        _pause(policy.delay_after(attempts, settled))
    if policy.may_help(attempts[-1]):
        emit_exhausted(job_name, attempts)
    return _result(credentials, first, attempts, price_per_dpu_hour)


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


def _this_flow_run() -> FlowRun:
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    return context.flow_run


def _pause(delay_seconds: float) -> None:
    if delay_seconds:
        run_log().info("Trying again in %g s", delay_seconds)
        SystemClock().sleep(delay_seconds)


def _result(
    credentials: AwsCredentials, request: RunRequest, attempts: list[Attempt], price: float | None
) -> dict[str, Any]:
    last, job_name = attempts[-1], request.job_name
    if last.live:
        output = RunOutput(note="The run goes on: this flow run was not to wait for it.")
    else:
        output = followed_output(last) or (
            read_script_output(credentials, request, last.run) if last.run else RunOutput()
        )
    show_job_run(connect(credentials).console, job_name, attempts, output, price)
    if last.failure:
        raise JobFailed(f"Glue job {job_name}: {last.describe()}")
    return {
        "job_name": job_name,
        **last.to_dict(),
        "attempts": [attempt.to_dict() for attempt in attempts],
        "cost": cost_of(attempts, price).to_dict(),
    }
