"""A flow of one's own on the installed wheel, next to its own modules tasks and blocks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import get_current_settings

from flinkglue.blocks.flink import FlinkRestCluster
from flows.flink_job_action import flink_job_action
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.harness.conftest import save_aws_block
from tests.harness.flink.served_flink import ServedJobManager
from tests.unit.lifecycle.fake_flink_jobs import Behaviour

ROOT = Path(__file__).resolve().parents[3]
RUN = """
import json, sys
import flinkglue, orders_pipeline
assert flinkglue.__file__.startswith(sys.argv[2]), flinkglue.__file__
print("RESULT", json.dumps(orders_pipeline.orders_pipeline(**json.loads(sys.argv[1]))))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel is installed: what it lacks is not there."""
    built, target = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", built, ROOT], check=True
    )
    (wheel,) = built.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", target, wheel], check=True)
    return target


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A person's own folder, which has modules named tasks and blocks as well."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(ROOT / "examples" / "orders_pipeline.py", folder)
    for name in ("tasks", "blocks"):
        (folder / f"{name}.py").write_text("raise AssertionError('a module of somebody else')")
    return folder


@pytest.fixture
def flink(prefect_files: list[Path], flink: ServedJobManager) -> ServedJobManager:
    FlinkRestCluster(url=flink.url).save("own-flow", overwrite=True)
    return flink


@pytest.fixture
def cloud(prefect_files: list[Path], tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK))
    save_aws_block(running)
    running.two_connections()
    running.job()
    yield running
    running.close()


def test_the_wheel_has_what_a_flow_of_ones_own_needs(
    installed: Path, project: Path, flink: ServedJobManager, cloud: AwsCloud, tmp_path: Path
) -> None:
    jar = tmp_path / "orders.jar"
    jar.write_text(Behaviour.GOOD)
    quick = {"stable_seconds": 0.1, "deadline_minutes": 2}
    cluster = "flink-rest-cluster/own-flow"
    flink_job_action(
        action="NEW",
        job_name="own-orders",
        cluster=cluster,
        program={"jar": str(jar)},
        wait_options=quick,
    )
    parameters = {
        "glue_job": "job",
        "connection_names": ["a", "b"],
        "flink_job": "own-orders",
        "jar": str(jar),
        "cluster": cluster,
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(parameters), str(installed)],
        cwd=project,
        env={
            **os.environ,
            **get_current_settings().to_environment_variables(),
            "PYTHONPATH": os.pathsep.join([str(installed), str(project)]),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    result = json.loads(line.removeprefix("RESULT "))
    (run,) = cloud.glue.get_job_runs(JobName="job")["JobRuns"]
    assert result["glue_run"] == run["Id"]
    assert result["flink_job"]


def test_the_block_types_are_registered_by_the_name_of_the_package(
    installed: Path, prefect_files: list[Path], tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "prefect",
            "--no-prompt",
            "block",
            "register",
            "-m",
            "flinkglue.blocks",
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            **get_current_settings().to_environment_variables(),
            "PYTHONPATH": str(installed),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for name in ("Flink REST Cluster", "HDInsight Flink Cluster", "Key Vault Service Principal"):
        assert name in done.stdout
