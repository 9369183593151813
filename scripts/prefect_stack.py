"""A Prefect server and a worker of their own, beside any other: free port, own database, own logs.

Used by the demo and by the tests that go through deployments.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from localcloud.config import free_port
from localcloud.kept_file import kept, private_directory
from localcloud.processes import ChildProcess, tail

REPOSITORY = Path(__file__).resolve().parent.parent
WORK_POOL = "flinkglue"
FINAL_STATES = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
LOG_ARRIVES_WITHIN_SECONDS = 30.0


def _new_password() -> bytes:
    """In the form that Prefect's UI asks for."""
    return f"admin:{secrets.token_urlsafe(24)}".encode()


class StackFailed(Exception):
    """A process did not start or a command failed; the message holds the end of its output."""


class PrefectStack:
    """A Prefect server, its work pool and one process worker.

    The API is for those who have its password: flow runs run code.

    Args:
        home: Where the database, results and logs go. It is made if it is missing.
        port: The server's port; 0 takes a free one.
        database_url: The server's database; None: SQLite, in a file of the home.
        log_requests: Whether the server's log has a line for each request.
        public_url: Where a reverse proxy has the server for browsers; empty: as it is.
    """

    def __init__(
        self,
        home: Path,
        port: int = 0,
        database_url: str | None = None,
        *,
        log_requests: bool = False,
        public_url: str = "",
    ) -> None:
        self.home = home.resolve()
        self._database_url = database_url
        self._server_log_level = "INFO" if log_requests else "WARNING"  # the latter is Prefect's
        self.port = port or free_port()
        self.ui_url = f"http://127.0.0.1:{self.port}"
        self.public_url = public_url.rstrip("/") or self.ui_url
        # SQLite answers late when much is going on at once.
        private_directory(self.home, own_file="prefect.db")
        self.password = kept(self.home / "ui-password", _new_password).decode()
        self.api = httpx.Client(
            base_url=f"{self.ui_url}/api", timeout=120, auth=tuple(self.password.split(":", 1))
        )
        self._server = self._process("server", "scripts.prefect_server")
        self._worker = self._process(
            "worker", "prefect", "--no-prompt", "worker", "start", "--pool", WORK_POOL,
            "--name", "local",
        )  # fmt: skip

    @property
    def environment(self) -> dict[str, str | None]:
        """What a process needs to talk to this server, and to no other; None takes one away."""
        inherited = dict.fromkeys(name for name in os.environ if name.startswith("PREFECT_"))
        return inherited | {
            "PREFECT_HOME": str(self.home),
            "PREFECT_API_URL": f"{self.ui_url}/api",
            "PREFECT_SERVER_UI_API_URL": f"{self.public_url}/api",  # what the UI calls
            "PREFECT_UI_URL": self.public_url,  # in the links of notifications
            "PREFECT_API_AUTH_STRING": self.password,
            "PREFECT_SERVER_API_AUTH_STRING": self.password,
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": self.public_url,
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            **self._database,
            "PREFECT_SERVER_LOGGING_LEVEL": self._server_log_level,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500,504",  # as runs do, by prefect.yaml
            "PREFECT_CLI_COLORS": "false",
            "PREFECT_SHOW_UPDATE_NOTIFICATION": "false",
            "DO_NOT_TRACK": "1",
            "PWD": str(REPOSITORY),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }

    @property
    def _database(self) -> dict[str, str | None]:
        name = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
        return {name: self._database_url} if self._database_url else {}

    def start_server(self, timeout_seconds: float = 120) -> None:
        """Returns when the server is healthy."""
        self._server.start()
        give_up_at = time.monotonic() + timeout_seconds
        while not self._healthy():
            if not self._server.is_alive() or time.monotonic() > give_up_at:
                said = tail(self._server.log_file)
                raise StackFailed(f"The Prefect server did not start:\n{said}")
            time.sleep(0.3)

    @property
    def server_log(self) -> Path:
        """What the server prints."""
        return self._server.log_file

    @property
    def server_pid(self) -> int:
        """The server's process.

        Raises:
            StackFailed: It was not started.
        """
        if self._server.pid is None:
            raise StackFailed("The Prefect server was not started")
        return self._server.pid

    def create_work_pool(self) -> None:
        """Creates the pool of the deployments as the README does, or brings it back to that."""
        template = REPOSITORY / "infra" / "process_work_pool.json"
        self.command(
            "work-pool", "create", WORK_POOL, "--type", "process", "--overwrite",
            "--base-job-template", str(template),
        )  # fmt: skip

    def move_deployment(self, name: str, pool: str) -> None:
        """Send the flow runs of a deployment to another work pool."""
        found = self._get(f"/deployments/name/{name}")
        body = {"work_pool_name": pool}
        self.api.patch(f"/deployments/{found['id']}", json=body).raise_for_status()

    def start_worker(self) -> None:
        """Starts a worker for the work pool, which must exist."""
        self._worker.start()

    def command(self, *arguments: str) -> str:
        """Runs ``prefect …`` against this server and returns what it printed."""
        return self.run_python("-m", "prefect", "--no-prompt", *arguments)

    def run_python(self, *arguments: str, **extra_environment: str) -> str:
        """Runs this Python with arguments, in the repository, against this server."""
        wanted = os.environ | self.environment | extra_environment
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=REPOSITORY,
            env={k: v for k, v in wanted.items() if v is not None},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StackFailed(f"{' '.join(arguments)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    def run_deployment(self, name: str, parameters: Mapping[str, Any]) -> str:
        """Creates a flow run, and returns its id.

        Raises:
            StackFailed: The server refused the parameters; the message is its answer.
        """
        created = self.create_flow_run(name, parameters)
        if created.is_error:
            raise StackFailed(f"No flow run of {name} was created: {created.text}")
        return str(created.json()["id"])

    def create_flow_run(self, name: str, parameters: Mapping[str, Any]) -> httpx.Response:
        """The server's answer to what the run form, and `prefect deployment run`, send."""
        found = self._get(f"/deployments/name/{name}")
        return self.post(f"/deployments/{found['id']}/create_flow_run", {"parameters": parameters})

    def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """Posts, and again while SQLite is busy, as Prefect's own client does."""
        for _ in range(5):
            answer = self.api.post(path, json=body)
            if not answer.is_server_error:
                break
            time.sleep(1)
        return answer

    def flow_run(self, flow_run_id: str) -> dict[str, Any]:
        """The flow run as the API shows it."""
        return self._get(f"/flow_runs/{flow_run_id}")

    def wait_for(self, flow_run_id: str, timeout_seconds: float = 400) -> dict[str, Any]:
        """Waits until the flow run has ended, well or badly, and returns it."""
        give_up_at = time.monotonic() + timeout_seconds
        while (run := self.flow_run(flow_run_id))["state_type"] not in FINAL_STATES:
            if time.monotonic() > give_up_at:
                raise StackFailed(f"Flow run {flow_run_id} is still {run['state_name']}")
            time.sleep(0.5)
        return run

    def artifacts(self, flow_run_id: str) -> dict[str, Any]:
        """The data of a flow run's artifacts by key, the newest of each."""
        query = {
            "artifacts": {"flow_run_id": {"any_": [flow_run_id]}},
            "sort": "CREATED_DESC",
        }
        found = self.api.post("/artifacts/filter", json=query).raise_for_status().json()
        return {artifact["key"]: artifact["data"] for artifact in reversed(found)}

    def artifact(self, flow_run_id: str, kind: str) -> Any:
        """The data of a flow run's newest artifact of this kind, whatever job it is of."""
        found = self.artifacts(flow_run_id)
        keys = [key for key in found if key and key.startswith(f"{kind}-")]
        return found[keys[-1]]

    def logs(self, flow_run_id: str) -> list[str]:
        """A flow run's log lines, oldest first (at most 200)."""
        query = {
            "logs": {"flow_run_id": {"any_": [flow_run_id]}},
            "sort": "TIMESTAMP_ASC",
        }
        found = self.api.post("/logs/filter", json=query).raise_for_status().json()
        return [line["message"] for line in found]

    def whole_log(self, flow_run_id: str) -> list[str]:
        """The log of a flow run that has ended, with what its process wrote last.

        A process sends its lines behind the state, and the last of them before it ends.
        """
        give_up_at = time.monotonic() + LOG_ARRIVES_WITHIN_SECONDS
        while not self.process_has_ended(flow_run_id) and time.monotonic() < give_up_at:
            time.sleep(0.2)
        return self.logs(flow_run_id)

    def process_has_ended(self, flow_run_id: str) -> bool:
        """Whether the process of a flow run has, by the worker's event: it logs no good end."""
        executed = {
            "event": {"name": ["prefect.worker.executed-flow-run"]},
            "any_resource": {"id": [f"prefect.flow-run.{flow_run_id}"]},
        }
        found = self.post("/events/filter", {"filter": executed}).raise_for_status().json()
        return bool(found["events"])

    def page(self, flow_run_id: str) -> str:
        """The address of a flow run's page in the UI."""
        return f"{self.ui_url}/runs/flow-run/{flow_run_id}"

    def kill_server(self) -> None:
        """SIGKILL the server; it can be started again."""
        self._server.kill()

    def stop_worker(self) -> None:
        """Ends the worker and the flow runs that it started."""
        self._worker.stop()

    def stop(self) -> None:
        """Ends the worker, then the server, and everything that they started."""
        self.stop_worker()
        self._server.stop(grace_seconds=20)
        self.api.close()

    def _get(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.api.get(path).raise_for_status().json()
        return answer

    def _healthy(self) -> bool:
        try:
            return self.api.get("/health").is_success
        except httpx.TransportError:
            return False

    def _process(self, log_name: str, *arguments: str) -> ChildProcess:
        return ChildProcess(
            [sys.executable, "-m", *arguments],
            log_file=self.home / f"{log_name}.log",
            environment=self.environment,
            directory=REPOSITORY,
        )
