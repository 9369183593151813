"""The server of scripts.serve_prefect: set up by one command, then schedules, runs and a cancel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
import yaml

from localcloud.aws.glue.settings import GlueSettings
from localcloud.processes import ChildProcess
from scripts.postgres import PostgresFailed, find_programs
from tests.contract.aws.aws_cloud import QUICK, AwsCloud

ROOT = Path(__file__).resolve().parents[3]
EVERY_SECONDS = 15
LATE_SECONDS = 30  # of a process that starts on a busy machine


def has_postgres() -> bool:
    try:
        find_programs()
    except PostgresFailed:
        return False
    return True


pytestmark = pytest.mark.skipif(not has_postgres(), reason="no PostgreSQL on this machine")


class Server:
    """The server as its clients know it: by what the command printed."""

    def __init__(self, printed: str) -> None:
        self.url = re.findall(r"PREFECT_API_URL=(\S+)", printed)[0]
        self.password = Path(re.findall(r"\$\(cat (.+?)\)", printed)[0]).read_text()
        user = tuple(self.password.split(":", 1))
        self.api = httpx.Client(base_url=self.url, auth=user, timeout=60)
        self.worker_ready_at: datetime | None = None

    @property
    def environment(self) -> dict[str, str]:
        bare = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{bare['PATH']}"
        return bare | {
            "PREFECT_API_URL": self.url,
            "PREFECT_API_AUTH_STRING": self.password,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PATH": path,
        }

    def post(self, path: str, body: Any) -> Any:
        return self.api.post(path, json=body).raise_for_status().json()

    def deployment(self, name: str) -> str:
        return str(self.api.get(f"/deployments/name/{name}").raise_for_status().json()["id"])

    def flow_run(self, flow_run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"/flow_runs/{flow_run_id}").raise_for_status().json()
        return found


def until(look: Callable[[], Any], within_seconds: float = 150) -> Any:
    give_up_at = time.monotonic() + within_seconds
    while not (found := look()):
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.3)
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)  # where root starts PostgreSQL, another account enters it
        command = [sys.executable, "-m", "scripts.serve_prefect", "--state-dir", directory]
        running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert running.stdout is not None
        printed = ""
        while "AUTH_STRING" not in printed:
            line = running.stdout.readline()
            assert line, "the server ended"
            printed += line
        server = Server(printed)
        try:
            yield server
        finally:
            server.api.close()
            running.terminate()
            running.wait(60)
            running.stdout.close()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path_factory.mktemp("aws"), GlueSettings(**QUICK))
    running.two_connections()
    running.job(script="import time; time.sleep(600)")
    yield running
    running.close()


@pytest.fixture(scope="module")
def deployed(
    server: Server, cloud: AwsCloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Set up from a file, with a worker."""
    directory = tmp_path_factory.mktemp("production")
    file = directory / "production.yaml"
    account = cloud.account
    file.write_text(
        yaml.safe_dump(
            {
                "blocks": {
                    "aws-credentials/aws": {
                        "region_name": account["region"],
                        "aws_access_key_id": account["access_key_id"],
                        "aws_secret_access_key": {"env": "AWS_SECRET_OF_TEST"},
                        "aws_client_parameters": {"endpoint_url": account["endpoint_url"]},
                    }
                },
                "deployments": {
                    "glue-connection-health/often": {
                        "parameters": {"connection_names": ["a", "b"], "minimum_free_addresses": 1},
                        "schedules": {"often": {"interval": EVERY_SECONDS}},
                        "concurrency_limit": {"limit": 1, "collision_strategy": "CANCEL_NEW"},
                    }
                },
            }
        )
    )
    command = [sys.executable, "-m", "infra.setup", "up", str(file)]
    secret = {"AWS_SECRET_OF_TEST": account["secret_access_key"]}
    for expected in ("create", "unchanged"):
        done = subprocess.run(
            command, cwd=ROOT, env=server.environment | secret, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
        assert account["secret_access_key"] not in done.stdout + done.stderr
    worker = ChildProcess(
        [sys.executable, "-m", "prefect", "worker", "start", "--pool", "flinkglue"],
        log_file=directory / "worker.log",
        environment=dict(server.environment),
        directory=ROOT,
    )
    worker.start()
    try:
        until(lambda: "started!" in (directory / "worker.log").read_text())
        server.worker_ready_at = datetime.now(UTC)
        yield server
    finally:
        worker.stop(grace_seconds=20)


def test_without_the_password_nobody_runs_anything(server: Server) -> None:
    assert httpx.post(f"{server.url}/flow_runs/filter", json={}).status_code == 401


def test_a_schedule_of_the_file_fires_at_its_time(deployed: Server) -> None:
    assert deployed.worker_ready_at is not None
    query = {
        "deployments": {"id": {"any_": [deployed.deployment("glue-connection-health/often")]}},
        "flow_runs": {
            "state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}},
            "expected_start_time": {"after_": deployed.worker_ready_at.isoformat()},
        },
    }
    (run, *_) = until(lambda: deployed.post("/flow_runs/filter", query))
    assert run["state_type"] == "COMPLETED", run["state"]["message"]
    assert run["auto_scheduled"]
    planned, began = (
        datetime.fromisoformat(run[name]) for name in ("expected_start_time", "start_time")
    )
    assert -1 <= (began - planned).total_seconds() < LATE_SECONDS


def test_a_run_is_cancelled_with_what_it_started(deployed: Server, cloud: AwsCloud) -> None:
    deployment_id = deployed.deployment("glue-job/glue-job")
    body = {"parameters": {"job_name": "job", "connection_names": ["a", "b"]}}
    flow_run_id = deployed.post(f"/deployments/{deployment_id}/create_flow_run", body)["id"]
    until(lambda: cloud.glue.get_job_runs(JobName="job")["JobRuns"])
    cancelling = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
    deployed.post(f"/flow_runs/{flow_run_id}/set_state", cancelling)
    until(lambda: deployed.flow_run(flow_run_id)["state_type"] == "CANCELLED")
    (run,) = cloud.glue.get_job_runs(JobName="job")["JobRuns"]
    assert run["JobRunState"] == "STOPPED"
