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
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness


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
