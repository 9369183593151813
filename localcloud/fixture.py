"""Pytest fixtures: one local cloud for the whole session, as good as new for every test.

A test folder takes them with ``from localcloud.fixture import cloud, local_cloud,
local_cloud_parts`` in its ``conftest.py``, and may override ``local_cloud_parts``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from localcloud.assembly import PART_NAMES
from localcloud.client import LocalCloud


@pytest.fixture(scope="session")
def local_cloud_parts() -> Sequence[str]:
    """The parts that the session's cloud runs; override it to start fewer."""
    return PART_NAMES


@pytest.fixture(scope="session")
def local_cloud(
    tmp_path_factory: pytest.TempPathFactory, local_cloud_parts: Sequence[str]
) -> Iterator[LocalCloud]:
    """The session's cloud."""
    # With a space, as home directories have it: Flink's paths must bear that.
    state_dir = tmp_path_factory.mktemp("local cloud")
    with LocalCloud.up(state_dir, only=local_cloud_parts) as running:
        yield running


@pytest.fixture
def cloud(local_cloud: LocalCloud) -> LocalCloud:
    """The session's cloud with no faults and no recorded requests."""
    local_cloud.reset()
    return local_cloud
