"""The eleven actions as deployments, on real Flink: killed, cancelled, as commands, on ARM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from azure.storage.blob import ContainerClient

from scripts.demo_checks import client
from tests.scenario.conftest import Platform
from tests.scenario.lifecycle.real_lifecycle import ENTRY_CLASS, JARS, ROOT, Line
from tests.waiting import eventually

ACTION = "flink-job-action/flink-job-action"
REST = "flink-rest-cluster/flink"
ARM = "hdinsight-flink-cluster/hdinsight-flink"


class StatefulJob:
    """The unbounded sample job under a name of its own, acted on through deployments."""

    def __init__(self, platform: Platform, directory: Path) -> None:
        self.platform = platform
        self.name = f"counts-{uuid4().hex[:8]}"
        self.output = directory / "counts.txt"
        self.flink = platform.cloud.flink.connect()

    @property
    def to_run(self) -> dict[str, Any]:
        args = ["--output", str(self.output), "--checkpoint-every-seconds", "1"]
        return {
            "jar": str(JARS / "StatefulCount.jar"),
            "entry_class": ENTRY_CLASS,
            "args": args,
            "parallelism": 2,
        }

    def start(self, action: str, **parameters: Any) -> str:
        given = {"cluster": REST, "stable_seconds": 1, "job_name": self.name, "action": action}
        return self.platform.prefect.run_deployment(ACTION, given | parameters)

    def act(self, action: str, **parameters: Any) -> dict[str, Any]:
        """The flow run, which has completed."""
        return self.completed(self.start(action, **parameters))

    def completed(self, flow_run_id: str) -> dict[str, Any]:
        run = self.platform.prefect.wait_for(flow_run_id)
        assert run["state_type"] == "COMPLETED", "\n".join(self.platform.prefect.logs(flow_run_id))
        return run

    def logged(self, flow_run_id: str, text: str) -> None:
        """Wait until the run has said so."""
        logs: Callable[[], list[str]] = lambda: self.platform.prefect.logs(flow_run_id)  # noqa: E731
        eventually(lambda: any(text in line for line in logs()), within_seconds=180)

    def retry(self, flow_run_id: str) -> dict[str, Any]:
        """What the button of the flow run's page does, once the worker has seen the end.

        A worker that has run the hook of a dead process reports a run that is not final as crashed.
        """
        eventually(lambda: self.platform.prefect.process_has_ended(flow_run_id))
        state = {"type": "SCHEDULED", "name": "AwaitingRetry"}
        self._set_state(flow_run_id, state)
        eventually(lambda: self.platform.prefect.flow_run(flow_run_id)["state_type"] != "SCHEDULED")
        return self.completed(flow_run_id)

    def cancel(self, flow_run_id: str) -> dict[str, Any]:
        self._set_state(flow_run_id, {"type": "CANCELLING", "name": "Cancelling"})
        return self.platform.prefect.wait_for(flow_run_id)

    def _set_state(self, flow_run_id: str, state: dict[str, str]) -> None:
        path, body = f"/flow_runs/{flow_run_id}/set_state", {"state": state, "force": True}
        self.platform.prefect.api.post(path, json=body).raise_for_status()

    def live_job_ids(self) -> list[str]:
        jobs = self.flink.jobs()
        return [job.job_id for job in jobs if job.job_name == self.name and not job.is_terminal]

    def lines(self, event: str) -> list[Line]:
        """What the job has printed about such events, in all its launches."""
        rows = self.output.read_text().splitlines() if self.output.exists() else []
        words = [row.split(" ") for row in rows]
        lines = [Line(word[1], int(word[2]), word[3], word[4]) for word in words]
        return [line for line in lines if line.event.startswith(event)]

    def total_of(self, job_id: str, event: str) -> int:
        """The total that this launch has printed last with this event."""
        found = eventually(lambda: [at for at in self.lines(event) if at.job_id == job_id])
        return found[-1].total


@pytest.fixture
def job(platform: Platform, tmp_path: Path) -> Iterator[StatefulJob]:
    stateful = StatefulJob(platform, tmp_path)
    yield stateful
    for job_id in stateful.live_job_ids():
        stateful.flink.cancel(job_id)
    stateful.flink.close()


def command(platform: Platform, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, on the platform's Prefect server."""
    return subprocess.run(
        [sys.executable, "-m", "infra.flink_action", *arguments],
        cwd=ROOT,
        env=platform.prefect.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def jar_in_s3(platform: Platform) -> str:
    """The sample jar in a bucket of the local cloud."""
    s3 = client(platform.cloud.aws, "s3")
    bucket = f"jars-{uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    s3.upload_file(str(JARS / "StatefulCount.jar"), bucket, "releases/counts-1.jar")
    s3.close()
    return f"s3://{bucket}/releases/counts-1.jar"


def test_a_job_lives_through_deployments_and_commands(job: StatefulJob) -> None:
    """From a jar in S3; updated by a pipeline, stopped by a person: every count is kept."""
    job.act("NEW", **job.to_run | {"jar": jar_in_s3(job.platform)})
    (first,) = job.live_job_ids()

    asked = ["UPDATE", job.name, "--cluster-block", REST, "--parallelism", "1"]
    asked += ["--stable-seconds", "1", "--intent", f"build-{job.name}", "--deployment", "--wait"]
    updated = command(job.platform, *asked)
    assert updated.returncode == 0, updated.stderr
    (second,) = job.live_job_ids()
    assert job.total_of(second, "restored") == job.total_of(first, "closed") > 0

    stopped = command(job.platform, "STOP", job.name, "--cluster-block", REST)
    assert stopped.returncode == 0, stopped.stderr
    assert job.live_job_ids() == []
    path = json.loads(stopped.stdout)["savepoint_path"]
    assert (Path(path.removeprefix("file:")) / "_metadata").is_file()
    assert job.total_of(second, "closed") > job.total_of(second, "restored")


def test_a_killed_update_goes_on_when_it_is_retried(job: StatefulJob) -> None:
    """SIGKILL between stop and launch: told on the page; then one job, and every count is kept."""
    job.act("NEW", **job.to_run)
    (first,) = job.live_job_ids()
    job.platform.cloud.add_fault("flink:RunJar", "delay", times=1, seconds=3)
    flow_run_id = job.start("UPDATE", args=[*job.to_run["args"], "--label", "v2"])
    job.logged(flow_run_id, "has stopped with the savepoint")
    pid = str(job.platform.prefect.flow_run(flow_run_id)["infrastructure_pid"])
    os.kill(int(pid.rpartition(":")[2]), signal.SIGKILL)
    run = job.platform.prefect.wait_for(flow_run_id)
    assert run["state_type"] == "CRASHED"
    job.logged(flow_run_id, "Retry this flow run to resume it")

    job.retry(flow_run_id)

    (second,) = job.live_job_ids()
    assert second != first
    assert job.total_of(second, "restored") == job.total_of(first, "closed")
    assert {line.label for line in job.lines("running") if line.job_id == second} == {"v2"}
    launches = {line.job_id for line in [*job.lines("started"), *job.lines("restored")]}
    assert launches == {first, second}


def test_a_cancelled_run_stops_its_job_with_a_savepoint(job: StatefulJob) -> None:
    """The worker does the cancelling; the job can be started from that savepoint."""
    flow_run_id = job.start(
        "NEW", **job.to_run | {"stable_seconds": 100, "on_cancel": "stop_with_savepoint"}
    )
    job.logged(flow_run_id, "launch ")
    first = eventually(job.live_job_ids)[0]
    assert job.cancel(flow_run_id)["state_type"] == "CANCELLED"
    eventually(lambda: not job.live_job_ids())
    closed = job.total_of(first, "closed")

    job.act("START")

    (second,) = job.live_job_ids()
    assert job.total_of(second, "restored") == closed


def test_another_block_means_another_backend(job: StatefulJob) -> None:
    """The same form on HDInsight on AKS: ARM's own actions are recorded."""
    azure = job.platform.cloud.azure
    with ContainerClient.from_connection_string(
        azure["storage_connection_string"], azure["container"]
    ) as container:
        container.upload_blob(f"{job.name}.jar", (JARS / "StatefulCount.jar").read_bytes())
    jar = f"{azure['jar_directory'].rstrip('/')}/{job.name}.jar"

    job.act("NEW", **job.to_run | {"cluster": ARM, "jar": jar})
    run = job.act("STOP", cluster=ARM)

    requests = job.platform.cloud.requests("arm", "*RunJob")
    assert len(requests) == 2
    assert job.live_job_ids() == []
    assert "savepoint" in job.platform.prefect.artifact(run["id"], "flink-action")


def test_a_watch_brings_back_a_job_in_a_crash_loop(job: StatefulJob) -> None:
    """It says RUNNING most of the time; its restarts tell, and it is launched with its counts."""
    args = [*job.to_run["args"], "--crash-after-events", "800"]  # of each task: every 16 seconds
    job.act("NEW", **job.to_run | {"jar": str(JARS / "bad" / "CrashLoop.jar"), "args": args})
    (first,) = job.live_job_ids()

    run = job.completed(
        job.platform.prefect.run_deployment(
            "flink-watch/flink-watch",
            {
                "job_names": [job.name],
                "cluster": REST,
                "watch_seconds": 30,
                "every_seconds": 1,
                "most_restarts": 0,
                "relaunch": "when_unhealthy",
                "stable_seconds": 1,
            },
        )
    )

    logs = "\n".join(job.platform.prefect.logs(run["id"]))
    assert "crash loop: " in logs
    assert "this release fails after 800 events" in logs
    assert "re-launched" in str(job.platform.prefect.artifacts(run["id"])["flink-health"])
    (second,) = job.live_job_ids()
    assert second != first
    restored = [line.total for line in job.lines("restored") if line.job_id == second]
    snapshots = {line.total for line in job.lines("snapshot-") if line.job_id == first}
    assert restored[0] in snapshots
