"""Carries out actions on real Flink clusters, in the background as the service does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from flinkglue.errors import CallFailed
from localcloud.azure.arm.jobs.flink_jobs import FlinkJob, FlinkTarget
from localcloud.azure.arm.jobs.jars import JarStore
from localcloud.azure.arm.jobs.jobs import ClusterJob
from localcloud.azure.arm.models import Cluster

FlinkFor = Callable[[Cluster], FlinkTarget]


class JobLauncher:
    """Does with Flink what actions ask for; the outcome is written into the job's row.

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

    def begin(self, job: ClusterJob, cluster: Cluster, act: Callable[[FlinkJob], object]) -> None:
        """Act on a job in the background, after the actions on it that are under way."""
        self._threads.submit(self._act, job, cluster, act).add_done_callback(_report)

    def _act(self, job: ClusterJob, cluster: Cluster, act: Callable[[FlinkJob], object]) -> None:
        with job.lock:
            try:
                act(FlinkJob(job, self._jars, self._flink_for(cluster)))
            except CallFailed as error:
                job.action_failed(error.reason)

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
        for job in seen:
            if job.job_id in followed:
                followed[job.job_id].follow(job)

    def answers(self, cluster: Cluster) -> bool:
        """Whether the cluster's JobManager answers."""
        try:
            with self._flink_for(cluster).connect(2) as flink:
                flink.overview()
        except CallFailed:
            return False
        return True


def _report(done: Future[None]) -> None:
    error = None if done.cancelled() else done.exception()
    if error is not None:
        logging.getLogger(__name__).error("an action on a job broke off", exc_info=error)
