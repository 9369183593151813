"""What happens to a submitted job when its flow run is cancelled or crashes, and that it is said.

Prefect runs an on_cancellation hook in the flow's process, ends that process when it takes longer
than 30 s, and runs the hook again in the worker's. So it knows nothing but the flow run, finds the
job by the name that belongs to it, and bears being interrupted and repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import httpx
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.logging.loggers import flow_run_logger

from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.jobs.submission import Submission
from flinkglue.azure.jobs.submitted_job import SubmittedJob
from flinkglue.azure.links import portal_link
from flinkglue.azure.models import FlinkClusterId
from flinkglue.azure.names import job_name_for
from flinkglue.http_faults import in_words
from flinkglue.lifecycle.interrupted import OnCancel
from flinkglue.prefect.forms.form_flow import FormFlow
from flinkglue.prefect.hooks.flink_action import CANNOT_SETTLE
from flinkglue.prefect.run_log import HarmlessLog

Parameters = dict[str, Any]
Hook = Callable[[Flow[Any, Any], FlowRun, State[Any]], None]


class SubmittedTo(Protocol):
    """What the block of an HDInsight on AKS cluster offers."""

    @property
    def cluster_id(self) -> FlinkClusterId:
        """Its place in Azure."""

    portal_url: str

    def get_client(self) -> ArmClient:
        """ARM, signed in."""


Act = Callable[[SubmittedJob, SubmittedTo, Parameters], None]


class SubmittedBy:
    """Finds the job that a flow run submitted.

    Args:
        job_name_of: The beginning of the job's name.
    """

    def __init__(
        self,
        cluster_of: Callable[[Parameters], SubmittedTo],
        job_name_of: Callable[[Parameters], str],
    ) -> None:
        self._cluster_of = cluster_of
        self._job_name_of = job_name_of

    def end_as_requested(self) -> Hook:
        """A hook that leaves, stops or cancels the job, as the parameter ``on_cancel`` says."""

        def hook(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
            def end(job: SubmittedJob, cluster: SubmittedTo, given_parameters: Parameters) -> None:
                on_cancel = OnCancel(given_parameters["on_cancel"])
                if on_cancel is OnCancel.LEAVE:
                    _report(job, cluster, state)
                else:
                    job.end(on_cancel)

            self._settle(flow, flow_run, end)

        hook.__name__ = "end_as_requested"  # Prefect names hooks in its log by this
        return hook

    def report_what_is_left(self) -> Hook:
        """A hook that logs which job the flow run left behind, with its id and link."""

        def hook(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
            self._settle(flow, flow_run, lambda job, cluster, _: _report(job, cluster, state))

        hook.__name__ = "report_what_is_left"
        return hook

    def _settle(self, flow: Flow[Any, Any], flow_run: FlowRun, act: Act) -> None:
        logger = HarmlessLog(flow_run_logger(flow_run, flow))
        try:
            # A deployment's run does not name the parameters that were left as they are.
            assert isinstance(flow, FormFlow)
            parameters = flow.whole(flow_run.parameters)
            name = job_name_for(self._job_name_of(parameters), str(flow_run.id))
            cluster = self._cluster_of(parameters)
            with cluster.get_client() as arm:
                submission = Submission(arm, cluster.cluster_id, emit=logger.warning)
                act(SubmittedJob(submission, name), cluster, parameters)
        except CANNOT_SETTLE as fault:
            logger.error(
                "Check whether a Flink job of flow run %s still runs; it could not be settled: %s",
                flow_run.id,
                in_words(fault) if isinstance(fault, httpx.RequestError) else fault,
            )


def _report(job: SubmittedJob, cluster: SubmittedTo, state: State[Any]) -> None:
    row = job.find()
    if row is None:
        job.emit(f"No job {job.job_name} is in the list of {cluster.cluster_id}.")
        return
    link = portal_link(cluster.cluster_id, cluster.portal_url)
    job.emit(
        f"This run is {state.name}; its Flink job {job.job_name} (id {row.job_id}) was last "
        f"{row.status} and is left as it is: {link}"
    )
