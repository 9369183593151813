"""What happens to a submitted job when its flow run is cancelled or crashes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect.client.schemas.objects import State

from flinkglue.azure.jobs.submission import Submission
from flinkglue.azure.jobs.submitted_job import SubmittedJob
from flinkglue.azure.links import portal_link
from flinkglue.azure.names import job_name_for
from flinkglue.lifecycle.interrupted import OnCancel
from flinkglue.prefect.hooks.settling import Ended, Hook, Parameters, settling_hook
from flinkglue.prefect.pages.flink_job import HDInsightCluster


class SubmittedBy:
    """Finds the job that a flow run submitted, by the name that belongs to the flow run.

    Args:
        job_name_of: The beginning of the job's name.
    """

    def __init__(
        self,
        cluster_of: Callable[[Parameters], HDInsightCluster],
        job_name_of: Callable[[Parameters], str],
    ) -> None:
        self._cluster_of = cluster_of
        self._job_name_of = job_name_of

    def end_as_requested(self) -> Hook:
        """A hook that leaves, stops or cancels the job, as the parameter ``on_cancel`` says."""
        return self._hook("end_as_requested", lambda given: OnCancel(given["on_cancel"]))

    def report_what_is_left(self) -> Hook:
        """A hook that logs which job the flow run left behind, with its id and link."""
        return self._hook("report_what_is_left", lambda _: OnCancel.LEAVE)

    def _hook(self, name: str, on_cancel_of: Callable[[Parameters], OnCancel]) -> Hook:
        def settle(ended: Ended) -> None:
            on_cancel = on_cancel_of(ended.parameters)
            job_name = job_name_for(self._job_name_of(ended.parameters), str(ended.flow_run.id))
            cluster = self._cluster_of(ended.parameters)
            with cluster.get_client() as arm:
                submission = Submission(arm, cluster.cluster_id, emit=ended.log.warning)
                job = SubmittedJob(submission, job_name)
                if on_cancel is OnCancel.LEAVE:
                    _report(job, cluster, ended.state)
                else:
                    job.end(on_cancel)

        return settling_hook(name, settle, "Check whether its Flink job still runs")


def _report(job: SubmittedJob, cluster: HDInsightCluster, state: State[Any]) -> None:
    row = job.find()
    if row is None:
        job.emit(f"No job {job.job_name} is in the list of {cluster.cluster_id}.")
        return
    link = portal_link(cluster.cluster_id, cluster.portal_url)
    job.emit(
        f"This run is {state.name}; its Flink job {job.job_name} (id {row.job_id}) was last "
        f"{row.status} and is left as it is: {link}"
    )
