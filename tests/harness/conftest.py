"""A Prefect server of the tests' own, with its database, results and logs in one folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import pytest
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import (
    PREFECT_HOME,
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_RESULTS_PERSIST_BY_DEFAULT,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_DATABASE_CONNECTION_URL,
    PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL,
    get_current_settings,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness
from prefect_aws import AwsCredentials
from prefect_aws.client_parameters import AwsClientParameters

from flinkglue.blocks.glue_job_definition import GlueJobDefinition
from tests.contract.aws.aws_cloud import ROLE, SCRIPTS, AwsCloud
from tests.harness import prefect_server
from tests.harness.execution import Execute, Execution
from tests.harness.flink.served_flink import ServedJobManager, served_jobmanager

LEASE_SECONDS = 4.0


@pytest.fixture(scope="session")
def prefect_files(
    tmp_path_factory: pytest.TempPathFactory, until_folder_ends: ExitStack
) -> list[Path]:
    """Runs a Prefect server; gives the folders of everything that it and the flows write.

    Results are stored wherever a task does not forbid it, as on a server with that default.
    """
    home = tmp_path_factory.mktemp("prefect")
    kept = {
        PREFECT_HOME: home,
        PREFECT_LOCAL_STORAGE_PATH: home / "storage",
        PREFECT_RESULTS_PERSIST_BY_DEFAULT: True,
        PREFECT_SERVER_ANALYTICS_ENABLED: False,
        PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL: 1.0,
    }
    until_folder_ends.enter_context(temporary_settings(kept))
    patch = until_folder_ends.enter_context(pytest.MonkeyPatch.context())
    patch.setattr(SubprocessASGIServer, "_run_uvicorn_command", prefect_server.start)
    until_folder_ends.enter_context(prefect_test_harness(server_startup_timeout=120))
    database = PREFECT_SERVER_DATABASE_CONNECTION_URL.value().split(":///")[1]
    return [home, Path(database).parent]


@pytest.fixture
def processes_of_this_server(prefect_files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the processes that are forked inherit; a lock of a killed one is soon free again.

    All forked ones, of whatever test, have the environment that the first of them found.
    """
    for name, value in get_current_settings().to_environment_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GLUE_LOCK_LEASE_SECONDS", str(LEASE_SECONDS))


@pytest.fixture
def flink() -> Iterator[ServedJobManager]:
    """A pretended JobManager on a real port."""
    with served_jobmanager() as jobmanager:
        yield jobmanager


def save_aws_block(cloud: AwsCloud, name: str = "aws") -> UUID:
    """Save the block with which flows reach this cloud; its id."""
    block_id = AwsCredentials(
        aws_access_key_id=cloud.account["access_key_id"],
        aws_secret_access_key=cloud.account["secret_access_key"],
        region_name=cloud.account["region"],
        aws_client_parameters=AwsClientParameters(endpoint_url=cloud.account["endpoint_url"]),
    ).save(name, overwrite=True)
    assert isinstance(block_id, UUID)
    return block_id


@pytest.fixture
def orders(prefect_files: list[Path], tmp_path: Path) -> GlueJobDefinition:
    """The saved block ``orders``: a job of that name and its script."""
    script = tmp_path / "orders.py"
    script.write_text("print('counted')")
    block = GlueJobDefinition(
        definition={
            "Name": "orders",
            "Role": ROLE,
            "Command": {"Name": "glueetl", "PythonVersion": "3"},
            "GlueVersion": "5.0",
            "WorkerType": "G.1X",
            "NumberOfWorkers": 2,
        },
        script=str(script),
        script_prefix=f"s3://{SCRIPTS}/etl",
    )
    block.save("orders", overwrite=True)
    return block


@pytest.fixture
def execute() -> Iterator[Execute]:
    """Starts the process of a flow run; none of them outlives the test."""
    executions: list[Execution] = []

    def start(flow_run_id: UUID) -> Execution:
        executions.append(Execution(flow_run_id))
        return executions[-1]

    yield start
    for execution in executions:
        execution.kill()
