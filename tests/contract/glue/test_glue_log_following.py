"""What a script writes is shown while it runs."""

from __future__ import annotations

import logging

import pytest

from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import JobRun
from flinkglue.glue.run.job_run import run_job
from flinkglue.glue.run.logs import LogFollower
from tests.contract.aws.aws_cloud import AwsCloud
from tests.contract.glue.test_glue_library import FAST, LOG, client, cloud, ranked, request
from tests.unit.glue.callbacks import Callbacks

__all__ = ["client", "cloud"]

# It goes on only when its first line has been seen, so that no clock decides what is tested.
SLOW_SCRIPT = """
import pathlib, sys, time
print("first", flush=True)
print("a warning of the driver", file=sys.stderr, flush=True)
while not pathlib.Path({go_on!r}).exists():
    time.sleep(0.05)
print("second")
"""


def followed(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.getMessage().startswith(("out", "err"))]


def test_lines_are_shown_while_the_script_runs_and_once(
    cloud: AwsCloud,
    client: GlueClient,
    caplog: pytest.LogCaptureFixture,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    go_on = tmp_path_factory.mktemp("script") / "go-on"
    cloud.two_connections()
    cloud.job(script=SLOW_SCRIPT.format(go_on=str(go_on)))
    follower = LogFollower(RunContext(client, LOG), every_seconds=0)
    seen_while: list[str] = []

    def look(run: JobRun) -> None:
        follower.on_observed(run)
        if "output: first" in followed(caplog) and not go_on.exists():
            seen_while.append(run.state)
            go_on.touch()

    caplog.set_level(logging.INFO)
    ranking = ranked(client, ["a", "b"])
    attempt = run_job(
        RunContext(client, LOG, pace=FAST), request(), ranking, Callbacks(observed=look)
    )
    assert attempt.succeeded
    assert seen_while == ["RUNNING"]
    lines = followed(caplog)
    assert [line for line in lines if line.startswith("output")] == [
        "output: first", "output: second"
    ]  # fmt: skip
    assert lines.count("error: a warning of the driver") == 1


def test_logs_that_cannot_be_read_are_told_once_and_fail_nothing(
    cloud: AwsCloud, client: GlueClient, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.two_connections()
    cloud.job(script="print(1)")
    cloud.wire.faults.add("logs:GetLogEvents", "error", times=None, status=400)
    follower = LogFollower(RunContext(client, LOG), every_seconds=0)
    ranking = ranked(client, ["a", "b"])
    attempt = run_job(RunContext(client, LOG, pace=FAST), request(), ranking, follower)
    assert attempt.succeeded
    told = [r for r in caplog.records if "cannot be followed" in r.getMessage()]
    assert len(told) == 1
    assert len(cloud.requests("logs", "GetLogEvents")) > 2


def test_a_log_service_that_fails_is_not_asked_again_within_one_look(
    cloud: AwsCloud, client: GlueClient
) -> None:
    """The end of a run, and with it the next attempt, must not wait for logs."""
    cloud.two_connections()
    cloud.job(script="print(1)")
    attempt = run_job(RunContext(client, LOG, pace=FAST), request(), ranked(client, ["a", "b"]))
    assert attempt.run is not None
    cloud.wire.faults.add("logs:GetLogEvents", "error", times=None, status=503)
    LogFollower(RunContext(client, LOG)).on_observed(attempt.run)
    assert len(cloud.requests("logs", "GetLogEvents")) == 2  # one for each stream


def test_a_run_that_is_adopted_after_its_end_shows_what_it_wrote(
    cloud: AwsCloud, client: GlueClient, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.two_connections()
    cloud.job(script="print('done')")
    run_job(RunContext(client, LOG, pace=FAST), request(), ranked(client, ["a", "b"]))
    caplog.set_level(logging.INFO)
    follower = LogFollower(RunContext(client, LOG))
    assert run_job(RunContext(client, LOG), request(), None, follower).succeeded
    assert followed(caplog) == ["output: done"]


def test_of_a_flood_the_last_lines_are_shown(
    cloud: AwsCloud, client: GlueClient, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.two_connections()
    cloud.job(script="for n in range(50): print('line', n)")
    attempt = run_job(RunContext(client, LOG, pace=FAST), request(), ranked(client, ["a", "b"]))
    assert attempt.run is not None
    caplog.set_level(logging.INFO)
    follower = LogFollower(RunContext(client, LOG), most_lines=2)
    follower.on_observed(attempt.run)
    follower.on_observed(attempt.run)
    assert followed(caplog) == [
        "output: 48 lines omitted", "output: line 48", "output: line 49"
    ]  # fmt: skip


def test_logs_of_a_job_with_names_of_its_own_are_followed_and_shown(
    cloud: AwsCloud, client: GlueClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Behind empty pages, as CloudWatch gives them; the policy printed for the group allows it."""
    cloud.two_connections()
    names = {"--custom-logGroup-prefix": "/team/etl", "--custom-logStream-prefix": "nightly"}
    cloud.job(script="print('done')", DefaultArguments=names, GlueVersion="5.0")
    cloud.fault("empty-log-pages", pages=3)
    caplog.set_level(logging.INFO)
    follower = LogFollower(RunContext(client, LOG))
    attempt = run_job(
        RunContext(client, LOG, pace=FAST), request(), ranked(client, ["a", "b"]), follower
    )
    assert attempt.run is not None
    assert followed(caplog) == ["output: done"]
    tail = client.log_tail(client.locate_logs(attempt.run), "output", 50)
    assert (tail.lines, str(tail.place)) == (["done"], "/team/etl/output nightly-driver")


def test_logs_under_a_security_configuration_are_found_by_the_group_that_the_run_names(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.two_connections()
    cloud.job(script="print('done')", SecurityConfiguration="conf")
    attempt = run_job(RunContext(client, LOG, pace=FAST), request(), ranked(client, ["a", "b"]))
    assert attempt.run is not None
    assert attempt.run.log_group_name == "/aws-glue/jobs-GlueJobRole-conf"
    assert client.log_tail(attempt.run, "output", 50).lines == ["done"]
