"""What happens to a job when its flow run is cancelled or crashes: it goes on, and that is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectException
from prefect.flows import Flow
from prefect.logging.loggers import flow_run_logger
from prefect.states import State

from blocks.azure import HDInsightFlinkCluster
from flinkglue.azure.links import portal_link
from flinkglue.azure.names import job_name_for
from flinkglue.azure.submission import Submission
from flinkglue.errors import FlinkGlueError
from flinkglue.http_faults import in_words

Parameters = dict[str, Any]

# Parameters of an older deployment may not fit, and Prefect's own API may not answer.
_CANNOT_TELL = (FlinkGlueError, PrefectException, httpx.HTTPError, ValueError)


def tell_of_running_job(
    cluster_of: Callable[[Parameters], HDInsightFlinkCluster],
    job_name_of: Callable[[Parameters], str],
) -> Callable[[Flow[Any, Any], FlowRun, State[Any]], None]:
    """A hook that logs which job the flow run left behind, with its id and link.

    The hook may run in another process than the flow, so it knows nothing but the flow run: the
    job is found by the name that belongs to it.

    Args:
        cluster_of: The cluster that the parameters mean.
        job_name_of: The beginning of the job's name.
    """

    def hook(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
        logger = flow_run_logger(flow_run, flow)
        try:
            parameters = flow.validate_parameters(flow_run.parameters)
            name = job_name_for(job_name_of(parameters), str(flow_run.id))
            cluster = cluster_of(parameters)
            with cluster.get_client() as arm:
                job = Submission().find(arm, cluster.cluster_id, name)
        except _CANNOT_TELL as fault:
            logger.error(
                "Look whether a Flink job of flow run %s still runs; it could not be asked for: %s",
                flow_run.id,
                in_words(fault) if isinstance(fault, httpx.RequestError) else fault,
            )
            return
        if job is None:
            logger.info("No job %s is in the list of %s.", name, cluster.cluster_id)
            return
        logger.warning(
            "This run is %s; its Flink job %s (id %s) was last %s and is left as it is: %s",
            state.name,
            name,
            job.job_id,
            job.status,
            portal_link(cluster.cluster_id, cluster.portal_url),
        )

    # Prefect names hooks in its log by this.
    hook.__name__ = "tell_of_running_job"
    return hook
