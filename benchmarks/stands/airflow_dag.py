"""The published design as an Airflow DAG: choose, write the order, start and wait, a task each.

Written by the steps of AWS's post on Glue jobs, VPC subnets and MWAA. Airflow loads this file from
its folder of DAGs, in an environment of its own: nothing of this project is there, and nothing here
imports Airflow anywhere else. The run key among the arguments is how a benchmark knows its runs.
"""

from __future__ import annotations

import random
from typing import Any

import boto3
from airflow.providers.amazon.aws.operators.glue import GlueJobOperator
from airflow.sdk import dag, task

READ_ONLY = ("Name", "CreatedOn", "LastModifiedOn", "AllocatedCapacity", "MaxCapacity")
"""Fields of GetJob that UpdateJob does not take."""


@task
def prioritize_connections(params: dict[str, Any] | None = None) -> list[str]:
    """Read each connection's subnet, and put those with enough free addresses first."""
    assert params is not None
    glue, ec2 = boto3.client("glue"), boto3.client("ec2")
    job = glue.get_job(JobName=params["job_name"])["Job"]
    names = params["connection_names"].split(",")
    free = {}
    for name in names:
        connection = glue.get_connection(Name=name)["Connection"]
        subnet_id = connection["PhysicalConnectionRequirements"]["SubnetId"]
        [subnet] = ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"]
        free[name] = subnet["AvailableIpAddressCount"]
    if params["strategy"] == "random":
        random.shuffle(names)
    return sorted(names, key=lambda name: free[name] < job["NumberOfWorkers"])


@task
def update_connections(order: list[str], params: dict[str, Any] | None = None) -> None:
    """Write the job's definition again, with its connections in this order."""
    assert params is not None
    glue = boto3.client("glue")
    job = glue.get_job(JobName=params["job_name"])["Job"]
    update = {field: value for field, value in job.items() if field not in READ_ONLY}
    update["Connections"] = {"Connections": order}
    glue.update_job(JobName=params["job_name"], JobUpdate=update)


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=200,
    params={"job_name": "", "connection_names": "", "strategy": "random"},
    default_args={"retries": 2},
)
def glue_vpc_failover() -> None:
    run = GlueJobOperator(
        task_id="run_glue_job",
        job_name="{{ params.job_name }}",
        script_args={"--flinkglue-run-key": "{{ run_id }}/1"},
        wait_for_completion=True,
        verbose=False,
    )
    update_connections(prioritize_connections()) >> run  # type: ignore[operator]


glue_vpc_failover()
