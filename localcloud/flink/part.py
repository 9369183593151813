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
from localcloud.flink.cluster import FlinkCluster
from localcloud.flink.config import flink_path
from localcloud.part import Operation
from localcloud.proxy import recording_proxy
from localcloud.serving import AsgiServer
from localcloud.wire import AsgiApp, Fault, Scope, Wire


class FlinkPart:
    """A session cluster; ``url`` is its REST API and dashboard, with recording and faults."""

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
        self._server = AsgiServer(
            recording_proxy(
                self.cluster.rest_url, wire, self.name, operations.operation_name, _refuse
            ),
            config.ports.get(self.name, 0),
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

    def details(self) -> dict[str, Any]:
        """The cluster's directories, its processes, and its own address behind the proxy."""
        files = self.cluster.files
        return {
            "jobmanager_url": self.cluster.rest_url,
            "task_slots": self.cluster.task_slots,
            "image_root": str(self.image_root),
            "savepoints": flink_path(files.savepoints),
            "checkpoints": flink_path(files.checkpoints),
            "processes": self.cluster.processes(),
            "accounts": {"azure": {"flink_rest_url": self.url()}},
        }

    def operations(self) -> list[Operation]:
        """What the request log names; a real Flink serves all of its API."""
        return operations.operations()

    def left_out(self) -> list[str]:
        """What differs from a cluster of HDInsight on AKS."""
        return [
            "There is no high availability: a killed JobManager forgets its jobs. Retained "
            "checkpoints, savepoints and uploaded jars survive.",
            "There is no abfs file system: jobs read and write local files, and paths below "
            "/opt/flink and /tmp lie in the image directory of the state directory.",
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
