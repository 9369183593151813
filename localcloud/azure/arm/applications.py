"""Application Mode: each such cluster runs a Flink of its own, and its one job on it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from localcloud.azure.arm.models import Cluster
from localcloud.azure.arm.operations import Failure
from localcloud.flink.cluster import FlinkCluster
from localcloud.flink.config import flink_path
from localcloud.part import PartFailed

_TASK_SLOTS = 2
_MOST_TASK_SLOTS = 8
# What a job may set. Sizes, addresses and high availability are those of this machine.
_KEPT_SETTINGS = ("execution.", "state.", "pipeline.", "restart-strategy", "parallelism.")
_OWN_SETTINGS = ("pipeline.remote.log.dir", "pipeline.log.aggregation.interval")


class Applications(Protocol):
    """The Flinks of clusters in Application Mode."""

    def begin(self, cluster: Cluster) -> None:
        """Start the cluster's Flink in the background."""

    def progress(self, cluster: Cluster) -> bool | Failure:
        """Whether it has started, or why it never will."""

    def end(self, cluster: Cluster) -> None:
        """Stop the cluster's Flink in the background."""

    def has_ended(self, cluster: Cluster) -> bool:
        """Whether nothing of it runs any more."""

    def stop(self) -> None:
        """Stop all of them."""

    def describe(self) -> dict[str, Any]:
        """Address and processes of each, by cluster name."""


class NoApplications:
    """For accounts whose clusters in Application Mode share one Flink with the others."""

    def begin(self, cluster: Cluster) -> None:
        """Nothing to start."""

    def progress(self, cluster: Cluster) -> bool | Failure:
        """Started at once."""
        return True

    def end(self, cluster: Cluster) -> None:
        """Nothing to stop."""

    def has_ended(self, cluster: Cluster) -> bool:
        """Ended at once."""
        return True

    def stop(self) -> None:
        """Nothing to stop."""

    def describe(self) -> dict[str, Any]:
        """None has a Flink of its own."""
        return {}


class FlinkApplications:
    """Starts a JobManager and a TaskManager per cluster in Application Mode.

    Args:
        directory: Each cluster writes below a directory of its deployment id in it.
        lib_dir: The ``lib`` directory of a Flink distribution; None: the installed one.
    """

    def __init__(self, directory: Path, lib_dir: Path | None = None) -> None:
        self._directory = directory
        self._lib_dir = lib_dir
        self._lock = threading.RLock()
        self._flinks: dict[str, FlinkCluster] = {}
        self._progress: dict[str, bool | Failure] = {}
        self._threads: list[threading.Thread] = []
        self._is_stopping = False

    def flink(self, cluster: Cluster) -> FlinkCluster | None:
        """The cluster's own Flink, if it has one."""
        return self._flinks.get(cluster.resource_id.lower())

    def begin(self, cluster: Cluster) -> None:
        """Start the cluster's Flink in the background."""
        flink = FlinkCluster(
            cluster.name,
            self._directory / cluster.deployment_id,
            task_slots=task_slots(cluster.flink_conf),
            lib_dir=self._lib_dir,
            settings=job_settings(cluster.flink_conf),
        )
        with self._lock:
            self._flinks[cluster.resource_id.lower()] = flink
            self._progress[cluster.resource_id.lower()] = False
        self._in_background(lambda: self._start(cluster, flink))

    def _start(self, cluster: Cluster, flink: FlinkCluster) -> None:
        key = cluster.resource_id.lower()
        try:
            flink.start()
        except (PartFailed, OSError) as error:
            logging.getLogger(__name__).error("cluster %s did not start: %s", cluster.name, error)
            flink.stop()
            self._progress[key] = Failure("FlinkClusterNotReady", str(error).splitlines()[0])
        else:
            self._progress[key] = True
        if self._is_stopping:
            flink.stop()

    def progress(self, cluster: Cluster) -> bool | Failure:
        """Whether it has started, or why it never will."""
        return self._progress.get(cluster.resource_id.lower(), True)

    def end(self, cluster: Cluster) -> None:
        """Stop the cluster's Flink in the background."""
        flink = self.flink(cluster)
        if flink is not None:
            self._in_background(lambda: self._stop(cluster, flink))

    def _stop(self, cluster: Cluster, flink: FlinkCluster) -> None:
        flink.stop()
        with self._lock:
            self._flinks.pop(cluster.resource_id.lower(), None)
            self._progress.pop(cluster.resource_id.lower(), None)

    def has_ended(self, cluster: Cluster) -> bool:
        """Whether nothing of it runs any more."""
        return self.flink(cluster) is None

    def stop(self) -> None:
        """Stop all of them, those that are being started included."""
        self._is_stopping = True
        for flink in list(self._flinks.values()):
            flink.stop()
        for thread in self._threads:
            thread.join()
        for flink in list(self._flinks.values()):
            flink.stop()
        self._flinks.clear()

    def describe(self) -> dict[str, Any]:
        """Address, directories and processes of each, by cluster name."""
        return {
            flink.name: {
                "rest_url": flink.rest_url,
                "certificates": str(flink.tls.directory),
                "savepoints": flink_path(flink.files.savepoints),
                "processes": flink.processes(),
            }
            for flink in list(self._flinks.values())
        }

    def _in_background(self, act: Callable[[], None]) -> None:
        thread = threading.Thread(target=act, name="arm-application", daemon=True)
        self._threads.append(thread)
        thread.start()


def task_slots(flink_conf: Mapping[str, str]) -> int:
    """How many tasks run side by side: as configured, as far as this machine bears it."""
    wanted = flink_conf.get("taskmanager.numberOfTaskSlots", "")
    slots = int(wanted) if wanted.isdigit() else _TASK_SLOTS
    return min(max(slots, 1), _MOST_TASK_SLOTS)


def job_settings(flink_conf: Mapping[str, str]) -> dict[str, str]:
    """What of a cluster's Flink configuration holds here: directories are this machine's own."""
    return {
        key: value
        for key, value in flink_conf.items()
        if key.startswith(_KEPT_SETTINGS)
        and key not in _OWN_SETTINGS
        and not value.startswith(("abfs:", "abfss:"))
    }


def job_properties(cluster: Cluster) -> dict[str, Any]:
    """The row of the cluster's one job, which has the cluster's name."""
    spec = cluster.flink_profile.get("jobSpec") or {}
    conf = cluster.flink_conf
    properties = {
        "jobType": "FlinkJob",
        "jobName": cluster.name,
        "action": "NEW",
        "jobJarDirectory": spec.get("jobJarDirectory"),
        "jarName": spec.get("jarName"),
        "entryClass": spec.get("entryClass"),
        "args": spec.get("args"),
        "flinkConfiguration": {
            **job_settings(conf),
            "parallelism": conf.get("parallelism.default", "1"),
            "pipeline.name": cluster.name,
        },
    }
    return {name: value for name, value in properties.items() if value}
