"""The server of Prefect's test harness, on which transactions take turns (scripts/sqlite_turns.py).

As Prefect starts it, on SQLite and Python 3.11, it answers nothing for a minute now and then while
several flow runs begin: see there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from fastapi import FastAPI
from prefect.server.api import server
from prefect.server.database.dependencies import set_database_config
from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL, get_current_settings

from scripts.sqlite_turns import SqliteInTurns

REPOSITORY = Path(__file__).parents[2]


def create_app() -> FastAPI:
    """Prefect's own, with its database in turns; uvicorn calls this in the server's process."""
    set_database_config(SqliteInTurns(PREFECT_SERVER_DATABASE_CONNECTION_URL.value()))
    return server.create_app()


def start(harness: server.SubprocessASGIServer) -> subprocess.Popen[bytes]:
    """In place of the harness's own command, with what it sets."""
    command = [
        sys.executable, "-m", "uvicorn", "--app-dir", str(REPOSITORY), "--factory",
        f"{__name__}:create_app", "--host", "127.0.0.1", "--port", str(harness.port),
        "--log-level", "error", "--lifespan", "on",
    ]  # fmt: skip
    without_pages = {
        "PREFECT_UI_ENABLED": "0",
        "PREFECT__SERVER_EPHEMERAL": "1",
        "PREFECT__SERVER_FINAL": "1",
    }
    of_harness = get_current_settings().to_environment_variables(exclude_unset=True)
    return subprocess.Popen(command, env={**os.environ, **without_pages, **of_harness})
