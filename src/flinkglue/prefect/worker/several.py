"""The same call for many flow runs: a few at a time, and one that fails holds no other up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 4
"""More are no faster for a server that has one process."""


async def each_of(
    items: Iterable[T],
    call: Callable[[T], Awaitable[R]],
    failed: Callable[[T, Exception], None],
) -> list[R]:
    """What the calls returned, without those that failed."""
    turns = asyncio.Semaphore(AT_ONCE)
    returned: list[R] = []

    async def one(item: T) -> None:
        async with turns:
            try:
                returned.append(await call(item))
            except Exception as error:  # noqa: BLE001 - the others do not depend on this one
                failed(item, error)

    await asyncio.gather(*(one(item) for item in items))
    return returned
