"""Scripts of Glue jobs: real processes on their driver's address, with logs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from tests.contract.aws.aws_cloud import AwsCloud
from tests.waiting import eventually

pytestmark = pytest.mark.contract

SAMPLE = Path(__file__).parents[3] / "jobs" / "glue" / "which_subnet.py"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    cloud = AwsCloud(tmp_path)
    yield cloud
    cloud.close()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that nobody has waited for yet is dead all the same.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_the_sample_job_prints_the_subnet_that_its_driver_lies_in(cloud: AwsCloud) -> None:
    """It agrees with the order of the list, for the published subnets and for others."""
    cloud.two_connections()
    cloud.connection("c", "10.192.30.0/24")
    cloud.job("job", ("b", "a"), script=SAMPLE.read_text())
    published = cloud.finished(cloud.start())
    assert published["JobRunState"] == "SUCCEEDED"
    assert cloud.output(published["Id"])[-1] == (
        "Driver subnet: MWAA-Glue-Blog-Subnet2 (10.192.21.0/24)"
    )

    arguments = {"--subnets": "one=10.0.0.0/24, two=10.192.21.0/24"}
    run = cloud.finished(cloud.start(Arguments=arguments))
    assert cloud.output(run["Id"])[-1] == "Driver subnet: two (10.192.21.0/24)"

    run = cloud.finished(cloud.start(Arguments={"--subnets": "elsewhere=10.0.0.0/24"}))
    assert cloud.output(run["Id"])[-1] == "Driver subnet: none of elsewhere"


DRIVER = """
import os, platform, socket
name = socket.gethostname()
print(name)
print(socket.gethostbyname(name))
print(socket.getaddrinfo(name, 80, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
print(socket.gethostbyname_ex(name)[2][0])
print(socket.getfqdn())
print(platform.node(), os.uname().nodename)
"""


def test_the_script_believes_to_be_on_its_driver(cloud: AwsCloud) -> None:
    """Every way to ask for the own name or address answers with the driver's."""
    subnet_id = cloud.connection("a", "10.192.20.0/24")
    cloud.job("job", ("a",), script=DRIVER)
    cloud.fault("glue-timing", run_seconds=1)
    job_run_id = cloud.start()
    cloud.wait_for(job_run_id, "RUNNING")
    interfaces = cloud.ec2.describe_network_interfaces(
        Filters=[{"Name": "subnet-id", "Values": [subnet_id]}]
    )["NetworkInterfaces"]
    cloud.finished(job_run_id)
    name, *addresses, full_name, nodes = cloud.output(job_run_id)
    (address,) = set(addresses)
    assert ip_address(address) in ip_network("10.192.20.0/24")
    assert address in {each["PrivateIpAddress"] for each in interfaces}
    assert name == full_name == f"ip-{address.replace('.', '-')}.ec2.internal"
    assert nodes == f"{name} {name}"


def test_outside_of_a_vpc_the_driver_has_an_address_of_glues_own(cloud: AwsCloud) -> None:
    """A job without connections runs in Glue's network."""
    cloud.job("job", script=SAMPLE.read_text())
    run = cloud.finished(cloud.start())
    assert cloud.output(run["Id"])[0].startswith("Driver address: 172.34.")


ARGUMENTS = """
import sys
from awsglue.utils import getResolvedOptions
options = getResolvedOptions(sys.argv, ["JOB_NAME", "day", "kind", "table"])
for name in sorted(options):
    print(name, options[name])
print(sys.argv[0].rsplit("/", 1)[-1])
"""


def test_the_script_gets_merged_arguments(cloud: AwsCloud) -> None:
    """Defaults, then the run's, then what cannot be overridden; and Glue's own."""
    cloud.job(
        "job",
        script=ARGUMENTS,
        DefaultArguments={"--day": "mon", "--kind": "full"},
        NonOverridableArguments={"--table": "t"},
    )
    run = cloud.finished(cloud.start(Arguments={"--day": "a b,c=d", "--table": "mine"}))
    assert cloud.output(run["Id"]) == [
        f"JOB_ID j_{run['Id'][3:]}",
        "JOB_NAME job",
        f"JOB_RUN_ID {run['Id']}",
        "day a b,c=d",
        "kind full",
        "table t",
        "script.py",
    ]


def test_boto3_in_a_script_talks_to_the_same_cloud(cloud: AwsCloud) -> None:
    """Endpoint, region and credentials come from the environment, as in a real job."""
    source = """
import boto3
boto3.client("s3").put_object(Bucket="job-scripts", Key="made", Body=b"by the job")
print(boto3.client("sts").get_caller_identity()["Account"])
"""
    cloud.job("job", script=source)
    run = cloud.finished(cloud.start())
    assert run["JobRunState"] == "SUCCEEDED", cloud.output(run["Id"], "error")
    assert cloud.output(run["Id"]) == [cloud.account["account_id"]]
    made = cloud.s3.get_object(Bucket="job-scripts", Key="made")["Body"]
    assert made.read() == b"by the job"


ENVIRONMENT = """
import json, os
print(json.dumps(dict(os.environ)))
print(os.getcwd(), oct(os.stat(".").st_mode & 0o777))
"""


def test_a_script_gets_nothing_of_the_person_who_runs_the_cloud(
    cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their keys, their tokens, their home; it has its own directory instead."""
    for name in ("GITHUB_TOKEN", "AWS_SESSION_TOKEN", "PREFECT_API_AUTH_STRING", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "canary")
    cloud.job(script=ENVIRONMENT)
    run = cloud.finished(cloud.start())
    seen, place = cloud.output(run["Id"])
    environment = json.loads(seen)
    assert "canary" not in environment.values()
    directory, mode = place.rsplit(" ", 1)
    assert Path(directory).name == run["Id"]
    assert (environment["HOME"], environment["TMPDIR"], mode) == (directory, directory, "0o700")


def test_logs_are_written_while_the_script_runs(cloud: AwsCloud) -> None:
    """Complete lines appear at once, an incomplete last line at the end; errors go elsewhere."""
    source = """
import sys, time
print("first ä")
print("oops", file=sys.stderr)
time.sleep(2)
print("last", end="")
"""
    cloud.job("job", script=source)
    job_run_id = cloud.start()
    eventually(lambda: cloud.output(job_run_id) == ["first ä"])
    assert cloud.run(job_run_id)["JobRunState"] == "RUNNING"
    run = cloud.finished(job_run_id)
    assert cloud.output(job_run_id) == ["first ä", "last"]
    assert cloud.output(job_run_id, "error") == ["oops"]
    assert run["ExecutionTime"] >= 2
    assert run["LogGroupName"] == "/aws-glue/jobs"


@pytest.mark.parametrize(
    ("source", "exit_code"),
    [
        ("raise ValueError('broken')", 1),
        ("import sys; sys.exit(10)", 10),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
    ],
)
def test_a_script_that_fails(cloud: AwsCloud, source: str, exit_code: int) -> None:
    """The exit code is in the run's text, the trace in the error log."""
    cloud.job("job", script=source)
    run = cloud.finished(cloud.start())
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"] == f"Command failed with exit code {exit_code}"
    if exit_code == 1:
        assert cloud.output(run["Id"], "error")[-1] == "ValueError: broken"


def test_a_script_that_is_missing(cloud: AwsCloud) -> None:
    """The run starts and cannot be launched."""
    command = {"Name": "glueetl", "ScriptLocation": "s3://nowhere/no.py"}
    cloud.job("job", Command=command)
    run = cloud.finished(cloud.start())
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"].startswith(
        "LAUNCH ERROR | Error downloading from S3 for bucket: nowhere, key: no.py."
    )


ENDLESS = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid)
time.sleep(600)
"""


def started_pids(cloud: AwsCloud, job_run_id: str) -> list[int]:
    (line,) = eventually(lambda: cloud.output(job_run_id))
    pids = [int(pid) for pid in line.split()]
    assert all(is_alive(pid) for pid in pids)
    return pids


def test_stopping_a_run_ends_its_process_and_children(cloud: AwsCloud) -> None:
    """Also those that ignore SIGTERM."""
    cloud.job("job", script=ENDLESS)
    job_run_id = cloud.start()
    pids = started_pids(cloud, job_run_id)
    cloud.glue.batch_stop_job_run(JobName="job", JobRunIds=[job_run_id])
    assert cloud.finished(job_run_id)["JobRunState"] == "STOPPED"
    eventually(lambda: not any(is_alive(pid) for pid in pids))


def test_stopping_the_cloud_ends_every_script(tmp_path: Path) -> None:
    """No process, and no file of a script, outlives the part."""
    cloud = AwsCloud(tmp_path)
    try:
        cloud.job("job", script=ENDLESS)
        pids = started_pids(cloud, cloud.start())
    finally:
        cloud.close()
    eventually(lambda: not any(is_alive(pid) for pid in pids))
    assert [path.name for path in (tmp_path / "aws").iterdir()] == ["account.json"]


def test_thirty_scripts_at_once(cloud: AwsCloud) -> None:
    """Every one prints its own address."""
    cloud.connection("a", "10.192.20.0/24")
    cloud.job("job", ("a",), script="import socket\nprint(socket.gethostname())")
    runs = [cloud.start() for _ in range(30)]
    for job_run_id in runs:
        run = eventually(
            lambda job_run_id=job_run_id: (
                run
                if (run := cloud.run(job_run_id))["JobRunState"] not in ("STARTING", "RUNNING")
                else None
            ),
            within_seconds=60,
        )
        assert run["JobRunState"] == "SUCCEEDED"
    assert all(len(cloud.output(job_run_id)) == 1 for job_run_id in runs)
