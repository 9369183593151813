"""A server for the flow runs of a pool."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from tests.unit.prefect.worker.members.flow_runs_on_the_wire import Server


@pytest.fixture
def server() -> Iterator[Server]:
    """No log goes to it."""
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield Server()
