"""The priorities of a pool's work queues, which the server does not send with their flow runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient

CURRENT_SECONDS = 15.0
"""For how long a priority counts that was changed meanwhile."""
LOWEST = 2**31
_PAGE = 200


class QueuePriorities:
    """Reads them when flow runs of several queues come.

    Args:
        monotonic: The time to go by, in seconds.
    """

    def __init__(
        self,
        client: PrefectClient,
        pool_name: str,
        log: logging.Logger | logging.LoggerAdapter[Any],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._pool_name = pool_name
        self._log = log
        self._monotonic = monotonic
        self._seen: set[UUID] = set()
        self._read_at = float("-inf")
        self._priorities: dict[UUID, int] = {}

    def of(self, queue_id: UUID) -> int:
        """1 is the highest. That of a queue that could not be read is the lowest."""
        return self._priorities.get(queue_id, LOWEST)

    async def learn(self, queue_ids: Iterable[UUID]) -> None:
        """Read what is not known of these queues; flow runs do not wait for a server that fails.

        While all come from one queue, there is nothing to know.
        """
        now, unknown = self._monotonic(), {*queue_ids} - self._priorities.keys()
        self._seen |= unknown
        is_known = not unknown and now - self._read_at < CURRENT_SECONDS
        if is_known or len(self._seen) < 2:
            return
        try:
            self._priorities = await self._read()
            self._read_at = now
        except Exception as error:  # noqa: BLE001 - they begin in another order
            self._log.warning("The priorities of work queues could not be read: %s", error)

    async def _read(self) -> dict[UUID, int]:
        found: dict[UUID, int] = {}
        while True:
            page = await self._client.read_work_queues(
                self._pool_name, limit=_PAGE, offset=len(found)
            )
            found |= {queue.id: queue.priority for queue in page}
            if len(page) < _PAGE:
                return found
