"""The cloud that most flow runs of Glue jobs need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.harness.conftest import save_aws_block


@pytest.fixture
def cloud(prefect_files: list[Path], tmp_path: Path) -> Iterator[AwsCloud]:
    """With nothing in it, and the block of its account saved."""
    running = AwsCloud(tmp_path, GlueSettings(**QUICK))
    save_aws_block(running)
    yield running
    running.close()
