"""Airflow with the published design, from an environment of its own."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from benchmarks.stands.run_stand import Stand
from benchmarks.stands.systems import TRIGGER_AGAIN_SECONDS, Ended, Triggered
from localcloud.config import free_port
from localcloud.processes import ChildProcess, tail
from scripts.prefect_stack import StackFailed

DAG_FILE = Path(__file__).with_name("airflow_dag.py")
DAG = "glue_vpc_failover"
STARTS_WITHIN_SECONDS = 180.0
PARALLEL = 64
_TOGETHER = '"$0" scheduler --skip-serve-logs & "$0" dag-processor & wait'


class AirflowRuns:
    """Airflow's API, scheduler and workers while a benchmark measures.

    Args:
        api: A client with a token.
        worker: The scheduler, which starts the tasks, and the processor of DAG files.
        server: The API.
    """

    name = "Airflow"

    def __init__(self, api: httpx.Client, worker: ChildProcess, server: ChildProcess) -> None:
        assert worker.pid is not None
        assert server.pid is not None
        self.worker_pid, self.server_pid = worker.pid, server.pid
        self._api = api

    def trigger(self, job: str, order: tuple[str, ...], give_up_at: float = inf) -> Triggered:
        """As often as it takes; the time counts from the first try."""
        run_id = str(uuid4())
        conf = {"job_name": job, "connection_names": ",".join(order), "strategy": "preferred"}
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        at = time.time()
        for refused in itertools.count():
            try:
                answer = self._api.post(f"/dags/{DAG}/dagRuns", json=body)
            except httpx.TransportError:
                answer = None
            if answer is not None and (answer.is_success or answer.status_code == 409):
                return Triggered(run_id, at, order, refused)
            if answer is not None and not answer.is_server_error:
                answer.raise_for_status()
            if time.time() > give_up_at:
                return Triggered("", at, order, refused + 1)
            time.sleep(TRIGGER_AGAIN_SECONDS)
        raise AssertionError("tries never end by themselves")

    def ended(self, run_ids: list[str], give_up_at: float) -> dict[str, Ended]:
        """How the runs are, when all have ended or the time is over."""
        while True:
            found = {run_id: self._run(run_id) for run_id in run_ids}
            over = all(run["state"] in ("success", "failed") for run in found.values())
            if over or time.time() > give_up_at:
                return {run_id: _ended(run) for run_id, run in found.items()}
            time.sleep(1)

    def _run(self, run_id: str) -> dict[str, Any]:
        answer = self._api.get(f"/dags/{DAG}/dagRuns/{run_id}")
        run: dict[str, Any] = answer.json() if answer.is_success else {"state": "not known"}
        return run


def _ended(run: dict[str, Any]) -> Ended:
    at = run.get("end_date")
    return Ended(run["state"] == "success", datetime.fromisoformat(at).timestamp() if at else None)


@contextmanager
def airflow(environment: Path, home: Path, stand: Stand) -> Iterator[AirflowRuns]:
    """Runs Airflow while the block runs, on the stand's PostgreSQL if it has one.

    Args:
        environment: Where `scripts/install-airflow` has put it.
        home: A directory for its files.
        stand: The emulated AWS that its DAG works in.
    """
    program, port = str(environment / "bin" / "airflow"), free_port()
    (home / "dags").mkdir(parents=True)
    shutil.copy(DAG_FILE, home / "dags")
    variables = _variables(environment, home, stand, port)

    def process(log: str, *command: str) -> ChildProcess:
        return ChildProcess(
            list(command),
            log_file=home / f"{log}.log",
            environment=variables,
            inherits=("PATH", "HOME", "LANG", "TMPDIR"),
            directory=home,
        )

    migration = process("migration", program, "db", "migrate")
    migration.start()
    if migration.wait(STARTS_WITHIN_SECONDS):
        raise StackFailed(f"Airflow's database:\n{tail(home / 'migration.log')}")
    server = process("api", program, "api-server", "--host", "127.0.0.1", "--port", str(port))
    worker = process("scheduler", "/bin/sh", "-c", _TOGETHER, program)
    api = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v2", timeout=60)
    try:
        server.start()
        worker.start()
        _wait_until_ready(api, home)
        yield AirflowRuns(api, worker, server)
    finally:
        api.close()
        worker.stop(grace_seconds=20)
        server.stop(grace_seconds=20)


def _wait_until_ready(api: httpx.Client, home: Path) -> None:
    """Until the DAG is there and may be triggered."""
    give_up_at = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < give_up_at:
        try:
            if "Authorization" not in api.headers:
                token = api.get(str(api.base_url.join("/auth/token"))).json()["access_token"]
                api.headers["Authorization"] = f"Bearer {token}"
            if api.patch(f"/dags/{DAG}", json={"is_paused": False}).is_success:
                return
        except (httpx.TransportError, ValueError, KeyError):
            pass
        time.sleep(1)
    raise TimeoutError(
        f"Airflow was not ready:\n{tail(home / 'api.log')}{tail(home / 'scheduler.log')}"
    )


def _variables(environment: Path, home: Path, stand: Stand, port: int) -> dict[str, str | None]:
    aws = stand.cloud.aws
    database = f"sqlite:///{home / 'airflow.db'}"
    if stand.postgres is not None:
        database = stand.postgres.new_database("airflow").replace("+asyncpg", "+psycopg2")
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(PARALLEL),
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(PARALLEL),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(32),
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        "AWS_ACCESS_KEY_ID": aws["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": aws["secret_access_key"],
        "AWS_DEFAULT_REGION": aws["region"],
        "AWS_ENDPOINT_URL": aws["endpoint_url"],
        "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
    }
