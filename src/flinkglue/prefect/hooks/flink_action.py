"""What becomes of a Flink job when the flow run that acts on it is cancelled or crashes.

Prefect runs an on_cancellation hook in the flow's process, ends that process when it takes longer
than 30 s, and runs the hook again in the worker's. So it knows nothing but the flow run, and bears
being interrupted and repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import PrefectException
from prefect.flows import Flow
from prefect.logging.loggers import flow_run_logger

from flinkglue.errors import FlinkGlueError
from flinkglue.http_faults import in_words
from flinkglue.lifecycle.deadline import DeadlineClock
from flinkglue.lifecycle.execute import last_intent
from flinkglue.lifecycle.interrupted import Interrupted, OnCancel
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.forms.form_flow import FormFlow
from flinkglue.prefect.pages.flink_action import show_interrupted
from flinkglue.prefect.pages.jobs.flink import (
    after_action,
    after_interruption,
    refresh_flink_jobs,
)
from flinkglue.prefect.process_options import options_here
from flinkglue.prefect.run_log import HarmlessLog
from flinkglue.prefect.store.variable_journal import variable_store

Hook = Callable[[Flow[Any, Any], FlowRun, State[Any]], None]
RequestOf = Callable[[dict[str, Any]], ActionRequest]
ClusterOf = Callable[[str, Any], FlinkCluster]
Act = Callable[[Interrupted, dict[str, Any]], object]

# Parameters of an older deployment may not fit, and Prefect's own API may not answer.
CANNOT_SETTLE = (FlinkGlueError, PrefectException, httpx.HTTPError, ValueError)


def requested_by(flow_run_id: object, request: ActionRequest) -> str:
    """Who asks for what: the beginning of the intents of a flow run."""
    return f"{flow_run_id}:{request.action}"


def end_as_requested(request_of: RequestOf, cluster_of: ClusterOf) -> Hook:
    """A hook that leaves, stops or cancels the job, as the parameter ``on_cancel`` says."""

    def hook(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
        def end(interrupted: Interrupted, parameters: dict[str, Any]) -> None:
            interrupted.after_cancellation(OnCancel(parameters["wait_options"].on_cancel))

        _settle(flow, flow_run, state, request_of, cluster_of, end)

    hook.__name__ = "end_as_requested"  # Prefect names hooks in its log by this
    return hook


def report_what_is_left(request_of: RequestOf, cluster_of: ClusterOf) -> Hook:
    """A hook that logs what still runs, and how to go on."""

    def hook(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
        _settle(
            flow,
            flow_run,
            state,
            request_of,
            cluster_of,
            lambda interrupted, _: interrupted.what_is_left(),
        )

    hook.__name__ = "report_what_is_left"
    return hook


@best_effort("The page of all Flink jobs is not up to date")
def _refresh_jobs(
    flow_run_id: UUID, cluster: FlinkCluster, interrupted: Interrupted, ended: str
) -> None:
    """The row of the job, if the flow run had begun to act on it."""
    journal, now = Journal(interrupted.store), datetime.now(UTC)
    entry, job_name = journal.entry(interrupted.intent), interrupted.request.job_name
    if entry is None:
        return
    if entry.outcome is not None and entry.outcome.succeeded:
        change = after_action(entry.outcome, now)
    else:
        view, savepoints = interrupted.view(), journal.savepoints(job_name)
        newest = savepoints[0] if savepoints else None
        change = after_interruption(entry.action, ended.removeprefix("was "), now, view, newest)
    refresh_flink_jobs(cluster, {job_name: change}, flow_run_id)


def _settle(
    flow: Flow[Any, Any],
    flow_run: FlowRun,
    state: State[Any],
    request_of: RequestOf,
    cluster_of: ClusterOf,
    act: Act,
) -> None:
    logger = HarmlessLog(flow_run_logger(flow_run, flow))
    try:
        # A deployment's run does not name the parameters that were left as they are.
        assert isinstance(flow, FormFlow)
        parameters = flow.whole(flow_run.parameters)
        request = request_of(parameters)
        cluster = cluster_of("cluster", parameters["cluster"])
        options = ActionOptions(
            deadline_seconds=parameters["wait_options"].deadline_minutes * 60,
            savepoint_format=parameters["state_options"].savepoint_format,
        )
        clock = DeadlineClock(f"The end of {request.job_name}", options.deadline_seconds)
        with (
            variable_store(cluster.journal_name) as store,
            cluster.get_backend(clock) as backend,
        ):
            intent = last_intent(Journal(store), requested_by(flow_run.id, request))
            lines: list[str] = []

            def emit(line: str) -> None:
                lines.append(line)
                logger.warning("%s", line)

            interrupted = Interrupted(
                request,
                intent,
                store,
                backend,
                emit=emit,
                options=options_here(options, cluster, logger.warning),
                clock=clock,
                settle_seconds=cluster.launch_seconds,
            )
            try:
                act(interrupted, parameters)
            finally:
                ended = "crashed" if state.is_crashed() else "was cancelled"
                show_interrupted(flow_run.id, cluster, request, ended, lines)
                _refresh_jobs(flow_run.id, cluster, interrupted, ended)
    except CANNOT_SETTLE as fault:
        logger.error(
            "Check the job yourself; its state could not be settled: %s",
            in_words(fault) if isinstance(fault, httpx.RequestError) else fault,
        )
