"""What a flow run asks on its page, on a worker: yes, no, and nobody answers in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from localcloud.aws.glue.settings import GlueSettings
from tests.azure_on_the_wire import AzureOnTheWire, served
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.harness.conftest import save_aws_block
from tests.harness.execution import Execute, cancel, created, read, resume, retry
from tests.harness.flink.deployed_job import DeployedJob, ended, flink_job_action
from tests.harness.flink.served_flink import ServedJobManager
from tests.harness.flink.test_flink_cluster_deletion import hdinsight_cluster
from tests.harness.worker.thread_worker import (
    REPOSITORY,
    Worker,
    deployed,
    logged,
    make_pool,
    pause,
    state_name,
    worker_of,
)
from tests.waiting import eventually

POOL = "asking"
ANSWERS = ("yes", "no", "silence")
DROPS_STATE = ("NEW", "STATELESS_UPDATE")
LONG, SHORT = 10, 0.05
"""Minutes to wait for an answer: for those who give one, and for those who do not."""
DRAIN_SECONDS = 80.0


@pytest.fixture(scope="module")
def worker(prefect_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with worker_of(POOL, tmp_path_factory.mktemp("worker")) as running:
        yield running


def minutes(answer: str) -> float:
    return SHORT if answer == "silence" else LONG


def say(flow_run_id: UUID, **answer: Any) -> None:
    """Answer on the page of a flow run, when it asks."""
    eventually(lambda: state_name(flow_run_id) == "Paused")
    resume(flow_run_id, **answer)


def message(flow_run_id: UUID) -> str:
    state = read(flow_run_id).state
    return str(state and state.message)


def test_state_is_dropped_only_when_somebody_says_so(
    worker: Worker, flink: ServedJobManager, tmp_path: Path
) -> None:
    """By NEW and STATELESS_UPDATE; Cancel is no answer, and Retry of a failed run asks again."""
    action_id = flink_job_action(POOL)
    cases = [(action, answer) for action in DROPS_STATE for answer in ANSWERS]
    jobs = {case: DeployedJob(action_id, flink, tmp_path) for case in cases}
    assert {*ended(*(job.request("NEW") for job in jobs.values()))} == {"Completed"}
    stopped = [job.request("STOP") for (action, _), job in jobs.items() if action == "NEW"]
    assert {*ended(*stopped)} == {"Completed"}
    flow_runs = {
        case: job.request(case[0], advanced_options={"ask_within_minutes": minutes(case[1])})
        for case, job in jobs.items()
    }
    for action in DROPS_STATE:
        say(flow_runs[action, "yes"], drop_state=True)
        say(flow_runs[action, "no"], drop_state=False)
    ends = dict(zip(cases, ended(*flow_runs.values()), strict=True))
    before = {"NEW": "FINISHED", "STATELESS_UPDATE": "RUNNING"}
    for action, answer in cases:
        is_yes, job = answer == "yes", jobs[action, answer]
        assert ends[action, answer] == ("Completed" if is_yes else "Failed")
        assert len(job.jobs) == (2 if is_yes else 1)
        assert job.states[-1] == ("RUNNING" if is_yes else before[action])
        assert job.jobs[-1].restored is None
    assert "the answer was no; nothing was changed" in message(flow_runs["NEW", "no"])
    assert flink.sent("POST", "/run") == 6 + 2

    cancelled = jobs["STATELESS_UPDATE", "no"].request(
        "STATELESS_UPDATE", advanced_options={"ask_within_minutes": LONG}
    )
    eventually(lambda: state_name(cancelled) == "Paused")
    cancel(cancelled)
    assert ended(cancelled) == ["Cancelled"]
    assert "does not notice" not in worker.log.read_text()
    assert jobs["STATELESS_UPDATE", "no"].states == ["RUNNING"]

    retried = flow_runs["NEW", "no"]
    retry(retried)
    say(retried, drop_state=True)
    assert ended(retried) == ["Completed"]
    assert jobs["NEW", "no"].states == ["FINISHED", "RUNNING"]


@pytest.fixture
def cloud(prefect_files: list[Path], tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK))
    running.two_connections()
    yield running
    running.close()


def test_another_glue_run_beyond_the_limit_starts_only_when_somebody_says_so(
    worker: Worker, cloud: AwsCloud
) -> None:
    """Also when somebody retries the flow run, which is refused where nobody is to be asked."""
    glue_job = deployed(POOL, "flows/glue_vpc_failover.py:glue_vpc_failover", REPOSITORY)
    block = f"aws-{uuid4().hex}"
    save_aws_block(cloud, block)
    flow_runs = {}
    for answer in (*ANSWERS, "unasked"):
        cloud.job(answer, script="import time; time.sleep(1.2)")
        why = "Resource unavailable"
        cloud.fault("fail-next-runs", job_name=answer, times=1, error_message=why, after_seconds=1)
        within_minutes = 0 if answer == "unasked" else minutes(answer)
        limit = {"max_dpu_hours": 1e-9, "ask_within_minutes": within_minutes}
        flow_runs[answer] = created(
            glue_job,
            job_name=answer,
            connection_names="a,b",
            aws_credentials=block,
            retry_options={"retry_delay_seconds": 0, **limit},
        )

    def states() -> dict[str, list[str]]:
        return {
            answer: [
                run["JobRunState"] for run in cloud.glue.get_job_runs(JobName=answer)["JobRuns"]
            ]
            for answer in flow_runs
        }

    say(flow_runs["yes"], start_another_run=True)
    say(flow_runs["no"], start_another_run=False)
    assert ended(*flow_runs.values()) == ["Completed", "Failed", "Failed", "Failed"]
    failed = {answer: ["FAILED"] for answer in ("no", "silence", "unasked")}
    assert states() == {"yes": ["SUCCEEDED", "FAILED"], **failed}
    assert "and the answer was no." in message(flow_runs["no"])
    assert "What to do: start a new flow run" in message(flow_runs["unasked"])

    for answer in ("no", "unasked"):
        retry(flow_runs[answer])
    say(flow_runs["no"], start_another_run=True)
    assert ended(flow_runs["no"], flow_runs["unasked"]) == ["Completed", "Failed"]
    assert states() == {"yes": ["SUCCEEDED", "FAILED"], **failed, "no": ["SUCCEEDED", "FAILED"]}
    assert "No further run is started: " in message(flow_runs["unasked"])


def test_a_cluster_is_deleted_only_when_somebody_repeats_its_name(
    worker: Worker, tmp_path: Path
) -> None:
    delete = deployed(POOL, "flows/delete_flink_cluster.py:delete_flink_cluster_flow", REPOSITORY)
    azure, block = AzureOnTheWire(), f"pool-{uuid4().hex}"
    azure.rows = [azure.row("flink1", status="STOPPED")]
    with served(azure, tmp_path) as ca_file:
        azure.ca_file = str(ca_file)
        hdinsight_cluster(azure).save(block)
        flow_runs = {
            answer: created(
                delete,
                cluster_name=f"flink-{answer}",
                cluster=block,
                answer_within_minutes=minutes(answer),
            )
            for answer in ANSWERS
        }
        say(flow_runs["yes"], confirm_cluster_name="flink-yes")
        say(flow_runs["no"], confirm_cluster_name="flink-yes")
        assert ended(*flow_runs.values()) == ["Completed", "Failed", "Failed"]
    assert "confirm_cluster_name: 'flink-yes' is not accepted" in message(flow_runs["no"])
    [deleted] = azure.sent("DELETE", "/clusters/")
    assert deleted.url.path.endswith("/flink-yes")


def test_an_answer_outlives_the_worker_of_its_flow_run(
    flink: ServedJobManager,
    tmp_path: Path,
    another_worker: Callable[[], Worker],
) -> None:
    """The worker is killed while one asks, and when Flink has taken the launches of two others.

    The question is answered when the next worker has begun. None asks again, and each job is
    launched once. A worker that is stopped while one asks does not wait for the answer.
    """
    make_pool("answered")
    action_id = flink_job_action("answered")
    asking, launched, first = (DeployedJob(action_id, flink, tmp_path) for _ in range(3))
    worker = another_worker()
    for action in ("NEW", "STOP"):
        assert {*ended(asking.request(action), launched.request(action))} == {"Completed"}
    asked = {"advanced_options": {"ask_within_minutes": LONG}}
    flow_runs = [asking.request("NEW", **asked), launched.request("NEW", **asked)]
    flink.answers_launches.clear()
    flow_runs.append(first.request("NEW"))
    say(flow_runs[1], drop_state=True)
    eventually(lambda: flink.sent("POST", "/run") == 2 + 2)
    eventually(lambda: state_name(flow_runs[0]) == "Paused")
    worker.kill()
    flink.answers_launches.set()
    worker = another_worker()
    assert ended(*flow_runs[1:]) == ["Completed"] * 2
    resume(flow_runs[0], drop_state=True)
    assert ended(*flow_runs) == ["Completed"] * 3
    assert [job.states for job in (asking, launched, first)] == [
        ["FINISHED", "RUNNING"],
        ["FINISHED", "RUNNING"],
        ["RUNNING"],
    ]
    assert flink.sent("POST", "/run") == 2 + 3
    eventually(lambda: "Continuing with the answer" in logged(flow_runs[0]))

    asks = launched.request("STATELESS_UPDATE", **asked)
    eventually(lambda: state_name(asks) == "Paused")
    worker.terminate(within_seconds=DRAIN_SECONDS / 2)
    assert state_name(asks) == "Paused"
    assert "does not notice" not in worker.log.read_text()
    another_worker()
    resume(asks, drop_state=True)
    assert ended(asks) == ["Completed"]
    assert launched.jobs[-1].restored is None


def test_an_answer_outlives_the_process_of_its_flow_run(
    worker: Worker, flink: ServedJobManager, tmp_path: Path, execute: Execute
) -> None:
    """It is one of a process worker, and is killed while it asks."""
    job = DeployedJob(flink_job_action(POOL), flink, tmp_path)
    for action in ("NEW", "STOP"):
        assert ended(job.request(action)) == ["Completed"]
    pause(POOL, is_paused=True)
    try:
        asking = job.request("NEW", advanced_options={"ask_within_minutes": LONG})
        first = execute(asking)
        eventually(lambda: state_name(asking) == "Paused")
        first.kill()
        resume(asking, drop_state=True)
        assert flink.sent("POST", "/run") == 1
        retry(asking)
        execute(asking)
        assert ended(asking) == ["Completed"]
    finally:
        pause(POOL, is_paused=False)
    assert job.states == ["FINISHED", "RUNNING"]
    assert flink.sent("POST", "/run") == 2
    eventually(lambda: "Continuing with the answer" in logged(asking))


@pytest.fixture
def another_worker(prefect_files: list[Path], tmp_path: Path) -> Iterator[Callable[[], Worker]]:
    workers: list[Worker] = []

    def start() -> Worker:
        log = tmp_path / f"worker-{len(workers)}.log"
        drain = {"FLINKGLUE_WORKER_DRAIN_SECONDS": str(DRAIN_SECONDS)}
        workers.append(Worker("answered", log, **drain))
        return workers[-1].ready()

    yield start
    for each in workers:
        each.kill()
