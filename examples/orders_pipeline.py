"""Your own flow: load the orders with Glue, then bring the Flink job up to the new jar.

    pip install "prefect-flink-glue[prefect] @ git+https://git.example.com/team/prefect-flink-glue.git"
    prefect block register -m flinkglue.blocks

The tasks are those of the deployments glue-job and flink-job-action, with the same guarantees: one
Glue run and one UPDATE for each flow run, however often it is retried.
"""

from __future__ import annotations

from prefect import flow
from prefect.context import FlowRunContext

from flinkglue.blocks.flink_choice import cluster_of
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.placement.strategies import STRATEGIES
from flinkglue.glue.run_request import RunRequest
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.prefect.retries import first_started_at
from flinkglue.tasks.flink_actions import perform_flink_action
from flinkglue.tasks.glue import (
    load_credentials,
    prioritize_connections,
    run_glue_job,
    wait_for_slot,
)


@flow
def orders_pipeline(
    glue_job: str,
    connection_names: list[str],
    flink_job: str,
    jar: str,
    aws_credentials: str = "aws",
    cluster: str = "flink-rest-cluster/flink",
) -> dict[str, str]:
    """Run the Glue job on the connection with the most free addresses; then update the Flink job.

    Returns:
        The Glue run's id and the Flink job's.

    Raises:
        AttemptFailed: The Glue run failed; the Flink job is as it was.
        RolledBack: The update failed; the old Flink job runs again.
        JobFailed: The update failed otherwise.
    """
    load = load_orders(glue_job, connection_names, aws_credentials)
    flow_run_id = _flow_run_id()
    outcome = perform_flink_action(
        cluster_of("cluster", cluster),
        ActionRequest(Action.UPDATE, flink_job, JobChanges(jar=jar)),
        f"{flow_run_id}:UPDATE",
        ActionOptions(),
    )
    return {"glue_run": load.run.job_run_id if load.run else "", "flink_job": outcome.job_id or ""}


def load_orders(glue_job: str, connection_names: list[str], aws_credentials: str) -> Attempt:
    """One run of the Glue job.

    Raises:
        AttemptFailed: It failed. It has the attempt, with the failure and what to do.
    """
    credentials = load_credentials(aws_credentials)
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    request = RunRequest(
        glue_job, _flow_run_id(), since=first_started_at(context.flow_run), deadline_seconds=3600
    )
    placement = PlacementRequest(
        request, connection_names, "capacity", strategy=STRATEGIES["capacity"], seed=0
    )
    while True:
        ranking = prioritize_connections(credentials, placement)
        if ranking is not None:  # None: the job has as many runs as it may
            outcome = run_glue_job(credentials, request, ranking)
            if isinstance(outcome, Attempt):
                return outcome
        wait_for_slot(credentials, request)


def _flow_run_id() -> str:
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    return str(context.flow_run.id)
