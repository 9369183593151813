"""The flow runs of a work pool, as the server lists them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, WorkPoolFilter, WorkPoolFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

PAGE = 200


async def flow_runs_of(
    client: PrefectClient, pool_name: str, which: FlowRunFilter
) -> AsyncIterator[FlowRun]:
    """Those of a pool, page by page; one that others moved to the next page comes twice."""
    offset = 0
    while True:
        page = await client.read_flow_runs(
            flow_run_filter=which,
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool_name])),
            sort=FlowRunSort.ID_DESC,
            limit=PAGE,
            offset=offset,
        )
        for run in page:
            yield run
        if len(page) < PAGE:
            return
        offset += PAGE
