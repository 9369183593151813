"""The command line with --deployment: which flow run an intent means, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Completed, Running

from flinkglue.errors import DeadlineExceeded, InvalidInput
from flows.flink_job_action import flink_job_action
from infra.flink.deployment import STARTS_WITHIN_SECONDS, Deployed, run_deployment
from infra.flink_action import main

NAME = "flink-job-action/flink-job-action"


class Clock:
    """Passes without waiting, and does something meanwhile."""

    def __init__(self) -> None:
        self.now = 0.0
        self.meanwhile: Any = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()


@pytest.fixture(scope="module")
def prefect(prefect_files: list[Path]) -> Iterator[SyncPrefectClient]:
    """A server that has the deployment, and no worker."""
    flink_job_action.to_deployment("flink-job-action").apply()
    with get_client(sync_client=True) as client:
        yield client


def update(intent: str, **parameters: Any) -> Deployed:
    asked = {"action": "UPDATE", "job_name": "orders", "cluster": "flink-rest-cluster/staging"}
    of_before = {**asked, "parallelism": 4, **parameters}
    return Deployed(NAME, of_before, intent, deadline_seconds=lambda _: 60)


def started(asked: Deployed) -> FlowRun:
    """The flow run that an intent means."""
    said: list[str] = []
    assert run_deployment(asked, wait=False, say=said.append) == 0
    with get_client(sync_client=True) as client:
        return client.read_flow_run(said[0].split()[2])


def test_the_same_build_may_update_another_cluster(prefect: SyncPrefectClient) -> None:
    """What was done on staging says nothing about production."""
    build = f"build-{uuid4()}"
    staging = started(update(build))
    production = started(update(build, cluster="flink-rest-cluster/production"))
    other_job = started(update(build, job_name="payments"))
    stop = started(update(build, action="STOP", parallelism=None))
    assert len({run.id for run in (staging, production, other_job, stop)}) == 4
    assert production.parameters["cluster"] == "flink-rest-cluster/production"
    assert started(update(build)).id == staging.id


def test_an_intent_that_was_given_for_something_else_is_refused(prefect: SyncPrefectClient) -> None:
    """It would be taken for done."""
    build = f"build-{uuid4()}"
    before = started(update(build))
    with pytest.raises(InvalidInput, match=rf"intent.*{before.id}.*program\.parallelism was 4"):
        started(update(build, parallelism=8))


def test_a_build_that_an_earlier_version_began_is_the_same(prefect: SyncPrefectClient) -> None:
    """It gave the parameters without groups."""
    build = f"build-{uuid4()}"
    before = started(update(build))
    now = update(build, parallelism=None, program={"parallelism": 4})
    assert started(now).id == before.id


def test_the_end_of_a_flow_run_is_waited_for(prefect: SyncPrefectClient) -> None:
    asked, clock, said = update(f"build-{uuid4()}"), Clock(), list[str]()
    run = started(asked)
    states = iter([Running(), Running(), Completed()])
    clock.meanwhile = lambda: prefect.set_flow_run_state(run.id, next(states), force=True)
    assert run_deployment(asked, wait=True, say=said.append, clock=clock) == 0
    assert [line.split()[-1] for line in said[1:-1]] == ["Scheduled", "Running", "Completed"]


def test_without_a_worker_the_wait_ends(prefect: SyncPrefectClient) -> None:
    """A pipeline must not hang for ever."""
    clock = Clock()
    with pytest.raises(DeadlineExceeded, match="Is a worker running"):
        run_deployment(update(f"build-{uuid4()}"), wait=True, say=print, clock=clock)
    assert clock.now == pytest.approx(STARTS_WITHIN_SECONDS)


def test_a_flow_run_that_does_not_end_is_not_waited_for_ever(prefect: SyncPrefectClient) -> None:
    asked, clock = update(f"build-{uuid4()}"), Clock()
    prefect.set_flow_run_state(started(asked).id, Running(), force=True)
    with pytest.raises(DeadlineExceeded, match="last observed: Running"):
        run_deployment(asked, wait=True, say=print, clock=clock)
    assert clock.now == pytest.approx(STARTS_WITHIN_SECONDS + 60)


@pytest.mark.parametrize("through", [["--deployment"], []], ids=["deployment", "this process"])
def test_a_prefect_server_that_is_away_is_no_failed_job(
    through: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """5: not ended; the same command goes on."""
    away = {PREFECT_API_URL: "http://127.0.0.1:1/api", PREFECT_CLIENT_MAX_RETRIES: 0}
    began_at = time.monotonic()
    with temporary_settings(away):
        code = main(["STOP", "orders", "--cluster-block", "flink-rest-cluster/any", *through])
    assert code == 5, f"after {time.monotonic() - began_at:.0f} s"
    assert "ServiceUnavailable: Prefect" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--url", "https://flink.example.com", "--ca-file", "/nowhere/ca.pem"]
    assert main(["STOP", "orders", *options]) == 2
    assert "ca_file: '/nowhere/ca.pem'" in capsys.readouterr().err
