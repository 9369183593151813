"""Prefect's SQLite database, to which one transaction writes at a time and the others wait in line.

Prefect lets a transaction begin as a reader. When it comes to its first write and another one has
written meanwhile, SQLite refuses it at once, whatever the time-outs are: the request was for
nothing and is answered with 503. When many flow runs are created together, nearly all of them meet,
are refused and are tried again, and the server computes without getting anywhere.

A statement that fails leaves its cursor open (SQLAlchemy closes it only after success), and Python
frees it at some time in the thread of the event loop. If its connection waits for SQLite's lock by
then, the event loop waits as well, up to Prefect's minute: who has the lock cannot go on and give
it back, and nothing is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, AsyncSessionTransaction
from sqlalchemy.pool import ConnectionPoolEntry

WAITS_AT_MOST_SECONDS = 60.0
"""As long as Prefect lets SQLite wait; then SQLite decides."""
_HAS_OPEN_CURSOR = "has_open_cursor"


class SqliteInTurns(AioSqliteConfiguration):
    """Transactions wait in line before they take a connection, and begin as writers."""

    def __init__(self, connection_url: str) -> None:
        super().__init__(connection_url)
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
        line = self._lines.setdefault(asyncio.get_running_loop(), _Line())
        async with line.turn() as is_outermost:
            writes = with_for_update or is_outermost
            async with super().begin_transaction(session, writes) as transaction:
                yield transaction


def _after_failure(failure: ExceptionContext) -> None:
    if failure.connection is not None and not failure.connection.invalidated:
        failure.connection.info[_HAS_OPEN_CURSOR] = True


def _before_use(connection: Any, entry: ConnectionPoolEntry, proxy: Any) -> None:
    if entry.info.get(_HAS_OPEN_CURSOR):
        raise DisconnectionError("a statement failed on it")


class _Line:
    """The transactions of one event loop."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._writer: asyncio.Task[Any] | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """Waits for it, unless this task has it already; whether it has not."""
        task = asyncio.current_task()
        if task is self._writer:
            yield False
        elif await self._comes():
            self._writer = task
            try:
                yield True
            finally:
                self._writer = None
                self._lock.release()
        else:
            yield True

    async def _comes(self) -> bool:
        try:
            async with asyncio.timeout(WAITS_AT_MOST_SECONDS):
                return await self._lock.acquire()
        except TimeoutError:
            return False
