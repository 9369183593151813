"""Deployment glue-run-sweep: finds Glue runs whose flow run was cancelled, and stops them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from flinkglue.blocks.aws import AwsCredentialsChoice, AwsRegion
from flinkglue.errors import JobFailed
from flinkglue.glue.inputs import JobName
from flinkglue.glue.monitoring.sweep import SweepRules
from flinkglue.glue.monitoring.sweep_report import sweep_in_words
from flinkglue.glue.monitoring.sweeping import LiveRuns
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.forms.form_flow import form_flow
from flinkglue.prefect.names import named, several
from flinkglue.prefect.pages.silent_flow_runs import show_silent_flow_runs
from flinkglue.prefect.store.flow_run_signs import RunningFlowRun
from flinkglue.prefect.store.silent_flow_runs import not_ended
from flinkglue.quantities import SilentMinutes
from flinkglue.tasks.glue import load_credentials
from flinkglue.tasks.glue_sweep import (
    emit_swept_runs,
    find_live_glue_runs,
    judge_glue_runs,
    running_glue_flow_runs,
    show_swept_jobs,
    show_swept_runs,
    spared_flow_runs,
    stop_orphaned_glue_runs,
)
from flinkglue.tasks.silent_flow_runs import end_silent_flow_runs, find_silent_flow_runs


def _with_its_silent_runs(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters of before: silent_minutes could be null, and end_silent_runs was a switch."""
    adapted = dict(parameters)
    if adapted.get("silent_minutes", ...) is None:
        del adapted["silent_minutes"]
        adapted.setdefault("find_silent_runs", False)
    ends = adapted.get("end_silent_runs", "as_stop")
    if ends is None or isinstance(ends, bool):
        adapted["end_silent_runs"] = {None: "as_stop", True: "yes", False: "no"}[ends]
    return adapted


@form_flow(
    adapt=_with_its_silent_runs,
    name="glue-run-sweep",
    flow_run_name=named(lambda given: f"sweep of {several(given['job_names'])}"),
)
@ends_in_words
def glue_run_sweep(
    job_names: Annotated[list[JobName], Field(min_length=1)],
    stop: bool = False,
    cancelling_for_minutes: Annotated[float, Field(ge=0, le=527040, allow_inf_nan=False)] = 15,
    stop_also: list[Literal["CRASHED", "FAILED", "COMPLETED"]] | None = None,
    look_back_days: Annotated[float, Field(gt=0, le=365, allow_inf_nan=False)] = 7,
    stopped_within_minutes: Annotated[float, Field(gt=0, le=120, allow_inf_nan=False)] = 10,
    find_silent_runs: bool = True,
    silent_minutes: SilentMinutes = 10,
    end_silent_runs: Literal["as_stop", "yes", "no"] = "as_stop",
    aws_credentials: AwsCredentialsChoice = "aws",
    region: AwsRegion | None = None,
) -> dict[str, Any]:
    """Find live Glue runs that nobody waits for, and stop those whose flow run was cancelled.

    Cancelling a flow run of glue-job stops its Glue run as long as a worker is there to do it. This
    does it afterwards, for flow runs that are Cancelled, or Cancelling for too long. For other live
    runs it reports their state; those of flow runs that this Prefect server does not know are
    never stopped, since other servers may use the account. Events: glue-job.orphan,
    glue-job.stopped, glue-job.left-behind, glue-job.unknown-flow-run.

    Args:
        job_names: The Glue jobs whose runs are checked, one per item.
        stop: Stop orphaned runs. Off: report only; begin with that.
        cancelling_for_minutes: A flow run that is Cancelling for longer counts as over. Its
            own process takes up to 10 minutes to stop the Glue run.
        stop_also: Stop the live Glue runs of flow runs in these states, too. Empty: they are only
            reported, because retrying such a flow run adopts its Glue run. Never stopped: Glue
            runs of completed flow runs that had wait_for_end off.
        look_back_days: Runs that were started earlier are not checked. A Glue job may run for
            7 days; use more for streaming jobs.
        stopped_within_minutes: How long to wait for stopped runs to end.
        find_silent_runs: Search for flow runs that no longer have a process.
        silent_minutes: A Running flow run of glue-job or glue-run-wait without a live Glue run no
            longer has a process after this long without a heartbeat, log line or task run. Only
            flow runs with this saved aws_credentials block and this region are searched. Use more
            than three times PREFECT_FLOWS_HEARTBEAT_FREQUENCY, 3 minutes by default.
        end_silent_runs: Set such flow runs to Crashed, so that they can be retried. no: report
            only. as_stop: when stop is on.
        aws_credentials: The AWS Credentials block with the account and region, or its name.
        region: The region of the runs, instead of the block's, for example eu-west-1.

    Returns:
        For each live run its condition, and the flow run that started it.

    Raises:
        InvalidInput: A parameter was refused before any call.
        CallFailed: A service refused a call, or did not answer after several.
        JobFailed: A run could not be stopped, or the runs of a job could not be read.
    """
    credentials = load_credentials(aws_credentials, region)
    names = list(dict.fromkeys(job_names))
    rules = SweepRules(timedelta(minutes=cancelling_for_minutes), tuple(stop_also or ()))
    found = find_live_glue_runs(credentials, names, timedelta(days=look_back_days))
    swept = judge_glue_runs(found, rules)
    if stop and any(each.is_orphan for each in swept):
        swept = stop_orphaned_glue_runs(credentials, swept, rules, stopped_within_minutes * 60)
    show_swept_runs(credentials, swept, found, stop=stop)
    show_swept_jobs(credentials, names, swept)
    emit_swept_runs(swept)
    failures = [f"job {name}: {problem}" for name, problem in found.problems.items()]
    failures += [each.describe() for each in swept if stop and each.is_orphan]
    if find_silent_runs:
        ends = stop if end_silent_runs == "as_stop" else end_silent_runs == "yes"
        failures += _without_process(
            running_glue_flow_runs(names, found, aws_credentials, region),
            lambda: find_live_glue_runs(credentials, names, timedelta(days=look_back_days)),
            silent_minutes * 60,
            end=ends,
        )
    if failures:
        raise JobFailed(f"The sweep is not complete. {'; '.join(failures)}")
    result = {each.run.job_run_id: each.to_dict() for each in swept}
    return completed(result, f"Live Glue runs: {sweep_in_words(swept)}")


def _without_process(
    running: list[RunningFlowRun],
    find_again: Callable[[], LiveRuns],
    silent_seconds: float,
    *,
    end: bool,
) -> list[str]:
    """Find the flow runs that are Running without a process, and end them; what could not be."""
    silent = find_silent_flow_runs(running, silent_seconds)
    if end and silent:
        why = "None of its Glue runs is live."
        silent = end_silent_flow_runs(silent, spared_flow_runs(silent, find_again()), why)
    show_silent_flow_runs(silent)
    return not_ended(silent) if end else []
