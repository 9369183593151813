"""The library's Glue client against the local AWS, call by call."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from flinkglue.clock import Pace
from flinkglue.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    InDoubt,
    NotFound,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.failures.rule import FailureClass
from flinkglue.glue.models import Group, JobRun, Ranking
from flinkglue.glue.options import RunOptions
from flinkglue.glue.placement.demand import demand_of
from flinkglue.glue.placement.ranking import rank
from flinkglue.glue.placement.strategies import STRATEGIES
from flinkglue.glue.run.job_run import run_job
from flinkglue.glue.run.outcome import recorded_attempts
from flinkglue.glue.run_request import RunRequest
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud, HastyClock
from tests.unit.glue.callbacks import Callbacks, started

LOG = logging.getLogger(__name__)
FAST = Pace(first_seconds=0.05, most_seconds=0.05)
DRIVER = "import socket; print('driver', socket.gethostbyname(socket.gethostname()))"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK))
    yield running
    running.close()


@pytest.fixture
def client(cloud: AwsCloud) -> GlueClient:
    return connected(cloud)


def connected(cloud: AwsCloud, **config: Any) -> GlueClient:
    account = cloud.account
    session = boto3.Session(
        account["access_key_id"], account["secret_access_key"], region_name=account["region"]
    )
    parameters: dict[str, Any] = {"endpoint_url": account["endpoint_url"]}
    if config:
        parameters["config"] = Config(**config)
    return GlueClient.connect(session, parameters)


def request(**more: Any) -> RunRequest:
    values = {"job_name": "job", "flow_run_id": "flow-run-1", "since": datetime.now(UTC)}
    return RunRequest(**{"deadline_seconds": 600.0, **values, **more})


def ranked(client: GlueClient, names: list[str], failed: list[str] | None = None) -> Ranking:
    candidates = client.get_candidates("job", names)
    return rank(
        client.add_subnets(candidates),
        demand_of(candidates.job).addresses,
        STRATEGIES["capacity"],
        seed=0,
        strategy_name="capacity",
        failed=failed or [],
    )


def ran(client: GlueClient, ranking: Ranking | None, **more: Any) -> Attempt:
    return run_job(RunContext(client, LOG, pace=FAST), request(**more), ranking)


def hasty(client: GlueClient, ranking: Ranking, **more: Any) -> Attempt:
    """By a clock that goes on by a minute in a second, so that a start has time on any machine."""
    return run_job(
        RunContext(client, LOG, pace=FAST, clock=HastyClock(1 / 60)), request(**more), ranking
    )


def test_the_driver_runs_in_the_subnet_that_was_ranked_first(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.connection("small", "10.192.20.0/28")
    cloud.connection("large", "10.192.21.0/24", zone="us-east-1b")
    cloud.job(script=DRIVER)
    attempt = ran(client, ranked(client, ["small", "large"]))
    assert attempt.succeeded
    assert attempt.connection_name == "large"
    assert attempt.run is not None
    [line] = client.log_tail(attempt.run, "output", 10).lines
    assert line.startswith("driver 10.192.21.")
    assert attempt.run.capacity_seconds is not None


def test_any_number_of_connections_is_looked_up_with_one_call_for_all_subnets(
    cloud: AwsCloud, client: GlueClient
) -> None:
    names = [f"c{n:02}" for n in range(30)]
    for n, name in enumerate(names):
        cloud.connection(name, f"10.192.{n}.0/24")
    cloud.job()
    cloud.wire.requests.clear()
    connections = client.add_subnets(client.get_candidates("job", names))
    assert [c.name for c in connections] == names
    assert all(c.subnet and c.subnet.free_addresses == 251 for c in connections)
    called = sorted(r.operation for r in cloud.requests())
    assert called == ["DescribeSubnets", *["GetConnection"] * 30, "GetJob"]


def test_connections_that_cannot_be_looked_up_are_explained_and_ranked_last(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.connection("good", "10.192.20.0/24")
    cloud.connection("no-subnet")
    gone = cloud.connection("subnet-gone", "10.192.21.0/24")
    cloud.ec2.delete_subnet(SubnetId=gone)
    cloud.job()
    ranking = ranked(client, ["missing", "no-subnet", "subnet-gone", "good"])
    problems = {r.connection_name: r.problem for r in ranking.connections}
    assert ranking.connections[0].connection_name == "good"
    assert {r.group for r in ranking.connections[1:]} == {Group.UNKNOWN}
    assert "GetConnection failed for connection missing" in str(problems["missing"])
    assert problems["no-subnet"] == "the connection has no subnet"
    assert problems["subnet-gone"] == (f"EC2 knows no subnet {gone} in this account and region")


def test_nothing_is_ranked_when_not_one_connection_can_be_looked_up(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.job()
    with pytest.raises(NotFound, match=r"connection nowhere.*check the name, the region"):
        client.get_candidates("job", ["nowhere"])


def test_a_job_that_does_not_exist_is_named(cloud: AwsCloud, client: GlueClient) -> None:
    cloud.connection("a", "10.192.20.0/24")
    with pytest.raises(NotFound, match=r"GetJob failed for job job.*request id"):
        client.get_candidates("job", ["a"])


def test_the_definition_is_written_only_when_the_order_changes(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.two_connections()
    cloud.connection("jdbc")
    cloud.job(connections=("jdbc",), Timeout=7, JobRunQueuingEnabled=False)
    before = cloud.glue.get_job(JobName="job")["Job"]
    ranking = ranked(client, ["b", "a"])
    assert ran(client, ranking).succeeded
    assert ran(client, ranking, number=2).succeeded
    after = cloud.glue.get_job(JobName="job")["Job"]
    assert after["Connections"] == {"Connections": ["a", "b", "jdbc"]}
    for changing in ("Connections", "LastModifiedOn"):
        before.pop(changing), after.pop(changing)
    assert after == before
    assert len(cloud.requests(operation="UpdateJob")) == 1


def test_the_same_key_never_starts_a_second_run(cloud: AwsCloud, client: GlueClient) -> None:
    cloud.two_connections()
    cloud.job()
    ranking = ranked(client, ["a", "b"])
    first, again = ran(client, ranking), ran(client, ranking)
    assert first.run is not None
    assert again.run is not None
    assert again.run.job_run_id == first.run.job_run_id
    assert again.adopted
    assert len(cloud.requests(operation="StartJobRun")) == 1


def test_a_start_whose_answer_was_lost_is_found_and_not_repeated(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.two_connections()
    cloud.job()
    ranking = ranked(client, ["a", "b"])
    cloud.wire.faults.add("glue:StartJobRun", "drop_after", times=1)
    attempt = ran(client, ranking)
    assert attempt.succeeded
    assert len(cloud.glue.get_job_runs(JobName="job")["JobRuns"]) == 1
    assert len(cloud.requests(operation="StartJobRun")) == 1


def test_a_start_in_doubt_stays_in_doubt_when_it_cannot_be_looked_for(cloud: AwsCloud) -> None:
    """Even an error that others may try again would have the run started again."""
    client = connected(cloud, retries={"total_max_attempts": 1})
    cloud.two_connections()
    cloud.job()
    ranking = ranked(client, ["a", "b"])
    cloud.wire.faults.add("glue:StartJobRun", "error", times=1, status=500)

    def last_thing_before_the_start(_: Mapping[str, str]) -> Mapping[str, str]:
        cloud.wire.faults.add("glue:GetJobRuns", "error", times=None, status=503)
        return {}

    with pytest.raises(InDoubt, match="StartJobRun"):
        started(
            RunContext(client, LOG, clock=HastyClock(), read_secrets=last_thing_before_the_start),
            request(),
            ranking,
        )
    assert len(cloud.requests(operation="StartJobRun")) == 1


def test_a_start_that_broke_and_is_surely_not_there_is_made_again(
    cloud: AwsCloud, client: GlueClient
) -> None:
    """Only after the list of runs was read to the end of the time that one is looked for."""
    cloud.two_connections()
    cloud.job()
    ranking = ranked(client, ["a", "b"])
    cloud.wire.faults.add("glue:StartJobRun", "error", times=1, status=500)
    clock = HastyClock()
    run = started(RunContext(client, LOG, clock=clock), request(), ranking).run
    assert [r["Id"] for r in cloud.glue.get_job_runs(JobName="job")["JobRuns"]] == [run.job_run_id]
    broken, made = (r.at for r in cloud.requests(operation="StartJobRun"))
    looks = [r.at for r in cloud.requests(operation="GetJobRuns")]
    assert len([at for at in looks if broken < at < made]) > 5
    assert clock.skipped > 25


def test_a_start_that_always_breaks_stays_in_doubt(cloud: AwsCloud, client: GlueClient) -> None:
    cloud.two_connections()
    cloud.job()
    ranking = ranked(client, ["a", "b"])
    cloud.wire.faults.add("glue:StartJobRun", "error", times=None, status=500)
    with pytest.raises(InDoubt, match="search for the run before another is started"):
        started(RunContext(client, LOG, clock=HastyClock(0.01)), request(), ranking)
    assert len(cloud.requests(operation="StartJobRun")) < 15


def test_the_deadline_counts_from_when_the_run_was_asked_for(
    cloud: AwsCloud, client: GlueClient
) -> None:
    """However often a process that failed takes the wait up again."""
    cloud.two_connections()
    cloud.job()
    cloud.fault("glue-timing", run_seconds=60)
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    with pytest.raises(DeadlineExceeded, match="within 3000 s"):
        ran(client, ranked(client, ["a", "b"]), deadline_seconds=3000, requested_at=an_hour_ago)


def test_a_run_has_the_options_that_a_person_gave_it(cloud: AwsCloud, client: GlueClient) -> None:
    """And the job keeps its own."""
    cloud.two_connections()
    cloud.job()
    options = RunOptions(
        worker_type="G.2X", number_of_workers=3, timeout_minutes=7, notify_delay_minutes=5
    )
    attempt = ran(client, ranked(client, ["a", "b"]), options=options)
    assert attempt.run is not None
    run = cloud.run(attempt.run.job_run_id)
    assert (run["WorkerType"], run["NumberOfWorkers"], run["Timeout"]) == ("G.2X", 3, 7)
    assert run["NotificationProperty"] == {"NotifyDelayAfter": 5}
    job = cloud.glue.get_job(JobName="job")["Job"]
    assert (job["WorkerType"], job["NumberOfWorkers"]) == ("G.1X", 2)


def test_the_deadline_of_an_adopted_run_counts_from_its_start(
    cloud: AwsCloud, client: GlueClient
) -> None:
    """The process that started it had waited for it, too."""
    cloud.two_connections()
    cloud.job()
    cloud.fault("glue-timing", run_seconds=600)
    with pytest.raises(DeadlineExceeded):
        hasty(client, ranked(client, ["a", "b"]), deadline_seconds=60)
    cloud.wire.requests.clear()
    with pytest.raises(DeadlineExceeded):
        ran(client, None, deadline_seconds=0.6, requested_at=datetime.now(UTC))
    assert len(cloud.requests(operation="GetJobRun")) == 1


def test_a_run_that_glue_repeats_by_itself_is_one_attempt(
    cloud: AwsCloud, client: GlueClient
) -> None:
    """Both runs carry the same key, and a third is never started beside them."""
    cloud.two_connections()
    cloud.job(MaxRetries=1)
    cloud.fault("fail-next-runs", job_name="job", times=1, error_message="Resource unavailable")
    ranking = ranked(client, ["a", "b"])
    attempt = ran(client, ranking)
    assert attempt.succeeded
    assert attempt.run is not None
    assert attempt.run.job_run_id.endswith("_attempt_1")
    [recorded] = recorded_attempts(client, request())
    assert recorded.run is not None
    assert recorded.run.job_run_id == attempt.run.job_run_id
    assert len(cloud.requests(operation="StartJobRun")) == 1


def test_a_streaming_run_that_glue_replaced_is_followed_to_the_end_of_the_next(
    cloud: AwsCloud, client: GlueClient
) -> None:
    """The test puts the replacement in Glue's place, as soon as the first is seen EXPIRED."""
    cloud.two_connections()
    cloud.job()
    cloud.fault(
        "fail-next-runs", job_name="job", times=1, error_message="maintenance", state="EXPIRED"
    )
    replacements: list[str] = []

    def replace_expired(run: JobRun) -> None:
        if run.state == "EXPIRED":
            replacements.append(cloud.start(Arguments=dict(run.arguments)))

    attempt = run_job(
        RunContext(client, LOG, pace=FAST),
        request(),
        ranked(client, ["a", "b"]),
        Callbacks(observed=replace_expired),
    )
    assert attempt.succeeded
    assert attempt.run is not None
    assert [attempt.run.job_run_id] == replacements


def test_a_replaced_streaming_run_whose_follower_is_not_found_is_told(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.two_connections()
    cloud.job()
    cloud.fault(
        "fail-next-runs", job_name="job", times=1, error_message="maintenance", state="EXPIRED"
    )
    ranking = ranked(client, ["a", "b"])
    attempt = run_job(RunContext(client, LOG, clock=HastyClock(), pace=FAST), request(), ranking)
    assert attempt.failure is not None
    assert attempt.failure.failure_class is FailureClass.STOP
    assert "runs on without a flow run" in attempt.describe()


def test_a_connection_that_was_deleted_does_not_keep_the_job_from_the_others(
    cloud: AwsCloud, client: GlueClient
) -> None:
    """UpdateJob refuses a list with a name that does not exist."""
    cloud.two_connections()
    cloud.job(connections=("a", "b"))
    cloud.glue.delete_connection(ConnectionName="a")
    attempt = ran(client, ranked(client, ["a", "b"]))
    assert attempt.succeeded
    assert attempt.connection_name == "b"
    written = cloud.glue.get_job(JobName="job")["Job"]["Connections"]
    assert written == {"Connections": ["b"]}


def test_an_update_that_names_a_deleted_connection_of_others_says_what_to_do(
    cloud: AwsCloud, client: GlueClient
) -> None:
    """The job keeps connections that the flow does not know, and one of them is gone."""
    cloud.two_connections()
    cloud.connection("warehouse")
    cloud.job(connections=("a", "b", "warehouse"))
    cloud.glue.delete_connection(ConnectionName="warehouse")
    update = client.plan_update(client.get_job("job"), ["b", "a"])
    with pytest.raises(
        NotFound, match=r"warehouse not found.*take it off the job's list"
    ) as raised:
        client.update_job("job", update)
    assert "was to be: b, a, warehouse" in str(raised.value)


def test_a_start_that_the_service_broke_on_is_in_doubt_and_sent_once(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.job()
    cloud.wire.faults.add("glue:StartJobRun", "error", times=None, status=500)
    with pytest.raises(InDoubt, match="search for the run before another is started"):
        client.start_job_run("job", {})
    assert len(cloud.requests(operation="StartJobRun")) == 1


def test_a_throttled_start_surely_did_not_happen(cloud: AwsCloud, client: GlueClient) -> None:
    cloud.job()
    cloud.wire.faults.add("glue:StartJobRun", "throttle", times=None)
    with pytest.raises(Throttled):
        client.start_job_run("job", {})
    assert len(cloud.requests(operation="StartJobRun")) == 1


def test_a_lookup_that_fails_never_leads_to_a_start(cloud: AwsCloud) -> None:
    client = connected(cloud, retries={"total_max_attempts": 1})
    cloud.two_connections()
    cloud.job()
    ranking = ranked(client, ["a", "b"])
    cloud.wire.faults.add("glue:GetJobRuns", "error", times=None, status=500)
    with pytest.raises(ServiceUnavailable):
        ran(client, ranking)
    assert not cloud.requests(operation="StartJobRun")


def test_looking_at_a_run_survives_throttling_and_outages(cloud: AwsCloud) -> None:
    client = connected(cloud, retries={"total_max_attempts": 1})
    cloud.two_connections()
    cloud.job()
    ranking = ranked(client, ["a", "b"])
    cloud.wire.faults.add("glue:GetJobRun", "throttle", times=2)
    cloud.wire.faults.add("glue:GetJobRun", "error", times=2, status=503)
    assert ran(client, ranking).succeeded


def test_a_run_that_takes_too_long_is_left_alone_and_named(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.two_connections()
    cloud.job()
    cloud.fault("glue-timing", run_seconds=60)
    with pytest.raises(DeadlineExceeded, match=r"The end of run jr_.* of job job"):
        hasty(client, ranked(client, ["a", "b"]), deadline_seconds=60)
    [run] = cloud.glue.get_job_runs(JobName="job")["JobRuns"]
    assert run["JobRunState"] in ("STARTING", "RUNNING")


def test_a_failed_run_is_a_value_with_its_class_and_the_connection_to_blame(
    cloud: AwsCloud, client: GlueClient
) -> None:
    subnet_a, _ = cloud.two_connections()
    cloud.job()
    ranking = ranked(client, ["a", "b"])
    message = f"Number of IP addresses on subnet is 0: {subnet_a}"
    cloud.fault("fail-next-runs", job_name="job", times=1, error_message=message)
    attempt = ran(client, ranking)
    assert attempt.failure is not None
    assert attempt.failure.failure_class is FailureClass.FAIL_OVER
    assert attempt.failure.evidence == message
    assert attempt.connection_name == "a"


def test_what_earlier_processes_did_is_read_back_in_order(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.two_connections()
    cloud.job()
    cloud.fault("fail-next-runs", job_name="job", times=1, error_message="Resource unavailable")
    ran(client, ranked(client, ["a", "b"]))
    ran(client, ranked(client, ["a", "b"], failed=["a"]), number=2)
    ran(client, ranked(client, ["a", "b"]), flow_run_id="flow-run-10")
    record = recorded_attempts(client, request())
    assert [(a.number, a.connection_name, a.succeeded) for a in record] == [
        (1, "a", False),
        (2, "b", True),
    ]
    assert record[0].failure is not None


def test_looking_for_runs_ends_at_the_flow_runs_start(cloud: AwsCloud, client: GlueClient) -> None:
    cloud.job()
    for _ in range(3):
        cloud.finished(cloud.start())
    cloud.wire.requests.clear()
    later = datetime.now(UTC) + timedelta(hours=1)
    assert client.find_run_by_key("job", "flow-run-1/1", later) is None
    assert len(cloud.requests(operation="GetJobRuns")) == 1


def test_a_continued_run_that_is_not_there_is_not_started(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.job()
    with pytest.raises(NotFound, match="key flow-run-1/1 no longer exists"):
        ran(client, None)
    assert not cloud.requests(operation="StartJobRun")


def test_an_endpoint_that_nobody_serves_is_unavailable_and_a_missing_key_is_told() -> None:
    session = boto3.Session("key", "secret", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=1)
    nobody = GlueClient.connect(session, {"endpoint_url": "http://127.0.0.1:9", "config": config})
    with pytest.raises(ServiceUnavailable, match="StartJobRun failed for job job"):
        nobody.start_job_run("job", {})


def test_credentials_that_are_missing_are_told(
    cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    session = boto3.Session(region_name="us-east-1")
    client = GlueClient.connect(session, {"endpoint_url": cloud.account["endpoint_url"]})
    with pytest.raises(AuthenticationFailed, match="correct the AWS Credentials block"):
        client.get_job("job")
