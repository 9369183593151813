"""The Flink part: a real session cluster behind a recording proxy."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse

from localcloud.config import CloudConfig
from localcloud.flink import operations
from localcloud.flink.access import FlinkAccess
from localcloud.flink.cluster import FlinkCluster
from localcloud.flink.config import flink_path
from localcloud.flink.door import FlinkDoor, Visitors, is_dashboard
from localcloud.kept_file import kept
from localcloud.part import Operation
from localcloud.web.proxy import recording_proxy
from localcloud.web.serving import AsgiServer
from localcloud.web.sign_in import new_token
from localcloud.web.wire import AsgiApp, Fault, Scope, Wire


class FlinkPart:
    """A session cluster; ``url`` is its REST API and dashboard, with recording and faults.

    Both are for those who have its token, or a browser's cookie.
    """

    name = "flink"

    def __init__(self, config: CloudConfig, wire: Wire) -> None:
        self.wire = wire
        directory = config.part_dir(self.name)
        self.image_root = directory / "image"
        self.cluster = FlinkCluster(
            "session",
            directory / "session",
            task_slots=config.flink_task_slots,
            lib_dir=config.flink_lib_dir,
        )
        token = kept(directory / "token", lambda: new_token().encode()).decode()
        self.visitors = Visitors(token)
        proxy = recording_proxy(
            self.cluster.rest_url,
            wire,
            self.name,
            operations.operation_name,
            _refuse,
            self.cluster.tls.client_context(),
        )
        self._server = AsgiServer(
            FlinkDoor(proxy, self.visitors),
            config.ports.get(self.name, 0),
            opened_by_links=is_dashboard,
        )
        self._restart: threading.Timer | None = None

    def start(self) -> None:
        """Start the cluster; see ``Part``."""
        self._lay_out_image()
        try:
            self.cluster.start()
            self._server.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the JVMs and the proxy."""
        if self._restart is not None:
            self._restart.cancel()
        self._server.stop()
        self.cluster.stop()

    def reset(self) -> None:
        """Bring a killed JobManager back."""
        self.start_jobmanager()

    def url(self) -> str:
        """The REST API and the dashboard."""
        return self._server.url

    @property
    def access(self) -> FlinkAccess:
        """The recording proxy, signed in."""
        return FlinkAccess(self.url(), token=self.visitors.token)

    def dashboard_link(self) -> str:
        """An address that opens the dashboard in one browser, once."""
        return self.visitors.link(self.url())

    def details(self) -> dict[str, Any]:
        """Directories, processes, the address behind the proxy and what it wants to be shown."""
        files = self.cluster.files
        return {
            "jobmanager_url": self.cluster.rest_url,
            "task_slots": self.cluster.task_slots,
            "image_root": str(self.image_root),
            "savepoints": flink_path(files.savepoints),
            "checkpoints": flink_path(files.checkpoints),
            "processes": self.cluster.processes(),
            "jobmanager_certificates": str(self.cluster.tls.directory),
            "accounts": {
                "azure": {"flink_rest_url": self.url(), "flink_token": self.visitors.token}
            },
        }

    def operations(self) -> list[Operation]:
        """What the request log names; a real Flink serves all of its API."""
        return operations.operations()

    def left_out(self) -> list[str]:
        """What differs from a cluster of HDInsight on AKS."""
        return [
            "There is no high availability: a killed JobManager forgets its jobs. Retained "
            "checkpoints, savepoints and uploaded jars survive.",
            "The sign-in is a bearer token of the local cloud; the JobManager's own port behind "
            "the proxy speaks mutual TLS.",
            "There is no abfs file system: jobs read and write local files, and paths below "
            "/opt/flink and /tmp are in the image directory of the state directory.",
        ]

    def fault_commands(self) -> Mapping[str, Callable[..., Any]]:
        """Killing and starting the JobManager."""
        return {"kill-jobmanager": self.kill_jobmanager, "start-jobmanager": self.start_jobmanager}

    def kill_jobmanager(self, restart_after_seconds: float | None = 0) -> dict[str, Any]:
        """Kill the JobManager with SIGKILL.

        Args:
            restart_after_seconds: When it is started again; None: not before ``start-jobmanager``
                or a reset.
        """
        self.cluster.kill_jobmanager()
        if restart_after_seconds is not None:
            self._restart = threading.Timer(restart_after_seconds, self.cluster.start_jobmanager)
            self._restart.daemon = True
            self._restart.start()
        return self.cluster.processes()

    def start_jobmanager(self) -> dict[str, Any]:
        """Start a killed JobManager and wait until the cluster offers all its slots again."""
        self.cluster.start_jobmanager()
        self.cluster.wait_until_ready()
        return self.cluster.processes()

    def _lay_out_image(self) -> None:
        """Give the sample jobs the licence file that HDInsight's images have."""
        licence = self.image_root / "opt" / "flink" / "LICENSE"
        licence.parent.mkdir(parents=True, exist_ok=True)
        (self.image_root / "tmp").mkdir(exist_ok=True)
        shutil.copyfile(_flink_licence(), licence)


def _flink_licence() -> Path:
    files = metadata.files("apache-flink-libraries") or []
    return Path(next(str(file.locate()) for file in files if file.name == "LICENSE"))


def _refuse(fault: Fault, scope: Scope) -> AsgiApp:
    said = f"org.apache.flink.runtime.rest.handler.RestHandlerException: {fault.message}"
    return JSONResponse({"errors": [said]}, fault.status)
