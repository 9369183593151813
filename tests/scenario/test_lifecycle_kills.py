"""Processes killed with SIGKILL at random moments of all actions, on real Flink.

FLINK_KILLS says how many actions are interrupted over Flink's REST API, FLINK_ARM_KILLS how many
over ARM (by default none: each takes about 10 seconds), and FLINK_SEED replays them.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from flinkglue.lifecycle.models import Action
from localcloud.client import LocalCloud
from tests.scenario.killing import ROUND, Sweep
from tests.scenario.real_arm import ArmJob
from tests.scenario.real_lifecycle import RealJob, wait_for

KILLS = int(os.environ.get("FLINK_KILLS", len(ROUND)))
ARM_KILLS = int(os.environ.get("FLINK_ARM_KILLS", "0"))


def sweep(job: RealJob, turns: int, slowness: float = 1.0) -> None:
    """So many interrupted actions on a job that does not run yet."""
    seed = int(os.environ.get("FLINK_SEED", time.time_ns() % 1_000_000))
    print(f"FLINK_SEED={seed}")
    try:
        job_id = job.act(Action.NEW, "new", spec=job.spec()).raise_for_failure().job_id
        wait_for(lambda: job.total(job_id, "running") > 100)
        sweep = Sweep(job, random.Random(seed), slowness)
        sweep.take(turns)
        print(f"{sweep.killed} of {turns} were killed before they had ended")
    finally:
        job.end()


def test_over_rest_one_job_is_left_with_its_counts(cloud: LocalCloud, tmp_path: Path) -> None:
    """The same intent again after each kill: one job in the wanted state, no savepoint lost."""
    sweep(RealJob(cloud.azure["flink_rest_url"], tmp_path, f"killed-{time.time_ns()}"), KILLS)


@pytest.mark.skipif(ARM_KILLS == 0, reason="FLINK_ARM_KILLS does not say how many to kill")
def test_over_arm_one_job_is_left_with_its_counts(cloud: LocalCloud, tmp_path: Path) -> None:
    """The same on HDInsight on AKS, whose actions take longer."""
    sweep(ArmJob(cloud, tmp_path), ARM_KILLS, slowness=1.6)
