"""Which change of a saved block counts at once for the flow runs of a thread worker."""

from __future__ import annotations

from contextvars import copy_context
from pathlib import Path

import pytest
from prefect.blocks.system import Secret
from prefect_aws import AwsCredentials

from flinkglue.blocks.glue_job_definition import GlueJobDefinition
from flinkglue.blocks.secret_arguments import read_secret_arguments
from flinkglue.prefect.kept_readings import KeptReadings, keep_readings
from flinkglue.tasks.glue import load_credentials
from flinkglue.tasks.glue_definition import definition_of


class Worker:
    """What a thread worker reads for all its flow runs."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._context = copy_context()
        self._context.run(keep_readings, KeptReadings(monotonic=lambda: self.seconds))

    def secret(self) -> str:
        return self._context.run(read_secret_arguments, {"--key": "rotated"})["--key"]

    def worker_type(self) -> object:
        block = self._context.run(definition_of, "changed-job", "orders")
        assert block is not None
        return block.definition["WorkerType"]

    def region(self) -> str | None:
        return self._context.run(load_credentials, "moved").region_name


@pytest.fixture
def worker(prefect_files: list[Path]) -> Worker:
    return Worker()


def save_job(worker_type: str) -> None:
    definition = {
        "Name": "orders",
        "Role": "arn:aws:iam::123456789012:role/glue",
        "Command": {"Name": "glueetl", "ScriptLocation": "s3://scripts/orders.py"},
        "GlueVersion": "5.0",
        "WorkerType": worker_type,
        "NumberOfWorkers": 2,
    }
    GlueJobDefinition(definition=definition).save("changed-job", overwrite=True)


def save_region(region: str) -> None:
    AwsCredentials(region_name=region).save("moved", overwrite=True)


def test_a_rotated_secret_is_what_the_next_start_gets(worker: Worker) -> None:
    """A revoked value is neither passed on nor kept by the worker."""
    for value in ("first-value", "second-value"):
        Secret(value=value).save("rotated", overwrite=True)
        assert worker.secret() == value


def test_a_definition_that_was_saved_is_what_the_next_flow_run_deploys(worker: Worker) -> None:
    for worker_type in ("G.1X", "G.2X"):
        save_job(worker_type)
        assert worker.worker_type() == worker_type


def test_credentials_are_read_once_a_minute_for_all_flow_runs(worker: Worker) -> None:
    save_region("eu-west-1")
    assert worker.region() == "eu-west-1"
    save_region("eu-west-2")
    assert worker.region() == "eu-west-1"
    worker.seconds += 61
    assert worker.region() == "eu-west-2"
