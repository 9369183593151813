"""The actions on older Flinks, whose REST API differs: one job's life on each.

FLINK_VERSIONS names the versions, for example 1.17.2,1.20.5. All other tests run on the installed
one, which is the newest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flinkglue.lifecycle.actions.inventory import apply_retention
from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.state.retention import Retention
from localcloud.flink.cluster import FlinkCluster
from tests.scenario.lifecycle.flink_versions import NotToBeHad, flink_lib_dir
from tests.scenario.lifecycle.real_lifecycle import RealJob
from tests.waiting import eventually

VERSIONS = os.environ.get("FLINK_VERSIONS", "1.20.5").split(",")


@pytest.fixture(params=VERSIONS)
def job(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealJob]:
    """A job that does not run yet, on a cluster of that version."""
    version = request.param
    try:
        lib_dir = flink_lib_dir(version)
    except NotToBeHad as error:
        pytest.skip(f"Flink {version} cannot be had from the package index: {error}")
    settings = {"web.refresh-interval": "200", "metrics.fetcher.update-interval": "200"}
    cluster = FlinkCluster(version, tmp_path / "flink", lib_dir=lib_dir, settings=settings)
    try:
        cluster.start()
        job = RealJob(cluster.access, tmp_path, "orders")
        assert job.backend.flink_version() == version
        yield job
        job.end()
    finally:
        cluster.stop()


def test_a_job_keeps_its_counts_through_its_life(job: RealJob) -> None:
    """Each action once, among them a bad jar, a claimed savepoint and a disposal."""
    new = done(job, Action.NEW, spec=job.spec())
    eventually(lambda: job.total(new.job_id, "running") > 100)
    saved = done(job, Action.SAVEPOINT)

    refused = job.act(Action.UPDATE, "bad", spec=job.spec("bad/ThrowsInMain.jar"))
    assert "this release throws in its main method" in refused.failure
    assert job.live_job_ids() == [new.job_id]

    update = done(job, Action.UPDATE, spec=job.spec(label="v2"))
    assert job.total(update.job_id, "restored") == job.total(new.job_id, "closed") > 100
    assert job.lines(update.job_id)[-1].label == "v2"

    stop = done(job, Action.STOP)
    assert job.live_job_ids() == []
    listed = job.act(Action.LIST_SAVEPOINT, "list").savepoints
    paths = [stop.savepoint_path, update.savepoint_path, saved.savepoint_path]
    assert [savepoint.path for savepoint in listed] == paths
    assert all(savepoint.is_stored for savepoint in listed)

    claiming = replace(job.spec(), restore_mode="CLAIM")
    start = done(job, Action.START, spec=claiming)
    assert job.total(start.job_id, "restored") == job.total(update.job_id, "closed") > 0

    last_state = done(job, Action.LAST_STATE_UPDATE, spec=job.spec())
    checkpoint = str(last_state.savepoint_path).rpartition("chk-")[2]
    restored = job.total(last_state.job_id, "restored")
    assert restored == job.total(start.job_id, f"snapshot-{checkpoint}") > 0

    # The claimed one belongs to Flink, and does not count.
    gone = apply_retention(job.job_name, Retention(keep=1), job.backend, job.journal, time.time)
    assert [savepoint.path for savepoint in gone.disposed] == [saved.savepoint_path]

    assert done(job, Action.CANCEL).state == "CANCELED"
    done(job, Action.DELETE)
    assert job.live_job_ids() == []


def done(job: RealJob, action: Action, **request: object) -> Outcome:
    """How it ended, which is well, with one job or none."""
    outcome = job.act(action, action, **request).raise_for_failure()
    assert job.live_job_ids() == ([outcome.job_id] if outcome.job_id else [])
    return outcome
