"""What a flow file may import: each process of a flow run imports it before it does anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FLOWS = Path(__file__).resolve().parents[3] / "flows"
GLUE_FLOWS = [
    "deploy_glue_job",
    "glue_connection_health",
    "glue_run_sweep",
    "glue_vpc_failover",
    "wait_for_glue_run",
]
OF_ALL_KINDS = ["check_block"]  # which is about any block
FLINK_FLOWS = sorted(
    {path.stem for path in FLOWS.glob("*.py")} - {"__init__", *GLUE_FLOWS, *OF_ALL_KINDS}
)

NO_RUN_NEEDS = (
    "moto",
    "prefect_azure",
    "prefect_docker",
    "aiobotocore",
    "aiohttp",
    "prefect_aws.s3",
    "prefect_aws.workers",
    "prefect_aws.observers",
)
AZURE = ("azure", "msal")
AWS = ("boto3", "botocore", "prefect_aws")


def imported_by(*statements: str) -> list[str]:
    """The modules that a fresh interpreter has after these statements."""
    probe = "\n".join([*statements, "import sys", "print(*sys.modules)"])
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return done.stdout.split()


def among(modules: list[str], unwanted: tuple[str, ...]) -> list[str]:
    return [m for m in modules if any(m == u or m.startswith(f"{u}.") for u in unwanted)]


@pytest.mark.parametrize(
    ("flows", "unwanted"),
    [
        pytest.param(FLINK_FLOWS, NO_RUN_NEEDS + AZURE + AWS, id="flink"),
        pytest.param(GLUE_FLOWS, NO_RUN_NEEDS + AZURE, id="glue"),
    ],
)
def test_flow_files_import_only_what_every_run_of_them_needs(
    flows: list[str], unwanted: tuple[str, ...]
) -> None:
    """SDKs come when they are used; one credentials block brings no ECS worker along."""
    modules = imported_by(*(f"import flows.{name}" for name in flows))
    assert set(flows) <= {m.removeprefix("flows.") for m in modules}
    assert among(modules, unwanted) == []


def test_the_whole_of_prefect_aws_has_the_same_credentials_block() -> None:
    """Prefect imports the whole package when a block is chosen in the form."""
    probe = (
        "import flinkglue.blocks.aws_credentials, warnings; warnings.simplefilter('error')",
        "import prefect_aws, prefect_aws.workers",
        "assert prefect_aws.AwsCredentials is flinkglue.blocks.aws_credentials.AwsCredentials",
    )
    assert among(imported_by(*probe), ("prefect_aws.workers",))
