"""A Prefect server of the tests' own, with its database, results and logs in one folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import (
    PREFECT_HOME,
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_RESULTS_PERSIST_BY_DEFAULT,
    PREFECT_SERVER_DATABASE_CONNECTION_URL,
    get_current_settings,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

LEASE_SECONDS = 4.0


@pytest.fixture(scope="session")
def prefect_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """Runs a Prefect server; gives the folders of everything that it and the flows write.

    Results are stored wherever a task does not forbid it, as on a server with that default.
    """
    home = tmp_path_factory.mktemp("prefect")
    kept = {
        PREFECT_HOME: home,
        PREFECT_LOCAL_STORAGE_PATH: home / "storage",
        PREFECT_RESULTS_PERSIST_BY_DEFAULT: True,
    }
    with temporary_settings(kept), prefect_test_harness(server_startup_timeout=120):
        database = PREFECT_SERVER_DATABASE_CONNECTION_URL.value().split(":///")[1]
        yield [home, Path(database).parent]


@pytest.fixture
def processes_of_this_server(prefect_files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the processes that are forked inherit; a lock of a killed one is soon free again.

    All forked ones, of whatever test, have the environment that the first of them found.
    """
    for name, value in get_current_settings().to_environment_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GLUE_LOCK_LEASE_SECONDS", str(LEASE_SECONDS))
