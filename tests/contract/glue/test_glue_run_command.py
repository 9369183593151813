"""python -m infra.glue_run against the local AWS: ranking as a dry run, stopping, health."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.glue_run import main
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**{**QUICK, "run_seconds": 60}))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", running.account["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", running.account["secret_access_key"])
    running.two_connections()
    running.job()
    yield running
    running.close()


@pytest.fixture
def run(cloud: AwsCloud, capsys: pytest.CaptureFixture[str]) -> Run:
    account = cloud.account
    where = ["--region", account["region"], "--endpoint-url", account["endpoint_url"]]

    def command(name: str, *words: str) -> tuple[int, dict[str, Any]]:
        code = main([name, *words, *where])
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return code, json.loads(told.out or "{}")

    return command


def test_the_ranking_is_shown_and_nothing_is_written(cloud: AwsCloud, run: Run) -> None:
    before = cloud.glue.get_job(JobName="job")["Job"]
    chosen = ["--connection", "a", "--connection", "b", "--strategy", "capacity"]
    code, ranking = run("rank", "job", *chosen, "--without-prefect")
    assert code == 0
    assert [row["Place"] for row in ranking["connections"]] == [1, 2]
    assert {row["Connection"] for row in ranking["connections"]} == {"a", "b"}
    assert ranking["has_room"]
    assert cloud.glue.get_job(JobName="job")["Job"] == before
    assert cloud.glue.get_job_runs(JobName="job")["JobRuns"] == []


def test_a_run_for_which_no_connection_has_room_is_said_by_the_exit_code(run: Run) -> None:
    chosen = ["--connection", "a", "--needed-addresses", "100000", "--strategy", "best_fit"]
    code, ranking = run("rank", "job", *chosen, "--without-prefect")
    assert (code, ranking["has_room"]) == (1, False)


def test_runs_are_stopped_and_their_ends_are_waited_for(cloud: AwsCloud, run: Run) -> None:
    run_id = cloud.glue.start_job_run(JobName="job")["JobRunId"]
    code, stopped = run("stop", "job", run_id)
    assert (code, stopped) == (0, {"runs": [{"job_run_id": run_id, "state": "STOPPED"}]})
    assert run("stop", "job", run_id) == (code, stopped)


def test_each_step_is_a_line_on_standard_error(
    cloud: AwsCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the level and the local time of Prefect's log."""
    run_id = cloud.glue.start_job_run(JobName="job")["JobRunId"]
    where = ["--region", cloud.account["region"], "--endpoint-url", cloud.account["endpoint_url"]]
    assert main(["stop", "job", run_id, *where]) == 0
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.startswith(f"Stopping run {run_id} of job job (")
    assert last == f"Run {run_id} of job job is STOPPED"


def test_a_run_that_is_not_there_stops_nothing(cloud: AwsCloud, run: Run) -> None:
    run_id = cloud.glue.start_job_run(JobName="job")["JobRunId"]
    code, _ = run("stop", "job", run_id, "jr_none")
    assert code == 6
    assert cloud.glue.get_job_run(JobName="job", RunId=run_id)["JobRun"]["JobRunState"] in {
        "STARTING",
        "RUNNING",
    }


def test_the_health_of_connections_is_an_exit_code(run: Run) -> None:
    asked = ["--connection", "a", "--connection", "b", "--without-prefect"]
    code, health = run("health", *asked, "--minimum-free-addresses", "1")
    assert code == 0
    assert {each["condition"] for each in health["connections"]} == {"healthy"}
    code, health = run("health", *asked, "--minimum-free-addresses", "100000")
    assert code == 1
    assert {each["condition"] for each in health["connections"]} == {"short of addresses"}
