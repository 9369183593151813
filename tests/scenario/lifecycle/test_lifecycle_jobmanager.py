"""A JobManager that is killed in the middle of each action, and comes back without its jobs.

There is no high availability. The action ends right, or it ends with the state told; it never
starts a job without the state that it had. FLINK_JOBMANAGER_KILLS=all takes every action on both
backends.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from flinkglue.errors import CallFailed, DeadlineExceeded
from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.transaction import Refused
from localcloud.client import LocalCloud
from tests.scenario.lifecycle.real_arm import ArmJob
from tests.scenario.lifecycle.real_lifecycle import RealJob
from tests.waiting import eventually

ALL = os.environ.get("FLINK_JOBMANAGER_KILLS") == "all"
BY_DEFAULT = ("REST UPDATE",)
STATELESS = (Action.NEW, Action.STATELESS_UPDATE)
ENDS = (Action.STOP, Action.CANCEL, Action.DELETE)
BEGINS = {Action.NEW: "", Action.START: Action.STOP, Action.DELETE: Action.CANCEL}
"""The last action before; a job runs when there is none, and none has run before NEW."""


@dataclass(frozen=True)
class RequestOf:
    """A request, at which the JobManager is killed.

    Args:
        service: Who is asked.
        operation: For what.
        action: ARM's action.
    """

    service: str
    operation: str
    action: str | None = None

    def is_seen(self, cloud: LocalCloud, since: float) -> bool:
        found = cloud.requests(self.service, self.operation, since)
        return any(self.action in (None, request.detail.get("action")) for request in found)


def flink(operation: str) -> RequestOf:
    return RequestOf("flink", operation)


def arm(action: str) -> RequestOf:
    return RequestOf("arm", "ClusterJobs_RunJob", action)


@dataclass(frozen=True)
class Case:
    """An action, and the request at which the JobManager is killed."""

    backend: str
    action: Action
    at: RequestOf

    def __str__(self) -> str:
        return f"{self.backend} {self.action}"

    def open_job(self, cloud: LocalCloud, directory: Path) -> RealJob:
        if self.backend == "ARM":
            return ArmJob(cloud, directory)
        return RealJob(cloud.flink, directory, f"lost-{time.time_ns()}")


REST_CASES = {
    Action.NEW: flink("RunJar"),
    Action.START: flink("RunJar"),
    Action.STOP: flink("StopJob"),
    Action.UPDATE: flink("StopJob"),
    Action.STATELESS_UPDATE: flink("CancelJob"),
    Action.LAST_STATE_UPDATE: flink("CancelJob"),
    Action.SAVEPOINT: flink("TriggerSavepoint"),
    Action.LIST_SAVEPOINT: flink("GetJobManagerConfig"),
    Action.CANCEL: flink("CancelJob"),
    Action.DELETE: flink("ListJars"),
    Action.RE_LAUNCH: flink("RunJar"),
}
ARM_CASES = {
    Action.NEW: arm("NEW"),
    Action.START: arm("START"),
    Action.STOP: arm("STOP"),
    Action.UPDATE: arm("STOP"),
    Action.STATELESS_UPDATE: arm("CANCEL"),
    Action.LAST_STATE_UPDATE: arm("CANCEL"),
    Action.SAVEPOINT: arm("SAVEPOINT"),
    Action.LIST_SAVEPOINT: flink("GetJobManagerConfig"),
    Action.CANCEL: arm("CANCEL"),
    Action.DELETE: arm("DELETE"),
    Action.RE_LAUNCH: arm("START"),
}
CASES = [
    *(Case("REST", action, at) for action, at in REST_CASES.items()),
    *(Case("ARM", action, at) for action, at in ARM_CASES.items()),
]
CHOSEN = [case for case in CASES if ALL or str(case) in BY_DEFAULT]


@contextmanager
def jobmanager_killed(cloud: LocalCloud, at: RequestOf) -> Iterator[None]:
    """It dies as soon as it is seen that this was asked for, and is back at the end."""
    since, over, killed = time.time(), threading.Event(), threading.Event()

    def kill() -> None:
        while not over.wait(0.02):
            if at.is_seen(cloud, since):
                cloud.kill_jobmanager()
                killed.set()
                return

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
        assert killed.wait(60), f"{at} was not asked for"
    finally:
        over.set()
        killer.join()
        cloud.reset()


def begin(job: RealJob, action: Action) -> set[str]:
    """What the action begins with; the jobs that there were."""
    last = BEGINS.get(action)
    if last != "":
        first = job.act(Action.NEW, "new", spec=job.spec()).raise_for_failure().job_id
        eventually(lambda: job.total(first, "running") > 100)
    if last:
        job.act(Action(last), "before").raise_for_failure()
    return set(job.job_ids())


def end(job: RealJob, action: Action) -> Outcome | Refused:
    """How the action ends; asked for again when the service was out of order for too long."""
    for _ in range(3):
        try:
            return job.act(action, "interrupted", **job.asked_for(action, "v2"))
        except Refused as refused:
            return refused
        except (CallFailed, DeadlineExceeded) as told:
            print(f"not ended: {told}")
    raise AssertionError(f"{action} does not end")


@pytest.mark.parametrize("case", CHOSEN, ids=str)
def test_the_action_ends_right_or_with_the_state_told(
    case: Case, cloud: LocalCloud, tmp_path: Path
) -> None:
    job = case.open_job(cloud, tmp_path)
    try:
        before = begin(job, case.action)
        with jobmanager_killed(cloud, case.at):
            outcome = end(job, case.action)
        print(
            outcome
            if isinstance(outcome, Refused)
            else "\n".join((*outcome.story, outcome.failure))
        )
        live = flink_job_ids(job)
        assert len(live) <= 1
        if case.action not in STATELESS:
            check_no_job_began_clean(job, before)
        check_end(job, case.action, outcome, live)
        if case.action is not Action.DELETE:
            check_rollback(job, case.action, live)
    finally:
        job.end()


def flink_job_ids(job: RealJob) -> list[str]:
    """The live jobs of this name by Flink's own word."""
    return [
        seen.job_id
        for seen in job.client.jobs()
        if seen.job_name == job.job_name and not seen.is_terminal
    ]


def check_no_job_began_clean(job: RealJob, before: set[str]) -> None:
    rows = job.output.read_text().splitlines()
    started = {row.split(" ")[1] for row in rows if row.split(" ")[4] == "started"}
    assert started <= before


def check_end(job: RealJob, action: Action, outcome: Outcome | Refused, live: list[str]) -> None:
    """A good end is the wanted state; a bad one is told, with how to go on."""
    if isinstance(outcome, Refused) or not outcome.succeeded:
        assert str(outcome) if isinstance(outcome, Refused) else outcome.failure
        return
    if action in ENDS:
        assert live == []
    elif action not in (Action.SAVEPOINT, Action.LIST_SAVEPOINT):
        assert live == [outcome.job_id]
    if action in (Action.STOP, Action.SAVEPOINT):
        paths = [savepoint.path for savepoint in job.journal.savepoints(job.job_name)]
        assert outcome.savepoint_path in paths


def check_rollback(job: RealJob, action: Action, live: list[str]) -> None:
    """Whatever the end was, the job can be had again, with its counts unless it began clean."""
    brought_back = live[0] if live else started_again(job).job_id
    eventually(lambda: job.lines(brought_back))
    if action not in STATELESS:
        assert job.total(brought_back, "restored") > 0


def started_again(job: RealJob) -> Outcome:
    ways: list[tuple[Action, Callable[[], dict[str, object]]]] = [
        (Action.RE_LAUNCH, dict),
        (Action.START, dict),
        (Action.NEW, lambda: {"spec": job.spec()}),
    ]
    for action, request in ways:
        try:
            return job.act(action, f"back-{action}", **request()).raise_for_failure()
        except Refused as refused:
            print(refused)
    raise AssertionError("no way back")
