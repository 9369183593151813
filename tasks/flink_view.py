"""Joins the two views of a job: Flink's own answers, as ARM's wait wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from blocks.azure import HDInsightFlinkCluster
from flinkglue.azure.jobs.state import FlinkView, LookIntoFlink
from flinkglue.errors import CallFailed, NotFound
from flinkglue.flink.api.rest import FlinkRestClient
from flinkglue.flink.models import JobStatus


@contextmanager
def flink_lookup(
    cluster: HDInsightFlinkCluster, warn: Callable[[str], None]
) -> Iterator[LookIntoFlink | None]:
    """Asks the cluster's JobManager about jobs; None when the block has no URL for it."""
    client = cluster.get_flink_client()
    if client is None:
        yield None
        return
    with client:
        yield lambda job_id: flink_view(client, job_id, warn)


def flink_view(
    client: FlinkRestClient, job_id: str, warn: Callable[[str], None]
) -> FlinkView | None:
    """A job as Flink sees it; None when Flink does not know it or does not answer."""
    try:
        job = client.job(job_id)
        failed = job.status is JobStatus.FAILED
        failure = client.exceptions(job_id).root_cause if failed else None
    except NotFound:
        return None
    except CallFailed as fault:
        warn(f"Flink was not queried about job {job_id}: {fault}")
        return None
    return FlinkView(
        job.status.value,
        job.tasks.total,
        job.tasks.running + job.tasks.finished,
        job.duration_ms / 1000,
        failure,
    )
