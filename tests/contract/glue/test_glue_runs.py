"""Glue job runs through boto3: connections in list order, addresses, failures, stops, queues."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.aws.aws_cloud import AwsCloud
from tests.waiting import eventually

pytestmark = pytest.mark.contract


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    cloud = AwsCloud(tmp_path)
    yield cloud
    cloud.close()


def test_the_order_of_the_list_decides_the_subnet(cloud: AwsCloud) -> None:
    """Glue takes the first connection that fits, not the better one."""
    cloud.connection("small", "10.192.20.0/28")
    cloud.connection("large", "10.192.21.0/24")
    cloud.job("first-small", ("small", "large"))
    cloud.job("first-large", ("large", "small"))

    to_small = cloud.start("first-small")
    to_large = cloud.start("first-large")

    assert cloud.placement(to_small)["connection_name"] == "small"
    assert cloud.placement(to_large)["connection_name"] == "large"


def test_connections_without_a_subnet_are_passed_over(cloud: AwsCloud) -> None:
    """A connection of another type does not count, unless it leads to a subnet itself."""
    cloud.connection("queue", ConnectionType="KAFKA")
    subnet_id = cloud.connection("database", "10.192.20.0/24", ConnectionType="JDBC")
    cloud.job("mixed", ("queue", "database"))
    cloud.job("outside", ("queue",))
    assert cloud.placement(cloud.start("mixed"))["subnet_id"] == subnet_id
    run = cloud.finished(cloud.start("outside"), job_name="outside")
    assert run["JobRunState"] == "SUCCEEDED"


def test_addresses_fall_while_a_run_is_live_and_return_after_the_lag(cloud: AwsCloud) -> None:
    """One address per worker and one for the driver; held over the end by the release lag."""
    cloud.fault("glue-timing", run_seconds=1, release_lag_seconds=1)
    subnet_id, _ = cloud.two_connections()
    cloud.job("job", ("a", "b"), NumberOfWorkers=4)
    assert cloud.free(subnet_id) == 251

    job_run_id = cloud.start()

    cloud.wait_for(job_run_id, "RUNNING")
    assert cloud.free(subnet_id) == 246
    interfaces = cloud.ec2.describe_network_interfaces(
        Filters=[{"Name": "subnet-id", "Values": [subnet_id]}]
    )["NetworkInterfaces"]
    assert len({each["PrivateIpAddress"] for each in interfaces}) == 5
    assert {each["Status"] for each in interfaces} == {"in-use"}
    assert all(each["Description"].startswith("Attached to Glue") for each in interfaces)
    run = cloud.finished(job_run_id)
    assert cloud.free(subnet_id) == 246
    assert (run["CompletedOn"] - run["StartedOn"]).total_seconds() >= 1
    eventually(lambda: cloud.free(subnet_id) == 251)


def test_addresses_are_not_taken_before_the_start_delay_is_over(cloud: AwsCloud) -> None:
    """The counts are racy: a second run started meanwhile sees the same free addresses."""
    cloud.fault("glue-timing", start_delay_seconds=1.5, run_seconds=30)
    subnet_id = cloud.connection("tiny", "10.192.20.0/28")
    cloud.connection("roomy", "10.192.21.0/24")
    cloud.fault("fill-subnet", subnet_id=subnet_id, leave=3)
    cloud.job("job", ("tiny", "roomy"))

    first, second = cloud.start(), cloud.start()

    assert cloud.free(subnet_id) == 3
    assert cloud.run(first)["JobRunState"] == "STARTING"
    cloud.wait_for(first, "RUNNING")
    lost = cloud.finished(second)
    assert cloud.placement(second)["connection_name"] == "tiny"
    assert lost["JobRunState"] == "FAILED"
    assert "does not have enough free addresses to satisfy the request" in lost["ErrorMessage"]
    assert "InsufficientFreeAddressesInSubnet" in lost["ErrorMessage"]


def test_the_nodes_beside_the_workers_can_be_set(cloud: AwsCloud) -> None:
    """The real service takes one or two."""
    cloud.connection("a", "10.192.20.0/24")
    cloud.job("job", ("a",), NumberOfWorkers=3)
    assert cloud.placement(cloud.start())["nodes_wanted"] == 4
    cloud.fault("glue-nodes", nodes_beside_workers=2)
    assert cloud.placement(cloud.start())["nodes_wanted"] == 5


def test_a_full_subnet_is_passed_over(cloud: AwsCloud) -> None:
    """Glue itself moves on at submission when the count is 0."""
    subnet_id, _ = cloud.two_connections()
    assert cloud.fault("fill-subnet", subnet_id=subnet_id) == {"available_ip_address_count": 0}
    cloud.job("job", ("a", "b"))
    assert cloud.placement(cloud.start())["connection_name"] == "b"


def test_a_run_is_short_of_nodes_when_the_subnet_is_short_of_addresses(cloud: AwsCloud) -> None:
    """With two addresses or more it starts, has fewer nodes, and takes longer."""
    cloud.fault("glue-timing", run_seconds=0.3)
    subnet_id, _ = cloud.two_connections()
    cloud.fault("fill-subnet", subnet_id=subnet_id, leave=2)
    cloud.job("job", ("a", "b"), NumberOfWorkers=3)

    short = cloud.finished(cloud.start())
    cloud.fault("drain-subnet", subnet_id=subnet_id)
    whole = cloud.finished(cloud.start())

    assert short["JobRunState"] == whole["JobRunState"] == "SUCCEEDED"
    placement = cloud.placement(short["Id"])
    assert (placement["nodes_had"], placement["nodes_wanted"]) == (2, 4)
    assert cloud.placement(whole["Id"])["nodes_had"] == 4

    def seconds(job_run_id: str) -> float:
        found = cloud.placement(job_run_id)
        return float(found["completed_on"] - found["running_since"])

    assert seconds(short["Id"]) >= 0.6
    assert seconds(whole["Id"]) >= 0.3


def test_one_free_address_passes_the_check_and_then_starves(cloud: AwsCloud) -> None:
    """Glue looks for more than 0 addresses, a run needs two."""
    subnet_id, _ = cloud.two_connections()
    cloud.fault("fill-subnet", subnet_id=subnet_id, leave=1)
    cloud.job("job", ("a", "b"))
    run = cloud.finished(cloud.start())
    assert cloud.placement(run["Id"])["connection_name"] == "a"
    assert run["JobRunState"] == "FAILED"
    assert "does not have enough free addresses" in run["ErrorMessage"]
    eventually(lambda: cloud.free(subnet_id) == 1)


def test_nothing_fits(cloud: AwsCloud) -> None:
    """The run is accepted, and fails with the text of the real service."""
    subnet_ids = cloud.two_connections()
    for subnet_id in subnet_ids:
        cloud.fault("fill-subnet", subnet_id=subnet_id)
    cloud.job("job", ("a", "b"))
    job_run_id = cloud.start()
    assert cloud.run(job_run_id)["JobRunState"] == "STARTING"
    run = cloud.finished(job_run_id)
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"].startswith(
        f"JobName:job and JobRunId:{job_run_id} failed to execute with exception "
        f"Number of IP addresses on subnet is 0: {subnet_ids[0]} "
        "(Service: AWSGlueJobExecutor; Status Code: 400; Error Code: InvalidInputException; "
        "Request ID: "
    )
    assert run["ErrorMessage"].endswith("; Proxy: null)")
    assert run["ExecutionTime"] == 0


def test_deleted_connections_and_subnets_cannot_be_resolved(cloud: AwsCloud) -> None:
    """A list of which nothing is left fails; one that still has a usable member does not."""
    subnet_id, _ = cloud.two_connections()
    cloud.job("job", ("a", "b"))
    cloud.ec2.delete_subnet(SubnetId=subnet_id)
    assert cloud.placement(cloud.start())["connection_name"] == "b"
    for name in ("a", "b"):
        cloud.glue.delete_connection(ConnectionName=name)
    run = cloud.finished(cloud.start())
    assert run["JobRunState"] == "FAILED"
    assert "Unable to resolve any valid connection" in run["ErrorMessage"]


def test_a_zone_that_is_down_is_passed_over_and_its_live_runs_fail(cloud: AwsCloud) -> None:
    """The zone's state shows in DescribeAvailabilityZones; runs in other zones go on."""
    cloud.fault("glue-timing", run_seconds=20)
    cloud.two_connections()
    cloud.job("job", ("a", "b"))
    cloud.job("elsewhere", ("b", "a"))
    lost, kept = cloud.start(), cloud.start("elsewhere")
    cloud.wait_for(lost, "RUNNING")
    cloud.wait_for(kept, "RUNNING", job_name="elsewhere")

    cloud.fault("zone-down", availability_zone="us-east-1a")

    zones = cloud.ec2.describe_availability_zones()["AvailabilityZones"]
    states = {zone["ZoneName"]: zone["State"] for zone in zones}
    assert states["us-east-1a"] == "unavailable"
    assert states["us-east-1b"] == "available"
    run = cloud.run(lost)
    assert (run["JobRunState"], run["ErrorMessage"]) == ("FAILED", "Resource unavailable")
    assert cloud.run(kept, "elsewhere")["JobRunState"] == "RUNNING"
    assert cloud.placement(cloud.start())["connection_name"] == "b"

    cloud.fault("zone-down", availability_zone="us-east-1b")
    run = cloud.finished(cloud.start())
    assert "Could not find subnet for AZ us-east-1a" in run["ErrorMessage"]

    cloud.fault("zone-up", availability_zone="us-east-1a")
    assert cloud.placement(cloud.start())["connection_name"] == "a"


def test_a_run_is_stopped_asynchronously(cloud: AwsCloud) -> None:
    """STOPPING first, STOPPED later; what cannot be stopped is named with a reason."""
    cloud.fault("glue-timing", run_seconds=60, stop_seconds=1.5)
    cloud.two_connections()
    cloud.job("job", ("a",))
    running = cloud.start()
    cloud.wait_for(running, "RUNNING")
    cloud.fault("glue-timing", start_delay_seconds=5)
    starting = cloud.start()

    answer = cloud.glue.batch_stop_job_run(
        JobName="job", JobRunIds=[running, starting, "jr_unknown"]
    )

    submitted = [each["JobRunId"] for each in answer["SuccessfulSubmissions"]]
    assert submitted == [running, starting]
    (error,) = answer["Errors"]
    assert error["JobRunId"] == "jr_unknown"
    assert error["ErrorDetail"]["ErrorCode"] == "EntityNotFoundException"
    assert cloud.run(running)["JobRunState"] == "STOPPING"
    run = cloud.finished(running)
    assert run["JobRunState"] == "STOPPED"
    assert "ErrorMessage" not in run
    assert cloud.finished(starting)["JobRunState"] == "STOPPED"
    (error,) = cloud.glue.batch_stop_job_run(JobName="job", JobRunIds=[running])["Errors"]
    assert error["ErrorDetail"]["ErrorCode"] == "JobRunInTerminalStateException"


def test_at_most_25_runs_are_stopped_at_once(cloud: AwsCloud) -> None:
    """The model's limit is kept by the service, not only by the client."""
    cloud.job()
    with pytest.raises(cloud.glue.exceptions.ClientError, match="less than or equal to 25"):
        cloud.glue.batch_stop_job_run(JobName="job", JobRunIds=[f"jr_{n}" for n in range(26)])


def test_more_runs_than_allowed_are_refused(cloud: AwsCloud) -> None:
    """MaxConcurrentRuns holds until some time after a run has ended."""
    cloud.fault("glue-timing", run_seconds=0.5, slot_lag_seconds=1.5)
    cloud.job("job", ExecutionProperty={"MaxConcurrentRuns": 1})
    job_run_id = cloud.start()
    exceeded = cloud.glue.exceptions.ConcurrentRunsExceededException
    with pytest.raises(exceeded, match="Concurrent runs exceeded for job"):
        cloud.start()
    cloud.finished(job_run_id)
    with pytest.raises(exceeded):
        cloud.start()

    def accepted() -> bool:
        try:
            return bool(cloud.start())
        except exceeded:
            return False

    eventually(accepted)


def test_with_queuing_a_run_waits_for_a_slot_or_for_addresses(cloud: AwsCloud) -> None:
    """WAITING with a reason in StateDetail, instead of an error or a failure."""
    cloud.fault("glue-timing", run_seconds=1)
    subnet_id = cloud.connection("a", "10.192.20.0/24")
    free = cloud.free(subnet_id)
    cloud.job("job", ("a",), ExecutionProperty={"MaxConcurrentRuns": 1})
    first = cloud.start(JobRunQueuingEnabled=True)
    second = cloud.start(JobRunQueuingEnabled=True)
    waiting = cloud.run(second)
    assert waiting["JobRunState"] == "WAITING"
    assert "Maximum concurrent runs" in waiting["StateDetail"]
    assert cloud.finished(first)["JobRunState"] == "SUCCEEDED"
    assert "StateDetail" not in cloud.finished(second)

    eventually(lambda: cloud.free(subnet_id) == free)  # given back after the end
    cloud.fault("fill-subnet", subnet_id=subnet_id)
    third = cloud.start(JobRunQueuingEnabled=True)
    assert "IP addresses on subnet is 0" in cloud.run(third)["StateDetail"]
    cloud.fault("drain-subnet", subnet_id=subnet_id)
    assert cloud.finished(third)["JobRunState"] == "SUCCEEDED"


def test_runs_are_listed_newest_first_and_pages_stay_right(cloud: AwsCloud) -> None:
    """A run that is started between two pages neither shifts nor repeats the next page."""
    cloud.job()
    started = [cloud.start() for _ in range(7)]
    first = cloud.glue.get_job_runs(JobName="job", MaxResults=3)
    assert [run["Id"] for run in first["JobRuns"]] == started[:3:-1]
    cloud.start()
    second = cloud.glue.get_job_runs(JobName="job", MaxResults=3, NextToken=first["NextToken"])
    assert [run["Id"] for run in second["JobRuns"]] == started[3:0:-1]
    third = cloud.glue.get_job_runs(JobName="job", MaxResults=3, NextToken=second["NextToken"])
    assert [run["Id"] for run in third["JobRuns"]] == started[:1]
    assert "NextToken" not in third
    client_error = cloud.glue.exceptions.ClientError
    with pytest.raises(client_error, match="less than or equal to 200"):
        cloud.glue.get_job_runs(JobName="job", MaxResults=201)
    with pytest.raises(cloud.glue.exceptions.InvalidInputException):
        cloud.glue.get_job_runs(JobName="job", NextToken="nonsense")


def test_the_list_can_be_late_to_show_a_run(cloud: AwsCloud) -> None:
    """GetJobRun knows the id that StartJobRun has returned before GetJobRuns lists it."""
    cloud.job()
    cloud.fault("glue-timing", list_lag_seconds=3600)
    job_run_id = cloud.start()
    assert cloud.glue.get_job_runs(JobName="job")["JobRuns"] == []
    assert cloud.run(job_run_id)["Id"] == job_run_id
    cloud.fault("glue-timing", list_lag_seconds=0)
    assert [run["Id"] for run in cloud.glue.get_job_runs(JobName="job")["JobRuns"]] == [job_run_id]


def test_a_run_overrides_the_job(cloud: AwsCloud) -> None:
    """Worker type and count, time-out, arguments and more, for this run alone."""
    subnet_id = cloud.connection("a", "10.192.20.0/24")
    cloud.fault("glue-timing", run_seconds=5)
    cloud.job("job", ("a",), Timeout=10, DefaultArguments={"--a": "1"})
    job_run_id = cloud.start(
        WorkerType="G.2X",
        NumberOfWorkers=5,
        Timeout=7,
        Arguments={"--b": "2"},
        SecurityConfiguration="sealed",
        ExecutionClass="FLEX",
        NotificationProperty={"NotifyDelayAfter": 3},
    )
    run = cloud.wait_for(job_run_id, "RUNNING")
    assert (run["WorkerType"], run["NumberOfWorkers"], run["MaxCapacity"]) == ("G.2X", 5, 10.0)
    assert (run["Timeout"], run["SecurityConfiguration"]) == (7, "sealed")
    assert run["ExecutionClass"] == "FLEX"
    assert run["NotificationProperty"] == {"NotifyDelayAfter": 3}
    assert run["Arguments"] == {"--b": "2"}
    assert cloud.free(subnet_id) == 251 - 6
    job = cloud.glue.get_job(JobName="job")["Job"]
    assert (job["WorkerType"], job["NumberOfWorkers"]) == ("G.1X", 2)
    with pytest.raises(cloud.glue.exceptions.InvalidInputException, match="Max Capacity"):
        cloud.start(MaxCapacity=2.0, WorkerType="G.1X", NumberOfWorkers=2)


def test_a_change_of_the_job_does_not_touch_its_live_runs(cloud: AwsCloud) -> None:
    """The connection order counts at submission: what is written later is for later runs."""
    cloud.fault("glue-timing", start_delay_seconds=0.3)
    cloud.two_connections()
    cloud.job("job", ("a", "b"))
    job_run_id = cloud.start()
    cloud.glue.update_job(
        JobName="job",
        JobUpdate={
            "Role": "r",
            "Command": {"Name": "pythonshell"},
            "Connections": {"Connections": ["b", "a"]},
        },
    )
    cloud.finished(job_run_id)
    assert cloud.placement(job_run_id)["connection_name"] == "a"
    assert cloud.placement(job_run_id)["connection_names"] == ["a", "b"]


def test_glues_own_retry_uses_the_same_connection(cloud: AwsCloud) -> None:
    """MaxRetries starts another attempt that does not look at the other connections."""
    subnet_id, _ = cloud.two_connections()
    cloud.fault("fill-subnet", subnet_id=subnet_id, leave=1)
    cloud.job("job", ("a", "b"), MaxRetries=1)
    first = cloud.start()
    cloud.finished(first)
    retried = cloud.finished(f"{first}_attempt_1")
    assert (retried["Attempt"], retried["PreviousRunId"]) == (1, first)
    assert retried["JobRunState"] == "FAILED"
    assert cloud.placement(retried["Id"])["connection_name"] == "a"
    runs = cloud.glue.get_job_runs(JobName="job")["JobRuns"]
    assert [run["Id"] for run in runs] == [retried["Id"], first]


def test_a_previous_run_can_be_retried_by_its_id(cloud: AwsCloud) -> None:
    """StartJobRun with JobRunId makes a further attempt of an ended run."""
    cloud.job()
    first = cloud.start()
    cloud.finished(first)
    again = cloud.start(JobRunId=first)
    once_more = cloud.start(JobRunId=first)
    assert again == f"{first}_attempt_1"
    assert once_more == f"{first}_attempt_2"
    assert cloud.run(again)["PreviousRunId"] == first
    with pytest.raises(cloud.glue.exceptions.EntityNotFoundException):
        cloud.start(JobRunId="jr_unknown")


def test_a_run_that_takes_too_long_times_out(cloud: AwsCloud) -> None:
    """The Timeout of the run, in minutes that are short here."""
    cloud.fault("glue-timing", run_seconds=30, timeout_minute_seconds=0.2)
    cloud.job("job", Timeout=2)
    run = cloud.finished(cloud.start())
    assert run["JobRunState"] == "TIMEOUT"


def test_planned_failures_hit_the_next_runs_of_a_job(cloud: AwsCloud) -> None:
    """As often as asked for, with the text and state given, at the start or later."""
    cloud.job("job")
    cloud.job("other")
    cloud.fault("fail-next-runs", job_name="job", times=2, error_message="Resource unavailable")
    runs = [cloud.finished(cloud.start()) for _ in range(3)]
    assert [run["JobRunState"] for run in runs] == ["FAILED", "FAILED", "SUCCEEDED"]
    assert runs[0]["ErrorMessage"] == "Resource unavailable"

    cloud.fault("glue-timing", run_seconds=20)
    cloud.fault(
        "fail-next-runs", job_name="oth*", error_message="gone", state="ERROR", after_seconds=0.2
    )
    job_run_id = cloud.start("other")
    cloud.wait_for(job_run_id, "RUNNING", job_name="other")
    run = cloud.finished(job_run_id, job_name="other")
    assert (run["JobRunState"], run["ErrorMessage"]) == ("ERROR", "gone")
    with pytest.raises(ValueError, match="Allowed: FAILED"):
        cloud.fault("fail-next-runs", job_name="job", error_message="x", state="SUCCEEDED")


def test_a_reset_heals_everything_and_keeps_the_jobs(cloud: AwsCloud) -> None:
    """Zones up, subnets drained, runs stopped with their addresses back, timings as at first."""
    cloud.fault("glue-timing", release_lag_seconds=60, slot_lag_seconds=60)
    cloud.fault("glue-scripts", run=False)
    subnet_id, _ = cloud.two_connections()
    cloud.job("job", ("a", "b"), ExecutionProperty={"MaxConcurrentRuns": 2})
    cloud.finished(cloud.start())
    cloud.fault("glue-timing", run_seconds=60)
    job_run_id = cloud.start()
    cloud.wait_for(job_run_id, "RUNNING")
    cloud.fault("fill-subnet", subnet_id=subnet_id)
    cloud.fault("zone-down", availability_zone="us-east-1b")
    cloud.fault("fail-next-runs", job_name="*", error_message="x")

    cloud.part.reset()

    assert cloud.run(job_run_id)["JobRunState"] == "STOPPED"
    assert cloud.free(subnet_id) == 251
    zones = cloud.ec2.describe_availability_zones()["AvailabilityZones"]
    assert {zone["State"] for zone in zones} == {"available"}
    assert cloud.settings.run_scripts
    assert cloud.finished(cloud.start())["JobRunState"] == "SUCCEEDED"


def test_two_hundred_runs_at_once(cloud: AwsCloud) -> None:
    """Every run has all its nodes, no address is given twice, and every address comes back."""
    cloud.fault("glue-timing", run_seconds=1.5, start_delay_seconds=0.5)
    cloud.fault("glue-scripts", run=False)
    first = cloud.connection("a", "10.192.0.0/22")
    cloud.job("job", ("a",), ExecutionProperty={"MaxConcurrentRuns": 200})
    before = cloud.free(first)
    started: list[str] = []

    def start_many() -> None:
        client = cloud.client("glue")
        started.extend(client.start_job_run(JobName="job")["JobRunId"] for _ in range(20))

    threads = [threading.Thread(target=start_many) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(started)) == 200
    listed = cloud.glue.get_job_runs(JobName="job", MaxResults=200)["JobRuns"]
    assert {run["Id"] for run in listed} == set(started)

    def ended() -> bool:
        runs = cloud.glue.get_job_runs(JobName="job", MaxResults=200)["JobRuns"]
        return {run["JobRunState"] for run in runs} == {"SUCCEEDED"}

    eventually(ended, within_seconds=30)
    assert {run["nodes_had"] for run in cloud.fault("glue-runs")} == {3}
    eventually(lambda: cloud.free(first) == before)
