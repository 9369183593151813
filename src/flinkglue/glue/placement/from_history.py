"""The order that an adopted run was started with, as far as the job still has it."""

from __future__ import annotations

from flinkglue.glue.client import GlueClient
from flinkglue.glue.models import Ranking
from flinkglue.glue.placement.ranking import rank
from flinkglue.glue.placement.strategies import as_given


def ranking_from_history(client: GlueClient, job_name: str) -> Ranking:
    """The job's connections in the order that its definition has now, with their subnets.

    Raises:
        CallFailed: The job, all connections or the subnets could not be read.
    """
    names = (client.get_job(job_name).get("Connections") or {}).get("Connections") or []
    selection = client.get_selection(job_name, names)
    return rank(
        selection.connections,
        1,
        as_given,
        seed=0,
        strategy_name="preferred",
        given_order=names,
    )
