"""Talks to a running local cloud over its control API; starts one when asked to."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from localcloud.config import DEFAULT_STATE_DIR
from localcloud.flink.access import FlinkAccess
from localcloud.processes import ChildProcess, tail
from localcloud.state import StateDir
from localcloud.web.wire import Fault, FaultKind, Request

_CHECKOUT = Path(__file__).parents[1]
_UP_SECONDS = 600.0
_DOWN_SECONDS = 60.0


class CloudNotRunning(Exception):
    """No local cloud answers, or it did not start; the message says what to do."""


class CloudRefused(Exception):
    """The control API refused a call; the message says what is allowed."""


class LocalCloud:
    """A running local cloud.

    Args:
        state_dir: Its state directory.
    """

    def __init__(self, state_dir: Path = DEFAULT_STATE_DIR) -> None:
        self.state = StateDir(state_dir)
        self._process: ChildProcess | None = None
        self._http = httpx.Client(timeout=120, trust_env=False)

    @classmethod
    def up(
        cls,
        state_dir: Path = DEFAULT_STATE_DIR,
        *,
        only: Iterable[str] | None = None,
        flink_slots: int | None = None,
        ports: Mapping[str, int] | None = None,
        outlives: bool = False,
        options: Iterable[str] = (),
    ) -> LocalCloud:
        """Start a cloud as a process of its own and return when it is ready.

        As a context manager it goes down at the end.

        Args:
            state_dir: Its state directory.
            only: The parts to run, with those that they need; all by default.
            flink_slots: Task slots of the session cluster.
            ports: Ports by part name; free ones by default.
            outlives: Let it go on when this process ends.
            options: More options of ``python -m localcloud up``.

        Raises:
            CloudNotRunning: It did not start; the message ends with its log.
        """
        arguments = ["--state-dir", str(Path(state_dir).resolve())]
        if only is not None:
            arguments += ["--only", ",".join(only)]
        if flink_slots is not None:
            arguments += ["--flink-slots", str(flink_slots)]
        for part, port in (ports or {}).items():
            arguments += ["--port", f"{part}={port}"]
        cloud = cls(state_dir)
        cloud._start([*arguments, *options], outlives)
        return cloud

    def _start(self, arguments: list[str], outlives: bool) -> None:
        if self.state.is_held():
            raise CloudNotRunning(f"a local cloud already runs in {self.state.path}")
        self.state.forget()
        self.state.make()
        output = self.state.path / "supervisor.out"
        output.unlink(missing_ok=True)
        self._process = ChildProcess(
            [sys.executable, "-m", "localcloud", "up", *arguments],
            log_file=output,
            environment={"PYTHONPATH": _python_path()},
            outlives=outlives,
        )
        try:
            self._process.start()
            self._wait_until_ready(self._process)
        except BaseException:  # Ctrl-C as well: a cloud that is being started has no owner yet
            self._process.stop(_DOWN_SECONDS)
            raise

    def _wait_until_ready(self, process: ChildProcess) -> None:
        give_up_at = time.monotonic() + _UP_SECONDS
        while not (self.state.read() or {}).get("ready"):
            if not process.is_alive() or time.monotonic() > give_up_at:
                process.stop(_DOWN_SECONDS)
                said = tail(process.log_file, 60)
                raise CloudNotRunning(f"the local cloud did not start:\n{said}")
            time.sleep(0.1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._process is not None:
            self.down()
        self._http.close()

    def down(self) -> None:
        """Stop the cloud and return when its process and all its children have ended.

        Raises:
            CloudNotRunning: There is none.
        """
        pid = self._known()["pid"]
        try:
            self._call("POST", "/down")
        except CloudNotRunning:
            os.kill(pid, signal.SIGTERM)
        give_up_at = time.monotonic() + _DOWN_SECONDS
        while self.state.is_held():
            if time.monotonic() > give_up_at:
                os.kill(pid, signal.SIGKILL)
                give_up_at += _DOWN_SECONDS
            time.sleep(0.05)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def status(self) -> dict[str, Any]:
        """Parts, addresses and accounts; see docs/contributing/local-cloud.md.

        Raises:
            CloudNotRunning: There is none.
        """
        status: dict[str, Any] = self._call("GET", "/status")
        return status

    @property
    def azure(self) -> dict[str, Any]:
        """The Azure account: addresses, ids, the reader's secret."""
        account: dict[str, Any] = self.status()["azure"]
        return account

    @property
    def aws(self) -> dict[str, Any]:
        """The AWS account: endpoint, region, access key."""
        account: dict[str, Any] = self.status()["aws"]
        return account

    @property
    def flink(self) -> FlinkAccess:
        """The session cluster's REST API with its sign-in."""
        azure = self.azure
        return FlinkAccess(azure["flink_rest_url"], token=azure["flink_token"])

    def dashboard_link(self) -> str:
        """An address that opens Flink's dashboard in one browser, once.

        Raises:
            CloudRefused: Flink does not run.
        """
        url: str = self._call("POST", "/dashboard")["url"]
        return url

    def requests(
        self, service: str = "*", operation: str = "*", since: float = 0.0
    ) -> list[Request]:
        """The recorded requests that match both patterns and came in at ``since`` or later."""
        query = {"service": service, "operation": operation, "since": since}
        return [Request(**each) for each in self._call("GET", "/requests", params=query)]

    def clear_requests(self) -> None:
        """Forget the recorded requests."""
        self._call("DELETE", "/requests")

    def add_fault(self, pattern: str, kind: FaultKind, **options: Any) -> Fault:
        """Add a fault; see ``localcloud.web.wire.Fault`` for the options."""
        body = {"pattern": pattern, "kind": kind, **options}
        return Fault(**self._call("POST", "/faults", json=body))

    def faults(self) -> list[Fault]:
        """The fault book."""
        return [Fault(**each) for each in self._call("GET", "/faults")]

    def clear_faults(self, id: str | None = None) -> None:
        """Remove one fault, or all."""
        self._call("DELETE", "/faults", params={"id": id} if id else {})

    def fault(self, part: str, command: str, **arguments: Any) -> Any:
        """Run a part's own fault command."""
        return self._call("POST", f"/fault/{part}/{command}", json=arguments)

    def reset(self) -> None:
        """Faults undone, requests forgotten; jobs and accounts stay."""
        self._call("POST", "/reset")

    def fill(self, subnet_id: str, leave: int = 0) -> Any:
        """Use up a subnet's addresses, but for some."""
        return self.fault("aws", "fill-subnet", subnet_id=subnet_id, leave=leave)

    def drain(self, subnet_id: str) -> Any:
        """Free the addresses again that ``fill`` used up."""
        return self.fault("aws", "drain-subnet", subnet_id=subnet_id)

    def zone_down(self, availability_zone: str) -> Any:
        """Take an availability zone down."""
        return self.fault("aws", "zone-down", availability_zone=availability_zone)

    def zone_up(self, availability_zone: str) -> Any:
        """Bring an availability zone back."""
        return self.fault("aws", "zone-up", availability_zone=availability_zone)

    def fail_next_runs(self, job_name: str, error_message: str, **arguments: Any) -> Any:
        """Let the next runs of a Glue job fail with a text."""
        return self.fault(
            "aws", "fail-next-runs", job_name=job_name, error_message=error_message, **arguments
        )

    def glue_timing(self, **seconds: float) -> Any:
        """Set ``run_seconds``, ``start_delay_seconds``, ``list_lag_seconds`` and so on."""
        return self.fault("aws", "glue-timing", **seconds)

    def expire_tokens(self) -> Any:
        """Make all tokens that Entra ID has issued invalid."""
        return self.fault("entra", "expire-tokens")

    def rotate_secret(self, name: str, **arguments: Any) -> Any:
        """Give a Key Vault secret a new version."""
        return self.fault("keyvault", "rotate-secret", name=name, **arguments)

    def kill_jobmanager(self, restart_after_seconds: float | None = 0) -> Any:
        """Kill Flink's JobManager; None: it stays down until ``reset``."""
        return self.fault("flink", "kill-jobmanager", restart_after_seconds=restart_after_seconds)

    def _known(self) -> dict[str, Any]:
        status = self.state.read()
        if status is None:
            raise CloudNotRunning(
                f"no local cloud runs in {self.state.path}. Start one: python -m localcloud up"
            )
        return status

    def _call(self, method: str, path: str, **request: Any) -> Any:
        known = self._known()
        url = known["control_url"] + path
        token = {"Authorization": f"Bearer {known.get('control_token')}"}
        try:
            answer = self._http.request(method, url, headers=token, **request)
        except httpx.TransportError as error:
            raise CloudNotRunning(f"the local cloud at {url} did not answer: {error}") from error
        if answer.is_client_error:
            raise CloudRefused(answer.json()["error"])
        if answer.is_error:
            raise CloudRefused(
                f"the local cloud failed at {method} {path} (HTTP {answer.status_code}); its log "
                f"says why: python -m localcloud logs --state-dir {self.state.path}"
            )
        return answer.json()


def _python_path() -> str:
    inherited = os.environ.get("PYTHONPATH")
    return f"{_CHECKOUT}{os.pathsep}{inherited}" if inherited else str(_CHECKOUT)
