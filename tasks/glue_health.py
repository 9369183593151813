"""How Glue connections are: read, judged, shown and emitted as events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from prefect.artifacts import create_markdown_artifact

from flinkglue.blocks.aws_credentials import AwsCredentials
from flinkglue.clock import SystemClock
from flinkglue.errors import InvalidInput
from flinkglue.glue.monitoring.health import ConnectionHealth, judge_connections
from flinkglue.glue.monitoring.health_report import health_in_words, health_markdown
from flinkglue.markdown import text
from flinkglue.prefect.pages.glue_events import emit_health
from flinkglue.prefect.run_log import run_log
from flinkglue.prefect.steps import step
from flinkglue.prefect.store.glue_coordination import coordination_on_server
from flinkglue.tasks.glue import RETRIED, connect


@step(task_run_name="read the free addresses of connections", **RETRIED)
def judge_glue_connections(
    aws_credentials: AwsCredentials,
    connection_names: Sequence[str],
    job_names: Sequence[str],
    minimum_free_addresses: int,
    read_all_connections: bool = False,
    failures_within_hours: float = 24,
) -> list[ConnectionHealth]:
    """Read connections with their subnets and zones, and judge how each is.

    Args:
        job_names: Jobs whose connections are judged as well.
        read_all_connections: Read all of the account with one call.
        failures_within_hours: How long ago reported failures may be, up to 24.

    Raises:
        InvalidInput: The jobs have no connections.
        CallFailed: A service refused a call, or did not answer.
    """
    with coordination_on_server() as coordination:
        # Reservations before counts: what is released in between is held by then, and counted.
        reservations = coordination.claims.reservations()
        cool_downs = coordination.cool_downs.recent()
    reading = connect(aws_credentials).read_health(
        connection_names, job_names, list_all=read_all_connections
    )
    log = run_log()
    if not reading.connections:
        raise InvalidInput("job_names", list(job_names), "jobs that have connections")
    if reading.zones_problem:
        log.warning("The zones' states are not shown: %s", reading.zones_problem)
    now = SystemClock().now()
    found = judge_connections(
        reading.connections,
        minimum_free_addresses,
        zones=reading.zones,
        reservations=reservations,
        cool_downs=cool_downs,
        now=now,
        failed_since=now - timedelta(hours=failures_within_hours),
    )
    for health in found:
        log_it = log.warning if health.is_below_threshold else log.info
        log_it("%s: %s %s", health.connection_name, health.condition.in_words, health.reason)
        if health.failures:
            log.info("%s %s", health.connection_name, health.failures.describe())
    return found


def emit_connections(found: Sequence[ConnectionHealth], minimum_free_addresses: int) -> None:
    """An event for each connection, named after its condition."""
    for health in found:
        emit_health(health, minimum_free_addresses)


def show_connections(
    aws_credentials: AwsCredentials, found: Sequence[ConnectionHealth], minimum_free_addresses: int
) -> None:
    """The connections on the run's page."""
    console = connect(aws_credentials).console
    create_markdown_artifact(
        health_markdown(found, minimum_free_addresses, console),
        key="glue-connection-health",
        description=text(health_in_words(found)),
    )
