"""Live Glue runs that no flow run waits for any more: found, stopped, shown, sent as events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from prefect.artifacts import create_markdown_artifact
from prefect.utilities.urls import url_for

from flinkglue.blocks.aws import own_region
from flinkglue.blocks.aws_credentials import AwsCredentials
from flinkglue.blocks.forms.glue_job import MOVED
from flinkglue.clock import SystemClock
from flinkglue.errors import InvalidInput
from flinkglue.glue.models import JobRun
from flinkglue.glue.monitoring.sweep import (
    FlowRunState,
    RunCondition,
    SweepRules,
    SweptRun,
    flow_run_id_of,
    judged,
    may_wait,
)
from flinkglue.glue.monitoring.sweep_report import sweep_in_words, sweep_markdown
from flinkglue.glue.monitoring.sweeping import LiveRuns, find_live_runs, stop_orphans
from flinkglue.markdown import text
from flinkglue.prefect.forms.moved import in_their_places
from flinkglue.prefect.names import USUAL_CREDENTIALS, several
from flinkglue.prefect.pages.glue_events import emit_swept_run
from flinkglue.prefect.pages.jobs.glue import Place, refresh_swept_jobs
from flinkglue.prefect.run_log import run_log
from flinkglue.prefect.steps import step
from flinkglue.prefect.store.flow_run_signs import (
    RunningFlowRun,
    flow_runs_of,
    running_flow_runs,
)
from flinkglue.prefect.store.server_failures import server_client
from flinkglue.prefect.store.silent_flow_runs import SilentFlowRun
from flinkglue.tasks.glue import RETRIED, connect, load_credentials
from flinkglue.texts import counted

RENAMED_FLOWS = ("glue-vpc-failover",)
"""What glue-job was called; its flow runs go on while workers are upgraded."""
FLOWS = ("glue-job", "glue-run-wait", *RENAMED_FLOWS)
"""Whose flow runs wait for Glue runs."""
UNCLEAR = "unclear"
"""A value that is neither true nor false."""


@step(task_run_name=lambda given: f"find live runs of {several(given['job_names'])}", **RETRIED)
def find_live_glue_runs(
    aws_credentials: AwsCredentials, job_names: Sequence[str], look_back: timedelta
) -> LiveRuns:
    """Read the live runs of jobs that flow runs of this project started.

    Args:
        look_back: Runs that were started earlier are left out.

    Raises:
        CallFailed: Not one of the jobs could be read.
    """
    found = find_live_runs(connect(aws_credentials), job_names, SystemClock().now() - look_back)
    for job_name, problem in found.problems.items():
        run_log().warning("The runs of job %s could not be read: %s", job_name, problem)
    return found


@step(task_run_name="find the flow runs of live Glue runs", **RETRIED)
def judge_glue_runs(found: LiveRuns, rules: SweepRules) -> list[SweptRun]:
    """Read the flow runs of live Glue runs from the Prefect server, and judge which are orphans.

    Raises:
        CallFailed: The Prefect server refused the question, or did not answer.
    """
    swept = _judged_now(found.runs, rules)
    for each in swept:
        log_it = run_log().info if each.condition.is_expected else run_log().warning
        log_it("%s", each.describe())
    return swept


@step(task_run_name="stop orphaned Glue runs")
def stop_orphaned_glue_runs(
    aws_credentials: AwsCredentials,
    swept: Sequence[SweptRun],
    rules: SweepRules,
    deadline_seconds: float,
) -> list[SweptRun]:
    """Stop the orphans and wait until they have ended; one that cannot be stopped stays one.

    The flow runs' states are read again right before each stop.
    """
    log = run_log()
    after = stop_orphans(
        connect(aws_credentials),
        swept,
        judge_again=lambda some: _judged_now([each.run for each in some], rules),
        deadline_seconds=deadline_seconds,
        log=log,
    )
    for before, each in zip(swept, after, strict=True):
        if before.is_orphan:
            log_it = log.warning if each.is_orphan else log.info
            log_it("%s", each.describe())
    return after


def running_glue_flow_runs(
    job_names: Sequence[str],
    found: LiveRuns,
    aws_credentials: AwsCredentials | str,
    region: str | None = None,
) -> list[RunningFlowRun]:
    """The flow runs that are Running for one of these jobs and have no live Glue run.

    Args:
        job_names: The jobs. Those whose runs could not be read are left out.
        aws_credentials: The block that they were read with: flow runs with another one, which may
            be of another account, are left out.
        region: In place of the block's. Flow runs in other regions are left out.

    Raises:
        CallFailed: The Prefect server refused the call, or did not answer.
        InvalidInput: There is no block of this name.
    """
    readable = {name for name in job_names if name not in found.problems}
    live = {flow_run_id_of(run) for run in found.runs}
    is_read = read_with(load_credentials(aws_credentials), region)

    def is_meant(parameters: Mapping[str, Any]) -> bool:
        return parameters.get("job_name") in readable and is_read(parameters)

    running = running_flow_runs(FLOWS, is_meant)
    return [run for run in running if run.flow_run_id not in live]


def read_with(block: AwsCredentials, region: str | None) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a flow run's Glue run is among those that were read with a block in a region.

    Args:
        region: In place of the block's.

    Returns:
        Judges the parameters of a flow run as the server has them, blocks as references.
    """
    of_block = own_region(block)
    slug, saved_as = AwsCredentials.get_block_type_slug(), block._block_document_id

    def is_read(parameters: Mapping[str, Any]) -> bool:
        if (parameters.get("region") or of_block) != (region or of_block):
            return False
        chosen = parameters.get("aws_credentials") or USUAL_CREDENTIALS
        if isinstance(chosen, str):
            return chosen.removeprefix(f"{slug}/") == block._block_document_name
        reference = chosen.get("$ref") if isinstance(chosen, Mapping) else None
        if isinstance(reference, Mapping):
            reference = reference.get("block_document_id")
        return saved_as is not None and str(reference) == str(saved_as)

    return is_read


def spared_flow_runs(silent: Sequence[SilentFlowRun], found: LiveRuns) -> dict[str, str]:
    """Which of these flow runs are not to be ended, by what Glue shows now, and why."""
    live = {flow_run_id_of(run): run.job_run_id for run in found.runs}
    if found.problems:
        return {each.flow_run_id: "its Glue runs could not be read" for each in silent}
    return {
        each.flow_run_id: f"its Glue run {live[each.flow_run_id]} is live"
        for each in silent
        if each.flow_run_id in live
    }


def emit_swept_runs(swept: Sequence[SweptRun]) -> None:
    """An event for each run that somebody may have to check, and for each that was stopped."""
    for each in swept:
        if not each.condition.is_expected:
            emit_swept_run(each)


def show_swept_runs(
    aws_credentials: AwsCredentials, swept: Sequence[SweptRun], found: LiveRuns, *, stop: bool
) -> None:
    """The runs on the page of this flow run."""
    create_markdown_artifact(
        sweep_markdown(
            swept,
            found.problems,
            connect(aws_credentials).console,
            lambda flow_run_id: url_for("flow-run", flow_run_id),
            stop=stop,
        ),
        key="glue-run-sweep",
        description=text(f"Live Glue runs: {sweep_in_words(swept)}"),
    )


def show_swept_jobs(
    aws_credentials: AwsCredentials, job_names: Sequence[str], swept: Sequence[SweptRun]
) -> None:
    """How runs ended that were stopped, or that no flow run waited for, on the page of all jobs."""
    client = connect(aws_credentials)
    stopped = [each.run for each in swept if each.condition is RunCondition.STOPPED]
    refresh_swept_jobs(job_names, Place.of(client), stopped, client.get_job_run)


def _judged_now(runs: Sequence[JobRun], rules: SweepRules) -> list[SweptRun]:
    owners = [flow_run_id_of(run) or "" for run in runs]
    states = _states_of(sorted(set(owners)))
    now = SystemClock().now()
    return [
        judged(run, owner, states.get(owner), rules, now)
        for run, owner in zip(runs, owners, strict=True)
    ]


def _wait_for_end(parameters: Mapping[str, Any]) -> Any:
    """What a flow run of glue-job was given, at the place of now or of before."""
    try:
        options = in_their_places(parameters, MOVED).get("wait_options") or {}
    except InvalidInput:  # given in both, so that the flow run was refused
        return UNCLEAR
    return options.get("wait_for_end") if isinstance(options, Mapping) else UNCLEAR


def _states_of(flow_run_ids: Sequence[str]) -> dict[str, FlowRunState]:
    """The states of those flow runs that the server knows."""
    with server_client("POST /flow_runs/filter", counted(len(flow_run_ids), "flow run")) as client:
        found = flow_runs_of(client, flow_run_ids)
    return {
        str(flow_run.id): FlowRunState(
            state.type.value,
            state.name or state.type.value,
            state.timestamp,
            waits=may_wait(_wait_for_end(flow_run.parameters or {})),
        )
        for flow_run in found
        if (state := flow_run.state)
    }
