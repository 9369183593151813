"""Flow runs that are created together on a Prefect server whose database is SQLite."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from scripts.sqlite_turns import SqliteInTurns

REQUESTS = 40


@pytest.fixture
def database(tmp_path: Path) -> AioSqliteConfiguration:
    return SqliteInTurns(f"sqlite+aiosqlite:///{tmp_path / 'prefect.db'}")


@asynccontextmanager
async def with_a_table(database: AioSqliteConfiguration) -> AsyncIterator[AsyncEngine]:
    engine = await database.engine()
    async with engine.connect() as connection:
        await connection.execute(text("create table run (name text)"))
    try:
        yield engine
    finally:
        await engine.dispose()


async def create_run(database: AioSqliteConfiguration, engine: AsyncEngine) -> None:
    """Reads, computes and writes in one transaction, as the server does to create a flow run."""
    async with await database.session(engine) as session, database.begin_transaction(session):
        await count(session)
        await asyncio.sleep(0.005)
        await session.execute(text("insert into run values ('orders')"))


async def count(session: AsyncSession) -> int:
    return int((await session.execute(text("select count(*) from run"))).scalar_one())


async def insert(
    database: AioSqliteConfiguration, engine: AsyncEngine, when: asyncio.Event
) -> None:
    """Outside of a transaction, as the server writes events."""
    await when.wait()
    async with await database.session(engine) as session:
        await session.execute(text("insert into run values ('returns')"))


def test_transactions_that_read_before_they_write_are_not_refused(
    database: AioSqliteConfiguration,
) -> None:
    async def create_many() -> int:
        async with with_a_table(database) as engine:
            await asyncio.gather(*(create_run(database, engine) for _ in range(REQUESTS)))
            async with await database.session(engine) as session:
                return await count(session)

    assert asyncio.run(create_many()) == REQUESTS


def test_one_that_only_reads_is_answered_while_many_wait_to_write(
    database: AioSqliteConfiguration,
) -> None:
    async def read_while_they_wait() -> tuple[int, float]:
        async with with_a_table(database) as engine, await database.session(engine) as first:
            async with database.begin_transaction(first):
                waiting = asyncio.gather(*(create_run(database, engine) for _ in range(REQUESTS)))
                await asyncio.sleep(0.05)
                began = time.monotonic()
                async with await database.session(engine) as session:
                    seen, took = await count(session), time.monotonic() - began
            await waiting
            return seen, took

    seen, took = asyncio.run(read_while_they_wait())
    assert seen == 0
    assert took < 2


def test_a_turn_comes_after_one_that_failed_or_was_cancelled(
    database: AioSqliteConfiguration,
) -> None:
    async def end_badly(engine: AsyncEngine) -> None:
        async with await database.session(engine) as session, database.begin_transaction(session):
            await session.execute(text("insert into run values ('never')"))
            raise ValueError

    async def others_end_badly() -> int:
        async with with_a_table(database) as engine:
            cancelled = asyncio.create_task(create_run(database, engine))
            failed = asyncio.create_task(end_badly(engine))
            last = asyncio.create_task(create_run(database, engine))
            await asyncio.sleep(0)
            cancelled.cancel()
            await asyncio.wait([cancelled, failed, last])
            async with await database.session(engine) as session:
                assert isinstance(failed.exception(), ValueError)
                return await count(session)

    assert asyncio.run(others_end_badly()) == 1


@pytest.mark.parametrize("with_for_update", [False, True])
def test_a_transaction_within_one_that_writes_reads_what_was_there_before(
    database: AioSqliteConfiguration, with_for_update: bool
) -> None:
    async def nest() -> int:
        async with (
            with_a_table(database) as engine,
            await database.session(engine) as outer,
            database.begin_transaction(outer),
        ):
            await outer.execute(text("insert into run values ('orders')"))
            async with (
                await database.session(engine) as inner,
                database.begin_transaction(inner, with_for_update),
            ):
                return await count(inner)

    assert asyncio.run(asyncio.wait_for(nest(), 5)) == 0


def test_a_session_within_a_transaction_reads_without_waiting_for_it(
    database: AioSqliteConfiguration,
) -> None:
    """As the server reads the status of a work queue that it has just paused, for its event."""

    async def read(engine: AsyncEngine) -> int:
        async with await database.session(engine) as session:
            return await count(session)

    async def read_within() -> list[int]:
        async with (
            with_a_table(database) as engine,
            await database.session(engine) as outer,
            database.begin_transaction(outer),
        ):
            before = await read(engine)
            await outer.execute(text("insert into run values ('orders')"))
            return [before, await read(engine), await asyncio.create_task(read(engine))]

    assert asyncio.run(asyncio.wait_for(read_within(), 5)) == [0, 0, 0]


def test_a_transaction_that_read_is_not_refused_when_one_outside_of_the_line_writes(
    database: AioSqliteConfiguration,
) -> None:
    async def write_beside_it() -> int:
        has_read = asyncio.Event()
        async with with_a_table(database) as engine:
            outside = asyncio.create_task(insert(database, engine, has_read))
            session = await database.session(engine)
            async with session, database.begin_transaction(session):
                await count(session)
                has_read.set()
                await asyncio.sleep(0.1)
                await session.execute(text("insert into run values ('orders')"))
            await outside
            async with await database.session(engine) as session:
                return await count(session)

    assert asyncio.run(asyncio.wait_for(write_beside_it(), 5)) == 2


def test_a_transaction_that_no_longer_waits_in_line_does_not_wait_for_itself(
    tmp_path: Path,
) -> None:
    database = SqliteInTurns(f"sqlite+aiosqlite:///{tmp_path / 'prefect.db'}", 0.05)

    async def nest(engine: AsyncEngine) -> int:
        async with await database.session(engine) as outer, database.begin_transaction(outer):
            await outer.execute(text("insert into run values ('returns')"))
            async with await database.session(engine) as inner, database.begin_transaction(inner):
                return await count(inner)

    async def write_for_longer() -> tuple[int, int]:
        async with with_a_table(database) as engine:
            async with await database.session(engine) as first, database.begin_transaction(first):
                await first.execute(text("insert into run values ('orders')"))
                impatient = asyncio.create_task(nest(engine))
                await asyncio.sleep(0.2)
            seen = await impatient
            async with await database.session(engine) as session:
                return seen, await count(session)

    assert asyncio.run(asyncio.wait_for(write_for_longer(), 5)) == (1, 2)


def test_the_event_loop_does_not_wait_for_a_connection_on_which_a_statement_failed(
    database: AioSqliteConfiguration,
) -> None:
    async def free_a_cursor_while_its_connection_waits() -> float:
        locked = asyncio.Event()
        async with with_a_table(database) as engine:
            waiting = asyncio.create_task(insert(database, engine, locked))
            async with engine.connect() as first, engine.connect() as second:
                await first.execute(text("create unique index names on run (name)"))
                await first.execute(text("insert into run values ('orders')"))
                with pytest.raises(IntegrityError) as failed:
                    await first.execute(text("insert into run values ('orders')"))
                await second.close()  # so the pool gives this one away before the other
            session = await database.session(engine)
            async with session, database.begin_transaction(session):
                await session.execute(text("insert into run values ('sales')"))
                locked.set()
                await asyncio.sleep(0.2)
                began = time.monotonic()
                del failed
                gc.collect()
                took = time.monotonic() - began
            await waiting
        return took

    assert asyncio.run(free_a_cursor_while_its_connection_waits()) < 2
