"""Names of flow runs and task runs: what they do, to which job, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from prefect import runtime
from prefect.client.orchestration import get_client

from flinkglue.glue.models import Ranking
from flinkglue.prefect.best_effort import best_effort
from flinkglue.texts import one_line, shortened

SHOWN = 3
"""So many of several names are shown."""
MOST_CHARACTERS = 200
USUAL_CREDENTIALS = "aws"
"""The AWS Credentials block that the Glue flows use unless another one is chosen."""


def several(names: Iterable[str]) -> str:
    """Some names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more


def cluster_title(cluster: object) -> str:
    """A cluster as people know it: the name of its block, or what its jobs are recorded under.

    Args:
        cluster: A block, or its type and name.
    """
    if isinstance(cluster, str):
        return cluster.rpartition("/")[2]
    block = getattr(cluster, "_block_document_name", None)
    known = block or getattr(cluster, "cluster_name", "") or getattr(cluster, "url", "")
    return str(known).rstrip("/").rpartition("/")[2]


def block_title(block: object) -> str:
    """A block as it was picked: the name under which it is saved, or else its kind."""
    if isinstance(block, str):
        return block
    return str(getattr(block, "_block_document_name", None) or type(block).__name__)


def action_name(parameters: dict[str, Any]) -> str:
    """``UPDATE wordcount on cluster-x``, of a task's parameters."""
    request = parameters["request"]
    return f"{request.action} {request.job_name} on {cluster_title(parameters['cluster'])}"


def named(name: Callable[[dict[str, Any]], str]) -> Callable[[], str]:
    """A ``flow_run_name`` made of the parameters of the flow run that runs here."""

    def flow_run_name() -> str:
        return _short(name(runtime.flow_run.parameters))

    return flow_run_name


def requested_action(given: dict[str, Any]) -> str:
    """``UPDATE wordcount on cluster-x``, of a flow's parameters."""
    action = getattr(given["action"], "value", given["action"])
    return f"{action} {given['job_name']} on {cluster_title(given['cluster'])}"


def jobs_on_cluster(given: dict[str, Any]) -> str:
    """``orders, billing on cluster-x``, of parameters."""
    return f"{several(given['job_names'])} on {cluster_title(given['cluster'])}"


def definition_name(definition: object) -> str:
    """The job of a definition's block, or the name of the block."""
    if isinstance(definition, str):
        return definition.rpartition("/")[2]
    return str(getattr(definition, "definition", {}).get("Name", ""))


def checked_connections(given: dict[str, Any]) -> str:
    """``a, b of orders``, of the parameters of a check of connections."""
    names = given["connection_names"] or []
    connections = names.split(",") if isinstance(names, str) else names
    of = several(given["job_names"] or [])
    shown = several(each.strip() for each in connections)
    return " and those of ".join(part for part in (shown, of) if part)


def run_on_connection(job_name: str, ranking: Ranking | None) -> str:
    """``run orders on Subnet2``, of the run that is to be started."""
    if ranking is None:
        return f"continue {job_name}"
    name = ranking.expected_name
    return f"run {job_name} on {name}" if name else f"run {job_name}"


def attempt_name(job_name: str, number: int, connection_name: str | None) -> str:
    """``orders: attempt 2 on Subnet2``, of a flow run."""
    on = f" on {connection_name}" if connection_name else ""
    return f"{job_name}: attempt {number}{on}"


@best_effort("The flow run keeps its name")
def rename_flow_run(name: str) -> None:
    """Give the flow run that runs here a name, as soon as more is known than its parameters say."""
    flow_run_id = runtime.flow_run.id
    if flow_run_id is None or runtime.flow_run.name == name:
        return
    with get_client(sync_client=True) as client:
        client.update_flow_run(UUID(str(flow_run_id)), name=_short(name))


def _short(name: str) -> str:
    return shortened(one_line(name), MOST_CHARACTERS)
