"""Deployment flink-job-action: any of the eleven actions, on any Flink cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from prefect import runtime
from prefect.input import RunInput
from pydantic import Field

from flinkglue.blocks.flink_choice import FlinkClusterChoice, cluster_of
from flinkglue.blocks.forms.flink_job import (
    ACTION_MOVED,
    AdvancedOptions,
    ProgramOptions,
    StateOptions,
    WaitOptions,
    options_of,
    request_of,
)
from flinkglue.errors import JobFailed
from flinkglue.form_types import Name
from flinkglue.lifecycle.agreement import perform_when_agreed
from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.forms.form_flow import form_flow
from flinkglue.prefect.hooks.flink_action import end_as_requested, report_what_is_left, requested_by
from flinkglue.prefect.names import named, requested_action
from flinkglue.prefect.pages.flink_action import outcome_in_words
from flinkglue.prefect.questions import ask
from flinkglue.tasks.flink_actions import find_action_to_resume, perform_flink_action


@form_flow(
    name="flink-job-action",
    moved=ACTION_MOVED,
    flow_run_name=named(requested_action),
    on_cancellation=[end_as_requested(request_of, cluster_of)],
    on_crashed=[report_what_is_left(request_of, cluster_of)],
)
@ends_in_words
def flink_job_action(
    action: Action,
    job_name: Name,
    cluster: FlinkClusterChoice,
    # The groups are frozen, and the form shows their defaults.
    program: ProgramOptions = ProgramOptions(),  # noqa: B008
    state_options: StateOptions = StateOptions(),  # noqa: B008
    wait_options: WaitOptions = WaitOptions(),  # noqa: B008
    advanced_options: AdvancedOptions = AdvancedOptions(),  # noqa: B008
) -> dict[str, Any]:
    """Execute one of the eleven actions on a Flink job, exactly once, to its end.

    A run that crashed resumes where it was when it is retried; nothing is started twice. A
    retry of a run whose action failed tries the action again.

    Args:
        action: NEW starts a job for the first time. START resumes from the newest savepoint. STOP
            ends it with a savepoint. UPDATE stops it with a savepoint and starts the new jar from
            it, or returns to the old one. STATELESS_UPDATE starts without state. LAST_STATE_UPDATE
            starts from the newest checkpoint. SAVEPOINT takes a savepoint, LIST_SAVEPOINT lists
            them. CANCEL ends the job without a savepoint. DELETE removes its record. RE_LAUNCH
            starts a failed one again from its newest state.
        job_name: The job's name in Flink and in the journal.
        cluster: A Flink REST Cluster or HDInsight Flink Cluster block, picked or by type and name,
            for example flink-rest-cluster/flink.
        program: What the job runs. What is left out stays as it ran last.
        state_options: From which state the job starts, and how its state is written.
        wait_options: How long the action may take, and what happens to the job when this run is
            cancelled.
        advanced_options: What few actions need.

    Returns:
        How it ended: job id, state, savepoint, steps.

    Raises:
        InvalidInput: A parameter was refused before any call.
        Conflict: Refused: the job is not in a state for this, or another run acts on it.
        RolledBack: The new job did not reach RUNNING; the old one runs again.
        JobFailed: The action failed; the message says what happened to both jobs.
    """
    request, options = request_of(locals()), options_of(locals())
    chosen = cluster_of("cluster", cluster)
    asked_for = advanced_options.ask_within_minutes
    perform = partial(_performed, chosen, options)
    outcome = _agreed(chosen, request, perform, asked_for) if asked_for else perform(request)
    return completed(summary(outcome), outcome_in_words(outcome))


def _agreed(
    cluster: FlinkCluster,
    request: ActionRequest,
    perform: Callable[[ActionRequest], Outcome],
    within_minutes: float,
) -> Outcome:
    """Perform it; ask on this flow run's page before it drops state."""
    by = requested_by(runtime.flow_run.id, request)
    return perform_when_agreed(
        request,
        to_resume=lambda: find_action_to_resume(cluster, request, by),
        agree=lambda why: _ask(request, why, within_minutes),
        perform=perform,
    )


class DropState(RunInput):
    """The answer that state of a job may be dropped."""

    drop_state: bool = Field(default=False, description="Whether the job starts without state.")


def _ask(request: ActionRequest, why: str, within_minutes: float) -> None:
    """Go on when somebody agrees on the run's page.

    Raises:
        JobFailed: Nobody did, in time; nothing was changed.
    """
    what = f"{request.action} of {request.job_name}"
    question = f"{what} drops state. {why} Start it without state?"
    answer = ask(DropState, question, "drop-state", within_minutes)
    if answer is None or not answer.drop_state:
        why_not = "nobody answered in time" if answer is None else "the answer was no"
        raise JobFailed(f"{what} would drop state, and {why_not}; nothing was changed")


def _performed(cluster: FlinkCluster, options: ActionOptions, request: ActionRequest) -> Outcome:
    by = requested_by(runtime.flow_run.id, request)
    return perform_flink_action(cluster, request, by, options)


def summary(outcome: Outcome) -> dict[str, Any]:
    """The outcome as plain values."""
    return {name: value for name, value in asdict(outcome).items() if name != "changes"}
