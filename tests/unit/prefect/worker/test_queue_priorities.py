"""The priorities of work queues, read where flow runs of several come."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import WorkQueue

from flinkglue.prefect.worker.queue_priorities import CURRENT_SECONDS, LOWEST, QueuePriorities

LOG = logging.getLogger(__name__)


class Server:
    """Work queues, a page at a time."""

    def __init__(self, *priorities: int) -> None:
        self.queues = [
            WorkQueue(id=uuid4(), name=f"queue-{n}", priority=priority, work_pool_id=uuid4())
            for n, priority in enumerate(priorities)
        ]
        self.reads = 0
        self.is_away = False

    @property
    def ids(self) -> list[UUID]:
        return [queue.id for queue in self.queues]

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/work_pools/pool/queues/filter"
        self.reads += 1
        if self.is_away:
            return httpx.Response(400, json={"detail": "not now"})
        body = json.loads(request.content)
        page = self.queues[body["offset"] or 0 :][: body["limit"]]
        return httpx.Response(200, json=[queue.model_dump(mode="json") for queue in page])

    def do(self, work: Callable[[QueuePriorities], Awaitable[None]], at: list[float]) -> None:
        async def once() -> None:
            settings = {"transport": httpx.MockTransport(self.answer)}
            async with PrefectClient("http://prefect.test/api", httpx_settings=settings) as client:
                client._client.enable_csrf_support = False
                await work(QueuePriorities(client, "pool", LOG, lambda: at[0]))

        asyncio.run(once())


def test_nothing_is_read_for_one_queue_and_all_of_them_once_for_several() -> None:
    server, at = Server(*range(1, 206)), [0.0]
    first, last = server.ids[0], server.ids[-1]

    async def scenario(priorities: QueuePriorities) -> None:
        for _ in range(3):
            await priorities.learn([first])
        assert server.reads == 0
        for _ in range(3):
            await priorities.learn([first, last])
        assert server.reads == 2, "two pages"
        assert (priorities.of(first), priorities.of(last)) == (1, 205)
        server.queues[-1].priority = 7
        at[0] += CURRENT_SECONDS
        await priorities.learn([last])
        assert priorities.of(last) == 7

    server.do(scenario, at)


def test_flow_runs_begin_all_the_same_when_priorities_cannot_be_read() -> None:
    server, at = Server(1, 2), [0.0]

    async def scenario(priorities: QueuePriorities) -> None:
        server.is_away = True
        await priorities.learn(server.ids)
        assert {priorities.of(each) for each in server.ids} == {LOWEST}
        server.is_away = False
        await priorities.learn(server.ids)
        assert [priorities.of(each) for each in server.ids] == [1, 2]

    server.do(scenario, at)
