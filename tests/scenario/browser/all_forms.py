"""Every deployment as it is filled in, on one local cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from scripts.demo_checks import client
from tests.scenario.browser.azure_forms import AzureForms
from tests.scenario.browser.filled_in import FilledIn
from tests.scenario.browser.flink_forms import FlinkForms
from tests.scenario.browser.glue_forms import DEFINITION, JOB, glue_forms
from tests.scenario.conftest import Platform

GROUPS = ("azure", "flink", "glue")
_SAVE_DEFINITION = f"""
from flinkglue.blocks.glue_job_definition import GlueJobDefinition

GlueJobDefinition(
    definition={{
        "Name": "{DEFINITION}", "Role": "GlueJobRole", "GlueVersion": "5.0",
        "WorkerType": "G.1X", "NumberOfWorkers": 4,
        "Command": {{"Name": "glueetl", "ScriptLocation": "s3://scripts/orders.py"}},
    }},
).save("{DEFINITION}", overwrite=True)
"""


def flink_forms(directory: Path) -> FlinkForms:
    """Those that act on a job of a name of its own."""
    return FlinkForms(f"orders-{uuid4().hex[:8]}", directory)


def all_forms(platform: Platform, flink: FlinkForms) -> Mapping[str, Sequence[FilledIn]]:
    """All of them by what they act on, each in an order in which it has what it needs."""
    platform.prefect.run_python("-c", _SAVE_DEFINITION)
    azure = AzureForms(platform.cloud.azure, platform.published_parameters, uuid4().hex[:8])
    glue = glue_forms(_started_by_others(platform))
    return dict(zip(GROUPS, (list(azure.all()), list(flink.all()), list(glue)), strict=True))


def _started_by_others(platform: Platform) -> str:
    """A run of the sample job that no flow run has started."""
    glue = client(platform.cloud.aws, "glue")
    job_run_id = str(glue.start_job_run(JobName=JOB)["JobRunId"])
    glue.close()
    return job_run_id
