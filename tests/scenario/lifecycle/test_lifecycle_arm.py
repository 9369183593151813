"""The eleven actions over ARM on a real Flink: counts are read from the job's own output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.transaction import Refused
from localcloud.client import LocalCloud
from tests.scenario.lifecycle.disturbing import ARM_GATEWAY_TURNS, BehindGateway
from tests.scenario.lifecycle.killing import ARM_KILLS, kill_at_random, take_turns
from tests.scenario.lifecycle.real_arm import ArmJob
from tests.waiting import eventually


@pytest.fixture
def job(cloud: LocalCloud, tmp_path: Path) -> Iterator[ArmJob]:
    """A job that does not run yet."""
    job = ArmJob(cloud, tmp_path)
    yield job
    job.end()


@pytest.fixture
def running(job: ArmJob) -> str:
    """The job runs and has counted; its Flink job id."""
    job_id = job.act(Action.NEW, "new", spec=job.spec()).raise_for_failure().job_id
    eventually(lambda: job.total(job_id, "running") > 100)
    return job_id


def runs_only(job: ArmJob, job_id: str) -> bool:
    """Whether ARM and Flink both know this one as the only live job of the name."""
    named = [view for view in job.flink_backend.find(job.job_name) if not view.is_terminal]
    return job.live_job_ids() == [job_id] == [view.job_id for view in named]


def test_the_counts_are_kept_or_lost_as_each_action_promises(job: ArmJob, running: str) -> None:
    """STOP, START, UPDATE and the last-state actions keep them; STATELESS_UPDATE does not."""
    stop = job.act(Action.STOP, "stop").raise_for_failure()
    assert job.live_job_ids() == []
    start = job.act(Action.START, "start").raise_for_failure()
    assert start.savepoint_path == stop.savepoint_path
    assert runs_only(job, start.job_id)
    assert job.total(start.job_id, "restored") == job.total(running, "closed") > 100

    update = job.act(Action.UPDATE, "update", spec=job.spec(label="v2")).raise_for_failure()
    assert runs_only(job, update.job_id)
    assert job.total(update.job_id, "restored") == job.total(start.job_id, "closed")
    assert job.lines(update.job_id)[-1].label == "v2"

    before = update.job_id
    for action in (Action.LAST_STATE_UPDATE, Action.RE_LAUNCH):
        outcome = job.act(action, action).raise_for_failure()
        assert runs_only(job, outcome.job_id)
        number = str(outcome.savepoint_path).rpartition("chk-")[2]
        assert job.total(outcome.job_id, "restored") == job.total(before, f"snapshot-{number}") > 0
        before = outcome.job_id

    clean = job.act(Action.STATELESS_UPDATE, "clean").raise_for_failure()
    assert runs_only(job, clean.job_id)
    assert job.total(clean.job_id, "started") == 0


def _has_counted_on(job: ArmJob, job_id: str, total: int) -> bool:
    return job.lines(job_id)[-1].total > total


CRASHES_LATE = "bad/CrashLoop.jar"
BAD_JARS = {
    "bad/ThrowsInMain.jar": "this release throws in its main method",
    "bad/MissingClass.jar": "StatefulCount",
    "bad/IncompatibleState.jar": "serializer",
    CRASHES_LATE: "this release fails after 50 events",
}


def test_no_bad_jar_takes_the_place_of_the_old_job(job: ArmJob, running: str) -> None:
    """Four in a row: the old jar runs on, or again from the savepoint, and nothing is lost."""
    job.ready = replace(job.ready, most_restarts=1)
    before = running
    for jar, cause in BAD_JARS.items():
        if jar == CRASHES_LATE:  # and Flink shows a job up to 3 seconds late
            job.ready = replace(job.ready, stable_seconds=5)
        outcome = job.act(Action.UPDATE, jar, spec=job.spec(jar, "bad"))
        print("\n".join((outcome.failure, *outcome.story)))
        assert cause in outcome.failure
        assert runs_only(job, outcome.job_id)
        newest = job.lines(outcome.job_id)[-1]
        eventually(partial(_has_counted_on, job, outcome.job_id, newest.total))
        assert newest.label == "v1"
        if outcome.rolled_back:
            assert job.total(outcome.job_id, "restored") == job.total(before, "closed") > 100
        else:
            assert outcome.job_id == before
        before = outcome.job_id
    assert before != running


def test_savepoints_are_listed_the_job_is_cancelled_and_forgotten(
    job: ArmJob, running: str
) -> None:
    """DELETE takes the row out of ARM's list; NEW with the savepoint brings the counts back."""
    paths = [
        job.act(Action.SAVEPOINT, f"savepoint-{number}").raise_for_failure().savepoint_path
        for number in range(2)
    ]
    listed = job.act(Action.LIST_SAVEPOINT, "list").savepoints
    assert [savepoint.path for savepoint in listed] == paths[::-1]
    assert all(savepoint.is_stored for savepoint in listed)
    with pytest.raises(Refused):
        job.act(Action.DELETE, "too soon")
    assert job.act(Action.CANCEL, "cancel").state == "CANCELED"
    job.act(Action.DELETE, "delete").raise_for_failure()
    assert job.arm.list_jobs(job.cluster_id, job.job_name) == []
    again = job.act(Action.NEW, "again", spec=job.spec(), savepoint_path=paths[1])
    assert again.succeeded, again.failure
    assert job.total(again.job_id, "restored") > 100


def test_without_a_view_of_flink_arms_word_is_taken(cloud: LocalCloud, tmp_path: Path) -> None:
    """A launch that fails on the service brings the old jar back from the savepoint."""
    job = ArmJob(cloud, tmp_path, sees_flink=False)
    try:
        first = job.act(Action.NEW, "new", spec=job.spec()).raise_for_failure().job_id
        eventually(lambda: job.total(first, "running") > 50)
        with pytest.raises(Refused, match="no retained state"):
            job.act(Action.LAST_STATE_UPDATE, "blind")
        outcome = job.act(Action.UPDATE, "bad", spec=job.spec("bad/ThrowsInMain.jar"))
        assert outcome.rolled_back, outcome.story
        assert "this release throws in its main method" in outcome.failure
        assert job.live_job_ids() == [outcome.job_id]
        assert job.total(outcome.job_id, "restored") == job.total(first, "closed") > 50
        (listed,) = job.act(Action.LIST_SAVEPOINT, "list").savepoints
        assert (listed.path, listed.is_stored) == (outcome.savepoint_path, True)
    finally:
        job.end()


@pytest.mark.skipif(ARM_KILLS == 0, reason="FLINK_ARM_KILLS does not say how many to kill")
def test_processes_killed_at_random_leave_one_job_with_its_counts(job: ArmJob) -> None:
    """As over REST; ARM's actions take longer, and so does each process live."""
    kill_at_random(job, ARM_KILLS, slowness=1.6)


@pytest.mark.skipif(ARM_GATEWAY_TURNS == 0, reason="FLINK_ARM_GATEWAY_TURNS says how many turns")
def test_what_a_gateway_answers_is_never_taken_for_the_job(job: ArmJob) -> None:
    """As over REST: a gateway stands before ARM."""
    take_turns(job, ARM_GATEWAY_TURNS, lambda rng: BehindGateway(job, rng))
