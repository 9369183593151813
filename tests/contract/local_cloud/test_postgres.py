"""The database of `scripts.serve_prefect`, by the client that Prefect's server uses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.skipif(not has_programs(), reason="no PostgreSQL on this machine")
def test_what_is_written_is_there_after_a_restart_for_those_with_the_password(
    tmp_path: Path,
) -> None:
    as_somebody = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    command = [*(as_somebody if os.geteuid() == 0 else []), sys.executable, "-c", TWICE]
    done = subprocess.run(
        [*command, str(tmp_path / "database")], capture_output=True, text=True, check=False
    )
    if "unshare failed" in done.stderr:
        pytest.skip("root, and not allowed to become somebody else")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["None", "refused", "42", "refused"]
    secret = (tmp_path / "database" / "password").read_text()
    assert secret not in (tmp_path / "database" / "postgres.log").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_root_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    """PostgreSQL refuses root by itself, when the directory is there already."""
    script = TWICE.partition("for statement")[0] + "Postgres(Path(sys.argv[1])).start()"
    command = [sys.executable, "-c", script, str(tmp_path / "database")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "does not run as root" in done.stderr
    assert not (tmp_path / "database").exists()
