"""The database of `scripts.serve_prefect`, by the client that Prefect's server uses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from scripts.postgres import PostgresFailed, find_programs

TWICE = """
import asyncio, sys
from pathlib import Path
import asyncpg
from scripts.postgres import Postgres

async def ask(url, statement):
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()

for statement in ("create table kept as select 42 as number", "select number from kept"):
    postgres = Postgres(Path(sys.argv[1]))
    postgres.start()
    try:
        print(asyncio.run(ask(postgres.url, statement)))
        try:
            asyncio.run(ask(postgres.url.replace("prefect:", "prefect:x"), "select 1"))
        except asyncpg.InvalidPasswordError:
            print("refused")
    finally:
        postgres.stop()
"""


def has_programs() -> bool:
    try:
        find_programs()
    except PostgresFailed:
        return False
    return True


def ran_twice(directory: Path, *as_somebody: str) -> subprocess.CompletedProcess[str]:
    command = [*as_somebody, sys.executable, "-c", TWICE, str(directory)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check(done: subprocess.CompletedProcess[str], directory: Path) -> None:
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["None", "refused", "42", "refused"]
    assert (directory / "password").stat().st_mode & 0o77 == 0
    assert (directory / "password").read_text() not in (directory / "postgres.log").read_text()


@pytest.mark.skipif(not has_programs(), reason="no PostgreSQL on this machine")
def test_what_is_written_is_there_after_a_restart_for_those_with_the_password(
    tmp_path: Path,
) -> None:
    as_somebody = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    directory = tmp_path / "database"
    done = ran_twice(directory, *(as_somebody if os.geteuid() == 0 else []))
    if "unshare failed" in done.stderr:
        pytest.skip("root, and not allowed to become somebody else")
    check(done, directory)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every account may enter."""
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)
        yield Path(directory)


@pytest.mark.skipif(os.geteuid() != 0 or not has_programs(), reason="not root, or no PostgreSQL")
def test_root_runs_it_by_an_account_that_owns_the_data_alone(public: Path) -> None:
    directory = public / "database"
    check(ran_twice(directory), directory)
    assert (directory / "data").stat().st_uid != 0
    assert {directory.stat().st_uid, (directory / "password").stat().st_uid} == {0}


@pytest.mark.skipif(os.geteuid() != 0 or not has_programs(), reason="not root, or no PostgreSQL")
def test_root_learns_of_a_directory_that_the_account_may_not_enter(public: Path) -> None:
    directory = public / "closed" / "database"
    directory.parent.mkdir(mode=0o700)
    done = ran_twice(directory)
    assert f"may not enter {directory}: choose a directory below" in done.stderr
    assert not (directory / "data").exists()
