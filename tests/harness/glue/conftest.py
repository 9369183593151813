"""The cloud that most flow runs of Glue jobs need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.harness.conftest import save_aws_block

UNTIL_GO = "import os, time\nwhile not os.path.exists({go!r}): time.sleep(0.1)"
"""A job's script that goes on until a file is there."""


@pytest.fixture
def cloud(prefect_files: list[Path], tmp_path: Path) -> Iterator[AwsCloud]:
    """With nothing in it, and the block of its account saved."""
    running = AwsCloud(tmp_path, GlueSettings(**QUICK))
    save_aws_block(running)
    yield running
    running.close()


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """The file that ends the script of `job_until_go`."""
    return tmp_path / "go"


@pytest.fixture
def job_until_go(prefect_files: list[Path], tmp_path: Path, go: Path) -> Iterator[AwsCloud]:
    """With the job ``job``, which runs until `go` is there, and two connections for it."""
    running = AwsCloud(tmp_path, GlueSettings(**QUICK))
    running.two_connections()
    running.job(script=UNTIL_GO.format(go=str(go)))
    yield running
    running.close()
