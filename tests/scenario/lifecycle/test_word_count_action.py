"""The word count through the eleven actions: its input lies in the cluster's pods alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flinkglue.lifecycle.models import Action
from localcloud.client import LocalCloud
from localcloud.flink.access import FlinkAccess
from tests.scenario.lifecycle.real_arm import ArmJob
from tests.waiting import eventually

ENTRY_CLASS = "org.apache.flink.examples.java.wordcount.WordCount"


@pytest.fixture
def job(cloud: LocalCloud, tmp_path: Path) -> Iterator[ArmJob]:
    azure = cloud.azure
    web = FlinkAccess(azure["cluster_web_url"], token=azure["flink_token"])
    job = ArmJob(cloud, tmp_path, flink=web)
    yield job
    job.end()


def test_the_plan_of_a_job_is_made_where_its_files_are(cloud: LocalCloud, job: ArmJob) -> None:
    """The plan that is checked before the launch finds what the job finds, and so it is started."""
    sample = job.spec("WordCount.jar")
    output = f"/tmp/{job.job_name}"
    spec = replace(
        sample, entry_class=ENTRY_CLASS, args=("--input", "/opt/flink/LICENSE", "--output", output)
    )
    outcome = job.act(Action.NEW, "new", spec=spec).raise_for_failure()
    eventually(lambda: job.flink_backend.view(outcome.job_id).state == "FINISHED")
    with cloud.flink.connect() as flink:
        assert "the=" in flink.accumulators(outcome.job_id)["word-counts"]
