"""A watch over a job whose last action died on the way: its claim must hide nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.flow_engine import run_flow
from prefect.states import Crashed, Running
from prefect.utilities.callables import get_parameter_defaults

from flinkglue.blocks.flink import FlinkRestCluster
from flinkglue.blocks.forms.flink_job import HealthOptions, RelaunchOptions, SilentRunOptions
from flinkglue.clock import SystemClock
from flinkglue.errors import JobFailed
from flinkglue.lifecycle.execute import execute
from flinkglue.lifecycle.journal.processes import identity
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.prefect.process_options import options_here
from flinkglue.prefect.store.variable_journal import variable_journal, variable_store
from flows.flink_savepoints import flink_savepoints
from flows.flink_watch import flink_watch
from tests.harness.flink.served_flink import ServedJobManager
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.waiting import repeating

BLOCK = "flink-rest-cluster/flink"


class Died(BaseException):
    """The worker is gone."""


class Dying:
    """What a worker uses that dies right before a verb; nothing that it holds is tidied up.

    Its claims say whose they are: those of a process that is gone, unless it is only cut off.
    """

    def __init__(self, used: Any, verb: str, dead: list[str], process: str) -> None:
        self._used, self._verb, self._dead, self._process = used, verb, dead, process

    def __getattr__(self, name: str) -> Any:
        if name == self._verb:
            self._dead.append(name)
        if self._dead:
            raise Died
        return getattr(self._used, name)

    def swap(self, kind: str, key: str, version: str | None, document: Any) -> str | None:
        if self._dead:
            raise Died
        if kind == "claim" and document:
            document = {**document, "process": self._process}
        swapped: str | None = self._used.swap(kind, key, version, document)
        return swapped


def gone() -> str:
    """The identity of a process of this machine that has ended."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    return f"{identity().rpartition(':')[0]}:{ended.pid}"


def never_renewed(call: Callable[[], bool], every_seconds: float) -> Callable[[], None]:
    return lambda: None


@pytest.fixture(scope="module")
def prefect(prefect_files: list[Path]) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def cluster(prefect: SyncPrefectClient, flink: ServedJobManager) -> FlinkRestCluster:
    block = FlinkRestCluster(url=flink.url)
    block.save("flink", overwrite=True)
    return block


class Job:
    """One job, and actions on it by flow runs that may die."""

    def __init__(self, cluster: FlinkRestCluster, prefect: SyncPrefectClient, jar: Path) -> None:
        self.name = f"orders-{uuid4().hex[:8]}"
        self._cluster, self._prefect, self._jar = cluster, prefect, jar

    def act(
        self,
        action: Action,
        *,
        dies_before: str = "",
        ends: bool = True,
        command: str = "",
        lives: bool = False,
    ) -> FlowRun:
        run = self._prefect.create_flow_run(
            flink_watch, parameters={"job_names": [self.name], "cluster": BLOCK}
        )
        jar = str(self._jar) if action in (Action.NEW, Action.UPDATE) else None
        with (
            variable_store(self._cluster.journal_name) as store,
            self._cluster.get_backend(SystemClock()) as backend,
        ):
            dead: list[str] = []
            process = identity() if lives else gone()
            ready = ReadyLimits(stable_seconds=0.1)
            options = options_here(ActionOptions(ready=ready), self._cluster, print)
            lease = replace(options.lease, seconds=300, keep=never_renewed)
            try:
                execute(
                    ActionRequest(action, self.name, JobChanges(jar=jar)),
                    f"{command or f'{run.id}:{action}:{self.name}'}:1",
                    store=Dying(store, dies_before, dead, process) if dies_before else store,
                    backend=Dying(backend, dies_before, dead, process) if dies_before else backend,
                    identify=self._cluster.get_jars().identify,
                    options=replace(options, lease=lease),
                )
            except Died:
                self._prefect.set_flow_run_state(run.id, Running(), force=True)
                if ends:
                    self._prefect.set_flow_run_state(run.id, Crashed(), force=True)
        return run

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """Its claim is renewed, as its process does it that lives."""
        with variable_store(self._cluster.journal_name) as store:
            claim = store.stored("claim", self.name)
            assert claim
            with repeating(lambda: store.touch("claim", self.name, claim.version)):
                yield

    def watched(self, relaunch: str, **options: Any) -> Any:
        parameters = {"relaunch": relaunch, **watch_options(**options)}
        return flink_watch([self.name], BLOCK, **parameters, return_state=True).result()

    def watched_by(self, run: FlowRun) -> Any:
        """The flow run itself, once more."""
        return run_flow(
            flink_watch,
            flow_run=run,
            parameters={
                **get_parameter_defaults(flink_watch.fn),
                "job_names": [self.name],
                "cluster": BLOCK,
                "relaunch": "when_down",
                **watch_options(),
            },
        )


def watch_options(**health: Any) -> dict[str, Any]:
    """One observation, a quick relaunch, and no search for silent flow runs."""
    return {
        "health_options": HealthOptions(watch_seconds=0, **health),
        "relaunch_options": RelaunchOptions(stable_seconds=0.1),
        "silent_run_options": SilentRunOptions(silent_minutes=None),
    }


@pytest.fixture
def job(cluster: FlinkRestCluster, prefect: SyncPrefectClient, tmp_path: Path) -> Job:
    jar = tmp_path / "orders.jar"
    jar.write_text(Behaviour.GOOD)
    found = Job(cluster, prefect, jar)
    found.act(Action.NEW)
    return found


def test_an_update_that_died_after_its_stop_is_told(job: Job, flink: ServedJobManager) -> None:
    """The job is down; only a person knows whether the new jar is still wanted."""
    job.act(Action.UPDATE, dies_before="submit")
    assert flink.live_jobs() == []
    with pytest.raises(JobFailed, match=r"UPDATE of .* has not ended, and its flow run is Crashed"):
        job.watched("when_down")
    assert flink.live_jobs() == []


@pytest.mark.parametrize("ends", [True, False])
def test_an_update_that_is_under_way_is_left_alone(job: Job, ends: bool) -> None:
    """Also one whose flow run is called Crashed: its process holds the job, so it lives."""
    job.act(Action.UPDATE, dies_before="submit", ends=ends, lives=True)
    with job.renewed():
        assert job.watched("when_down") == {job.name: "not judged"}


@pytest.mark.parametrize("command", ["", "build-1842"], ids=["flow run", "command"])
def test_an_action_whose_process_is_gone_is_told(job: Job, command: str) -> None:
    """Although its flow run is Running: the server failed as it ended, or its machine died."""
    job.act(Action.UPDATE, dies_before="submit", ends=False, command=command)
    with pytest.raises(JobFailed, match="gives no sign of life") as told:
        job.watched("when_down")
    assert ("although its flow run is Running" in str(told.value)) == (not command)


@pytest.mark.parametrize("command", ["", "build-1842"], ids=["flow run", "command"])
def test_an_action_that_goes_on_for_too_long_is_told(job: Job, command: str) -> None:
    """A machine that dies leaves its flow run Running; a command has none."""
    job.act(Action.UPDATE, dies_before="submit", ends=False, command=command, lives=True)
    with pytest.raises(JobFailed, match=r"UPDATE of .* has not ended, and it began"):
        job.watched("when_down", action_within_minutes=1e-6)


def test_a_watch_that_died_in_its_own_relaunch_finishes_it_when_retried(
    job: Job, flink: ServedJobManager
) -> None:
    run = job.act(Action.RE_LAUNCH, dies_before="submit", ends=False)
    assert job.watched_by(run) == {job.name: "re-launched"}
    assert len(flink.live_jobs()) == 1


def test_a_relaunch_that_died_after_its_cancel_is_finished(
    job: Job, flink: ServedJobManager
) -> None:
    """By the next watch, from the state that the first one had chosen."""
    job.act(Action.RE_LAUNCH, dies_before="submit")
    assert flink.live_jobs() == []
    assert job.watched("when_unhealthy") == {job.name: "re-launched"}
    (again,) = flink.live_jobs()
    assert again.restored
    assert job.watched("when_unhealthy") == {job.name: "healthy"}


def test_a_savepoint_that_died_is_finished_by_the_next_schedule(
    job: Job, cluster: FlinkRestCluster
) -> None:
    """It would keep everybody else from the job."""
    job.act(Action.SAVEPOINT, dies_before="savepoint")
    report = flink_savepoints([job.name], BLOCK)
    assert report[job.name]["savepoint"]
    with variable_journal(cluster.journal_name) as journal:
        assert journal.owner(job.name) is None


def test_a_live_job_is_judged_although_it_was_stopped_once(
    job: Job, cluster: FlinkRestCluster, flink: ServedJobManager
) -> None:
    """It was started again by a launch that was not ready in time."""
    with variable_store(cluster.journal_name) as store:
        store.write("wanted", job.name, {"wanted": False})
    assert job.watched("never") == {job.name: "healthy"}
