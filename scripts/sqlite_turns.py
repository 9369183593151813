"""Prefect's SQLite database, to which one transaction writes at a time and the others wait in line.

Prefect lets a transaction begin as a reader. When it comes to its first write and another one has
written meanwhile, SQLite refuses it at once, whatever the time-outs are: the request was for
nothing and is answered with 503. When many flow runs are created together, nearly all of them meet,
are refused and are tried again, and the server computes without getting anywhere.

A statement that fails leaves its cursor open (SQLAlchemy closes it only after success), and Python
before 3.12 resets it when it frees it, at some time in the thread of the event loop. If its
connection waits for SQLite's lock by then, the event loop waits as well, up to Prefect's minute:
who has the lock cannot go on and give it back, and nothing is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, AsyncSessionTransaction
from sqlalchemy.pool import ConnectionPoolEntry

WAITS_AT_MOST_SECONDS = 60.0
"""As long as Prefect lets SQLite wait; then SQLite decides."""
_HAS_OPEN_CURSOR = "has_open_cursor"


class SqliteInTurns(AioSqliteConfiguration):
    """Transactions wait in line before they take a connection, and begin as writers.

    What else begins within one, in its task or one that this starts, begins as a reader.
    """

    def __init__(
        self, connection_url: str, waits_at_most_seconds: float = WAITS_AT_MOST_SECONDS
    ) -> None:
        super().__init__(connection_url)
        self._waits_at_most_seconds = waits_at_most_seconds
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()

    async def engine(self) -> AsyncEngine:
        """Prefect's own, which uses no connection again on which a statement failed."""
        engine = await super().engine()
        if not event.contains(engine.sync_engine, "handle_error", _after_failure):
            event.listen(engine.sync_engine, "handle_error", _after_failure)
            event.listen(engine.sync_engine, "checkout", _before_use)
        return engine

    @asynccontextmanager
    async def begin_transaction(
        self, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncIterator[AsyncSessionTransaction]:
        loop, most = asyncio.get_running_loop(), self._waits_at_most_seconds
        async with (
            self._lines.setdefault(loop, _Line(most)).turn() as is_outermost,
            # Never against the one that this task is in, which has SQLite's lock.
            super().begin_transaction(session, with_for_update=is_outermost) as transaction,
        ):
            if is_outermost:
                await session.connection()  # sends BEGIN, which would be sent when first used
            token = SQLITE_BEGIN_MODE.set("DEFERRED")
            try:
                yield transaction
            finally:
                SQLITE_BEGIN_MODE.reset(token)


def _after_failure(failure: ExceptionContext) -> None:
    if failure.connection is not None and not failure.connection.invalidated:
        failure.connection.info[_HAS_OPEN_CURSOR] = True


def _before_use(connection: Any, entry: ConnectionPoolEntry, proxy: Any) -> None:
    if entry.info.get(_HAS_OPEN_CURSOR):
        raise DisconnectionError("a statement failed on it")


class _Line:
    """The transactions of one event loop."""

    def __init__(self, waits_at_most_seconds: float) -> None:
        self._waits_at_most_seconds = waits_at_most_seconds
        self._lock = asyncio.Lock()
        self._writers: set[asyncio.Task[Any] | None] = set()
        """Also those that no longer wait: each has its turn, or leaves it to SQLite."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """Waits for it, unless this task has it already; whether it has not."""
        task = asyncio.current_task()
        if task in self._writers:
            yield False
            return
        has_come = await self._comes()
        self._writers.add(task)
        try:
            yield True
        finally:
            self._writers.remove(task)
            if has_come:
                self._lock.release()

    async def _comes(self) -> bool:
        try:
            async with asyncio.timeout(self._waits_at_most_seconds):
                return await self._lock.acquire()
        except TimeoutError:
            return False
