"""Runs listed jobs on a real Flink cluster, in the background as the service does."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flinkglue.errors import CallFailed, Conflict, FlinkGlueError, InDoubt, NotFound
from flinkglue.flink.rest import FlinkRestClient
from localcloud.azure.arm.jars import JarStore, JarUnreadable
from localcloud.azure.arm.jobs import LAUNCH_FAILED, ClusterJob
from localcloud.azure.arm.models import Cluster

_OWN_KEYS = ("parallelism", "savepoint.directory")
"""Keys of ``flinkConfiguration`` that the service itself understands."""
_POD_DIRECTORIES = ("/opt/flink/", "/tmp/")
_LAUNCH_SECONDS = 300.0


@dataclass(frozen=True)
class FlinkTarget:
    """The Flink that stands behind a cluster.

    Args:
        connect: Opens a client with a time-out in seconds.
        image_root: The directory that stands for the file system of the cluster's pods.
    """

    connect: Callable[[float], FlinkRestClient]
    image_root: Path


FlinkFor = Callable[[Cluster], FlinkTarget]


class JobLauncher:
    """Does with Flink what actions ask for, and writes the outcome into the job's row.

    Args:
        jars: Where job jars come from.
        flink_for: The Flink behind a cluster.
    """

    def __init__(self, jars: JarStore, flink_for: FlinkFor) -> None:
        self._jars = jars
        self._flink_for = flink_for
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="arm-jobs")

    def close(self) -> None:
        """Start nothing more, and wait for what runs."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def launch(self, job: ClusterJob, cluster: Cluster, savepoint: str | None = None) -> None:
        """Fetch the jar and run it, in the background."""
        self._threads.submit(self._launch, job, cluster, savepoint)

    def cancel(self, job: ClusterJob, cluster: Cluster) -> None:
        """Cancel the job for good, in the background."""
        self._threads.submit(self._cancel, job, cluster)

    def refresh(self, jobs: Iterable[ClusterJob], cluster: Cluster) -> None:
        """Let rows show what Flink says now; what it does not know or answer stays as it was."""
        followed = {job.flink_job_id: job for job in jobs if job.flink_job_id}
        if not followed:
            return
        try:
            with self._flink_for(cluster).connect(5) as flink:
                seen = flink.jobs()
        except CallFailed:
            return
        for details in seen:
            if details.job_id in followed:
                followed[details.job_id].follow(details)

    def answers(self, cluster: Cluster) -> bool:
        """Whether the cluster's JobManager answers."""
        try:
            with self._flink_for(cluster).connect(2) as flink:
                flink.overview()
        except CallFailed:
            return False
        return True

    def _launch(self, job: ClusterJob, cluster: Cluster, savepoint: str | None) -> None:
        properties = job.properties
        target = self._flink_for(cluster)
        flink_job_id = uuid.uuid4().hex
        try:
            jar = self._jars.fetch(properties["jobJarDirectory"], properties["jarName"])
            with target.connect(_LAUNCH_SECONDS) as flink:
                _run(flink, jar, flink_job_id, properties, target.image_root, savepoint)
        except InDoubt:
            # Flink may run it: the list of its jobs tells from now on.
            job.submitted(flink_job_id)
        except CallFailed as error:
            job.launch_failed(error.reason)
        except (JarUnreadable, FlinkGlueError, OSError) as error:
            job.launch_failed(str(error))
        else:
            job.submitted(flink_job_id)

    def _cancel(self, job: ClusterJob, cluster: Cluster) -> None:
        if job.flink_job_id is None or job.status == LAUNCH_FAILED:
            job.action_failed("The job does not run.")
            return
        try:
            with self._flink_for(cluster).connect(30) as flink:
                flink.cancel(job.flink_job_id)
        except (NotFound, Conflict) as error:
            job.action_failed(error.reason)
        except CallFailed as error:
            job.action_failed(str(error))
        else:
            job.submitted(job.flink_job_id)


def _run(
    flink: FlinkRestClient,
    jar: bytes,
    flink_job_id: str,
    properties: dict[str, Any],
    image_root: Path,
    savepoint: str | None,
) -> None:
    configuration = properties.get("flinkConfiguration") or {}
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / Path(properties["jarName"]).name
        file.write_bytes(jar)
        jar_id = flink.upload_jar(file)
    try:
        flink.run_jar(
            jar_id,
            job_id=flink_job_id,
            entry_class=properties["entryClass"],
            program_args=pod_arguments(properties.get("args"), image_root),
            parallelism=int(configuration["parallelism"]),
            savepoint_path=savepoint,
            flink_configuration={
                key: value for key, value in configuration.items() if key not in _OWN_KEYS
            },
        )
    finally:
        flink.delete_jar(jar_id)


def pod_arguments(arguments: str | None, image_root: Path) -> list[str]:
    """The words of ``args``; paths of the pods' file system lead into the image directory."""
    return [
        f"{image_root}{word}" if word.startswith(_POD_DIRECTORIES) else word
        for word in (arguments or "").split()
    ]
