"""What the demo asks Flink and AWS themselves, to know that it really happened."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from localcloud.client import LocalCloud
from scripts.prefect_stack import PrefectStack


class DemoFailed(Exception):
    """Something that the demo shows did not happen; the message says what."""


def words_counted_by_flink(cloud: LocalCloud, prefect: PrefectStack, flow_run_id: str) -> str:
    """Compares Flink's own word counts with a count of the same file made here.

    Raises:
        DemoFailed: The flow run's job is not FINISHED in Flink, or its counts differ.
    """
    image_root = cloud.status()["parts"]["flink"]["image_root"]
    job_id = re.search(r"\b[0-9a-f]{32}\b", str(prefect.artifact(flow_run_id, "flink-job")))
    if job_id is None:
        raise DemoFailed(f"The artifact flink-job of flow run {flow_run_id} names no Flink job id")
    job = flink_says(cloud, f"/jobs/{job_id.group()}")
    if job["state"] != "FINISHED":
        raise DemoFailed(f"Flink says that job {job['jid']} is {job['state']}")
    counted = accumulators(cloud, job["jid"])
    text = Path(image_root, "opt/flink/LICENSE").read_text().lower()
    expected = Counter(re.findall(r"[a-z0-9_]+", text))
    if int(counted["total-words"]) != expected.total():
        raise DemoFailed(f"Flink counted {counted['total-words']} words, not {expected.total()}")
    return (
        f"Flink job {job['jid']} ({job['name']}) FINISHED: {expected.total()} words, "
        f"{len(expected)} different ones; {counted['word-counts'][:60]}…"
    )


def flink_says(cloud: LocalCloud, path: str) -> dict[str, Any]:
    """What Flink's REST API answers."""
    with cloud.flink.http() as flink:
        said: dict[str, Any] = flink.get(path).raise_for_status().json()
    return said


def accumulators(cloud: LocalCloud, job_id: str) -> dict[str, Any]:
    """The accumulators that a Flink job's own code filled, by name."""
    found = flink_says(cloud, f"/jobs/{job_id}/accumulators")
    return {entry["name"]: entry["value"] for entry in found["user-task-accumulators"]}


@dataclass(frozen=True)
class Placement:
    """Where a Glue run's driver was, and why."""

    connection_name: str
    subnet_id: str
    cidr_block: str
    driver_address: str

    def __str__(self) -> str:
        return (
            f"ranked first: {self.connection_name} ({self.subnet_id}, {self.cidr_block}); "
            f"the job's driver was at {self.driver_address}"
        )


def driver_in_first_subnet(cloud: LocalCloud, prefect: PrefectStack, flow_run_id: str) -> Placement:
    """Compares the driver's address, as the job printed it, with the connection ranked first.

    Raises:
        DemoFailed: The address lies in another subnet.
    """
    first = ranking_rows(prefect.artifact(flow_run_id, "connection-ranking"))[0]
    page = prefect.artifact(flow_run_id, "glue-job-run")
    job_run_id = re.search(r"jr_[0-9a-f]{64}", str(page))
    if job_run_id is None:
        raise DemoFailed(f"The artifact glue-job-run of flow run {flow_run_id} names no job run")
    aws = cloud.status()["aws"]
    events = client(aws, "logs").get_log_events(
        logGroupName="/aws-glue/jobs/output", logStreamName=job_run_id.group()
    )["events"]
    output = "\n".join(event["message"] for event in events)
    address = re.search(r"\b10\.192\.\d+\.\d+\b(?!/)", output)
    if address is None:
        raise DemoFailed(f"{job_run_id.group()} printed no address of its driver:\n{output}")
    subnet = client(aws, "ec2").describe_subnets(SubnetIds=[first["Subnet"]])["Subnets"][0]
    placement = Placement(
        first["Connection"], first["Subnet"], subnet["CidrBlock"], address.group()
    )
    if ipaddress.ip_address(placement.driver_address) not in ipaddress.ip_network(
        placement.cidr_block
    ):
        raise DemoFailed(f"The driver was elsewhere: {placement}")
    return placement


def ranking_rows(data: Any) -> list[dict[str, Any]]:
    """A table artifact's rows; the API gives them as JSON text or as rows."""
    import json

    rows: list[dict[str, Any]] = json.loads(data) if isinstance(data, str) else data
    return rows


def client(aws: dict[str, Any], service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=aws["endpoint_url"],
        region_name=aws["region"],
        aws_access_key_id=aws["access_key_id"],
        aws_secret_access_key=aws["secret_access_key"],
    )
