"""Deployment glue-connection-health: reports which Glue connections can hold a run."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from flinkglue.blocks.aws import AwsCredentialsChoice, AwsRegion
from flinkglue.errors import InvalidInput, JobFailed
from flinkglue.glue.inputs import JobName, parse_connection_names
from flinkglue.glue.monitoring.health_report import health_in_words
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.forms.form_flow import form_flow
from flinkglue.prefect.names import checked_connections, named
from flinkglue.quantities import Count
from flinkglue.tasks.glue import load_credentials
from flinkglue.tasks.glue_health import emit_connections, judge_glue_connections, show_connections


@form_flow(
    name="glue-connection-health",
    flow_run_name=named(lambda given: f"health of {checked_connections(given)}"),
)
@ends_in_words
def glue_connection_health(
    connection_names: list[str] | str | None = None,
    job_names: list[JobName] | None = None,
    minimum_free_addresses: Count = 10,
    fail_below_threshold: bool = False,
    failures_within_hours: Annotated[float, Field(gt=0, le=24, allow_inf_nan=False)] = 24,
    read_all_connections: bool = False,
    aws_credentials: AwsCredentialsChoice = "aws",
    region: AwsRegion | None = None,
) -> dict[str, Any]:
    """Report how many addresses the subnets of Glue connections have left, and what is wrong.

    Counts what is free and not reserved for a run that is starting. Each connection gets an
    event: glue-connection.healthy, or .short-of-addresses, .zone-down, .missing, .not-ready,
    .not-readable, .misconfigured, .failed-lately, .without-subnet. Nothing is changed. The state of
    zones needs the permission ec2:DescribeAvailabilityZones, and is not shown without it.

    Args:
        connection_names: The connections, as a list or comma-separated.
        job_names: Jobs whose connections are checked; in addition to, or instead of,
            connection_names.
        minimum_free_addresses: A connection with fewer usable addresses is short of them. Use what
            the biggest run needs: its workers and 2 more.
        fail_below_threshold: Fail this run when a connection is short of addresses or unusable.
        failures_within_hours: Show the failures of runs on a connection in the last hours, up to
            24, with Glue's message.
        read_all_connections: Read all connections of the account with one call. Needs the
            permission glue:GetConnections.
        aws_credentials: The AWS Credentials block with the account and region, or its name.
        region: The region of the connections, instead of the block's, for example eu-west-1.

    Returns:
        For each connection its condition, its usable addresses, and how often runs failed on it.

    Raises:
        InvalidInput: A parameter was refused before any call.
        CallFailed: A service refused a call, or did not answer after several.
        JobFailed: A connection is not usable, and fail_below_threshold is on.
    """
    names = parse_connection_names(connection_names) or []
    if not names and not job_names:
        raise InvalidInput("connection_names", connection_names, "names, or job_names instead")
    credentials = load_credentials(aws_credentials, region)
    found = judge_glue_connections(
        credentials,
        names,
        job_names or [],
        minimum_free_addresses,
        read_all_connections,
        failures_within_hours,
    )
    show_connections(credentials, found, minimum_free_addresses)
    emit_connections(found, minimum_free_addresses)
    below = [health for health in found if health.is_below_threshold]
    if below and fail_below_threshold:
        why = "; ".join(f"{each.connection_name}: {each.condition.in_words}" for each in below)
        raise JobFailed(f"{len(below)} of {len(found)} connections are not usable: {why}")
    result = {
        health.connection_name: {
            "condition": health.condition.value,
            "usable_addresses": health.usable_addresses,
            "recent_failures": len(health.failures.failed_at) if health.failures else 0,
        }
        for health in found
    }
    return completed(result, health_in_words(found))
