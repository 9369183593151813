"""What a worker does beside its flow runs, with as little around it as a test needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID, uuid4

from prefect.client.orchestration import PrefectClient

from flinkglue.prefect.worker.members.adoption import Adoption
from flinkglue.prefect.worker.members.cancelled_runs import CancelledRuns
from flinkglue.prefect.worker.members.membership import Membership
from flinkglue.prefect.worker.pool_events import PoolEvents
from flinkglue.prefect.worker.service import Service
from tests.unit.prefect.worker.members.flow_runs_on_the_wire import LOG


def nothing() -> None:
    """What a test does not look at."""


async def never(_: UUID) -> None:
    raise AssertionError("nothing is cancelled or suspended")


def events_of(
    wake: Callable[[], None] = nothing,
    answered: Callable[[], None] = nothing,
    cancelled: Callable[[UUID], Coroutine[Any, Any, None]] = never,
) -> PoolEvents:
    """Of a pool."""
    return PoolEvents(
        uuid4(),
        wake=wake,
        answered=answered,
        cancelling=never,
        suspended=never,
        cancelled=cancelled,
        log=LOG,
    )


def adoption_by(client: PrefectClient, worker: Membership, **given: Any) -> Adoption:
    """By a worker that has no flow runs and no room, as far as nothing else is given."""
    without = {
        "is_mine": lambda _: False,
        "take_over": lambda _: False,
        "end_cancelled": lambda _: None,
    }
    return Adoption(client, "pool", worker, **(without | given), log=LOG)


def service_of(client: PrefectClient, worker: Membership, answered: asyncio.Event) -> Service:
    """Adopts flow runs, and finds cancelled ones; it has no threads and polls for nothing."""
    beside: Any = None  # of the loops that have nothing to do here
    return Service(
        client,
        worker,
        adoption_by(client, worker),
        CancelledRuns(client, "pool", worker, end=beside, log=LOG),
        beside,
        events_of(answered=answered.set),
        woken=asyncio.Event(),
        answered=answered,
        callbacks=beside,
        log=LOG,
    )
