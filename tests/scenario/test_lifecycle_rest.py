"""The eleven actions on a real Flink cluster: counts are read from the job's own output.

FLINK_LIB_DIR names the lib directory of another Flink distribution (1.17 or later) to act on.
FLINK_KILLS says how many processes are killed at random; FLINK_SEED replays them.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flinkglue.lifecycle.inventory import apply_retention
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.retention import Retention
from flinkglue.lifecycle.transaction import Refused
from localcloud.flink.cluster import FlinkCluster
from tests.scenario.real_lifecycle import RealJob, request_for, wait_for

KILLS = int(os.environ.get("FLINK_KILLS", "11"))
_names = itertools.count(1)


@dataclass(frozen=True)
class Turn:
    """An action in a job's life.

    Args:
        action: The action.
        most_seconds: Its process is killed within so many seconds.
        live_jobs: How many jobs live after it.
        begins: How its new job begins, by the job's own words; empty when it starts none.
    """

    action: Action
    most_seconds: float
    live_jobs: int
    begins: str = ""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    lib_dir = os.environ.get("FLINK_LIB_DIR")
    cluster = FlinkCluster(
        "lifecycle",
        tmp_path_factory.mktemp("flink"),
        lib_dir=Path(lib_dir) if lib_dir else None,
        settings={"web.refresh-interval": "200", "metrics.fetcher.update-interval": "200"},
    )
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def job(cluster: FlinkCluster, tmp_path: Path) -> Iterator[RealJob]:
    """A job that does not run yet."""
    job = RealJob(cluster.rest_url, tmp_path, f"orders-{next(_names)}")
    yield job
    job.end()


@pytest.fixture
def running(job: RealJob) -> str:
    """The job runs and has counted; its Flink job id."""
    job_id = job.act(Action.NEW, "new", spec=job.spec()).raise_for_failure().job_id
    wait_for(lambda: job.total(job_id, "running") > 100)
    return job_id


def test_stop_and_start_keep_the_counts(job: RealJob, running: str) -> None:
    stop = job.act(Action.STOP, "stop").raise_for_failure()
    assert job.live_job_ids() == []
    start = job.act(Action.START, "start").raise_for_failure()
    assert start.savepoint_path == stop.savepoint_path
    assert job.live_job_ids() == [start.job_id]
    assert job.total(start.job_id, "restored") == job.total(running, "closed") > 100


def test_update_keeps_the_counts_and_shows_what_changed(job: RealJob, running: str) -> None:
    outcome = job.act(Action.UPDATE, "update", spec=job.spec(label="v2")).raise_for_failure()
    assert job.live_job_ids() == [outcome.job_id]
    assert job.total(outcome.job_id, "restored") == job.total(running, "closed") > 100
    assert job.lines(outcome.job_id)[-1].label == "v2"
    assert [change.field for change in outcome.changes] == ["args"]


@pytest.mark.parametrize("action", [Action.LAST_STATE_UPDATE, Action.RE_LAUNCH])
def test_the_newest_checkpoint_brings_the_counts_back(
    job: RealJob, running: str, action: Action
) -> None:
    outcome = job.act(action, "again").raise_for_failure()
    assert job.live_job_ids() == [outcome.job_id]
    assert outcome.savepoint_path
    number = outcome.savepoint_path.rpartition("chk-")[2]
    restored = job.total(outcome.job_id, "restored")
    assert restored == job.total(running, f"snapshot-{number}") > 0


def test_stateless_update_begins_at_nothing(job: RealJob, running: str) -> None:
    spec = job.spec(label="v2")
    outcome = job.act(Action.STATELESS_UPDATE, "clean", spec=spec).raise_for_failure()
    assert job.live_job_ids() == [outcome.job_id]
    assert job.total(outcome.job_id, "started") == 0


@pytest.mark.parametrize(
    ("jar", "cause"),
    [
        ("bad/ThrowsInMain.jar", "this release throws in its main method"),
        ("bad/MissingClass.jar", "StatefulCount"),
        ("bad/IncompatibleState.jar", "serializer"),
        ("bad/CrashLoop.jar", "this release fails after 50 events"),
    ],
)
def test_a_bad_jar_leaves_the_old_job_running_with_its_counts(
    job: RealJob, running: str, jar: str, cause: str
) -> None:
    outcome = job.act(Action.UPDATE, "update", spec=job.spec(jar, "bad"))
    print("\n".join((outcome.failure, *outcome.story)))
    assert cause in outcome.failure
    assert job.live_job_ids() == [outcome.job_id]
    newest = job.lines(outcome.job_id)[-1]
    wait_for(lambda: job.lines(outcome.job_id)[-1].total > newest.total)
    assert newest.label == "v1"
    if outcome.rolled_back:
        assert job.total(outcome.job_id, "restored") == job.total(running, "closed") > 100
    else:
        assert outcome.job_id == running


def test_savepoints_are_listed_and_the_old_ones_disposed_of(job: RealJob, running: str) -> None:
    paths = [
        job.act(Action.SAVEPOINT, f"savepoint-{number}").raise_for_failure().savepoint_path
        for number in range(3)
    ]
    assert job.live_job_ids() == [running]
    listed = job.act(Action.LIST_SAVEPOINT, "list").savepoints
    assert [savepoint.path for savepoint in listed] == paths[::-1]
    assert all(savepoint.is_stored and savepoint.size_bytes for savepoint in listed)
    gone = apply_retention(job.job_name, Retention(keep=1), job.backend, job.journal, time.time)
    assert [savepoint.path for savepoint in gone.disposed] == paths[:2]
    (kept,) = job.act(Action.LIST_SAVEPOINT, "list").savepoints
    assert (kept.path, kept.is_stored) == (paths[2], True)


def test_cancel_ends_the_job_and_delete_forgets_it(job: RealJob, running: str) -> None:
    with pytest.raises(Refused):
        job.act(Action.DELETE, "too soon")
    assert job.act(Action.CANCEL, "cancel").state == "CANCELED"
    job.act(Action.DELETE, "delete").raise_for_failure()
    assert job.live_job_ids() == []
    assert job.journal.job_record(job.job_name).spec is None


def test_a_jobmanager_killed_during_an_update_ends_right_or_with_the_state_told(
    job: RealJob, running: str, cluster: FlinkCluster
) -> None:
    def restart() -> None:
        cluster.kill_jobmanager()
        cluster.start_jobmanager()

    timer = threading.Timer(1.0, restart)
    timer.start()
    outcome = job.act(Action.UPDATE, "update", spec=job.spec(label="v2"))
    timer.join()
    cluster.wait_until_ready()
    print("\n".join((outcome.failure, *outcome.story)))
    assert len(job.live_job_ids()) <= 1
    if not job.live_job_ids():
        assert "RE_LAUNCH" in outcome.failure or "No job runs now" in outcome.failure
        outcome = job.act(Action.RE_LAUNCH, "re-launch").raise_for_failure()
    assert job.live_job_ids() == [outcome.job_id]
    assert job.total(outcome.job_id, "restored") > 0


ROUND = (
    Turn(Action.SAVEPOINT, 0.5, 1),
    Turn(Action.UPDATE, 3.0, 1, "restored"),
    Turn(Action.LAST_STATE_UPDATE, 2.5, 1, "restored"),
    Turn(Action.STOP, 0.8, 0),
    Turn(Action.START, 2.5, 1, "restored"),
    Turn(Action.CANCEL, 0.4, 0),
    Turn(Action.RE_LAUNCH, 2.5, 1, "restored"),
    Turn(Action.STATELESS_UPDATE, 2.5, 1, "started"),
    Turn(Action.CANCEL, 0.4, 0),
    Turn(Action.DELETE, 0.2, 0),
    Turn(Action.NEW, 2.0, 1, "started"),
)


def test_processes_killed_at_random_leave_one_job_with_its_counts(
    job: RealJob, running: str, cluster: FlinkCluster
) -> None:
    """SIGKILL at any moment, and the same intent again: one job in the wanted state."""
    seed = int(os.environ.get("FLINK_SEED", time.time_ns() % 1_000_000))
    print(f"FLINK_SEED={seed}")
    rng = random.Random(seed)
    before, killed, savepoints = running, 0, 0
    for number, turn in zip(range(KILLS), itertools.cycle(ROUND), strict=False):
        intent, label = f"turn-{number}", f"v{number + 2}"
        asked = argparse.Namespace(action=turn.action, label=label, jar="StatefulCount.jar")
        after_seconds = rng.uniform(0, turn.most_seconds)
        killed += job.act_and_be_killed(
            turn.action, intent, label=label, jar=asked.jar, after_seconds=after_seconds
        )
        story = f"turn {number}: {turn.action}, killed after {after_seconds:.3f} s"
        outcome = job.act(turn.action, intent, **request_for(job, asked)).raise_for_failure()
        assert len(job.live_job_ids()) == turn.live_jobs, story
        if turn.begins:
            assert outcome.job_id != before, story
            before = outcome.job_id
            assert (job.total(before, turn.begins) > 0) == (turn.begins == "restored"), story
        savepoints += turn.action in (Action.SAVEPOINT, Action.UPDATE, Action.STOP)
    print(f"{killed} of {KILLS} were killed before they ended; {savepoints} savepoints")
    stored = {path.name for path in cluster.files.savepoints.iterdir()}
    ledger = [
        savepoint.path.rpartition("/")[2] for savepoint in job.journal.savepoints(job.job_name)
    ]
    assert len(ledger) == savepoints
    assert set(ledger) <= stored
