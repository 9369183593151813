"""What happens to a Flink job when the flow run that acts on it is cancelled or crashes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flinkglue.lifecycle.deadline import DeadlineClock
from flinkglue.lifecycle.execute import last_intent
from flinkglue.lifecycle.interrupted import Interrupted, OnCancel
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.hooks.settling import Ended, Hook, Parameters, settling_hook
from flinkglue.prefect.pages.flink_action import show_interrupted
from flinkglue.prefect.pages.jobs.flink import (
    after_action,
    after_interruption,
    refresh_flink_jobs,
)
from flinkglue.prefect.process_options import options_here
from flinkglue.prefect.store.variable_journal import variable_store

RequestOf = Callable[[Parameters], ActionRequest]
ClusterOf = Callable[[str, Any], FlinkCluster]
"""The cluster that a parameter, by its name and value, means."""
Act = Callable[[Interrupted, Parameters], None]


def requested_by(flow_run_id: object, request: ActionRequest) -> str:
    """Who asks for what: the beginning of the intents of a flow run."""
    return f"{flow_run_id}:{request.action}"


def end_as_requested(request_of: RequestOf, cluster_of: ClusterOf) -> Hook:
    """A hook that leaves, stops or cancels the job, as the parameter ``on_cancel`` says."""

    def end(interrupted: Interrupted, parameters: Parameters) -> None:
        interrupted.after_cancellation(OnCancel(parameters["wait_options"].on_cancel))

    return _hook("end_as_requested", request_of, cluster_of, end)


def report_what_is_left(request_of: RequestOf, cluster_of: ClusterOf) -> Hook:
    """A hook that logs what still runs, and how to go on."""

    def report(interrupted: Interrupted, _: Parameters) -> None:
        interrupted.what_is_left()

    return _hook("report_what_is_left", request_of, cluster_of, report)


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
        view, newest = interrupted.view(), journal.newest_savepoint(job_name)
        change = after_interruption(entry.action, ended.removeprefix("was "), now, view, newest)
    refresh_flink_jobs(cluster, {job_name: change}, flow_run_id)


def _hook(name: str, request_of: RequestOf, cluster_of: ClusterOf, act: Act) -> Hook:
    def settle(ended: Ended) -> None:
        parameters, flow_run_id = ended.parameters, ended.flow_run.id
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
            lines: list[str] = []

            def emit(line: str) -> None:
                lines.append(line)
                ended.log.warning("%s", line)

            interrupted = Interrupted(
                request,
                last_intent(Journal(store), requested_by(flow_run_id, request)),
                store,
                backend,
                emit=emit,
                options=options_here(options, cluster, ended.log.warning),
                clock=clock,
                settle_seconds=cluster.launch_seconds,
            )
            try:
                act(interrupted, parameters)
            finally:
                how = "crashed" if ended.state.is_crashed() else "was cancelled"
                show_interrupted(flow_run_id, cluster, request, how, lines)
                _refresh_jobs(flow_run_id, cluster, interrupted, how)

    return settling_hook(name, settle, "Check its Flink job yourself")
