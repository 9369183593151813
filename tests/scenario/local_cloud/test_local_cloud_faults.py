"""Faults and the request record of a running cloud, from tests and from the command line."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flinkglue.errors import NotFound, ServiceUnavailable
from flinkglue.flink.api.rest import FlinkRestClient
from localcloud.client import CloudRefused, LocalCloud

pytestmark = pytest.mark.scenario

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def flink(cloud: LocalCloud) -> Iterator[FlinkRestClient]:
    with cloud.flink.connect() as client:
        yield client


def _fault(cloud: LocalCloud, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "localcloud", "fault", "--state-dir", cloud.state.path, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_every_request_is_recorded_and_can_be_asked_for(
    cloud: LocalCloud, flink: FlinkRestClient
) -> None:
    since = time.time()
    flink.overview()
    with pytest.raises(NotFound):
        flink.job("0" * 32)
    seen = [(r.operation, r.status) for r in cloud.requests("flink", since=since)]
    assert seen == [("GetOverview", 200), ("GetJob", 404)]
    assert cloud.requests("flink", "GetJob")[0].at >= since
    cloud.clear_requests()
    assert cloud.requests() == []


def test_a_fault_added_by_a_test_hits_and_is_undone_by_a_reset(
    cloud: LocalCloud, flink: FlinkRestClient
) -> None:
    cloud.add_fault("flink:Get*", "error", status=503, message="no leader")
    with pytest.raises(ServiceUnavailable, match="no leader"):
        flink.overview()
    cloud.reset()
    assert cloud.faults() == []
    assert flink.overview().slots_total == 4


def test_a_fault_is_added_listed_and_cleared_on_the_command_line(
    cloud: LocalCloud, flink: FlinkRestClient
) -> None:
    added = _fault(cloud, "add", "flink:GetOverview", "error", "--times", "1", "--message", "hi")
    assert added.returncode == 0, added.stderr
    (listed,) = _fault(cloud, "list").stdout.splitlines()
    assert json.loads(listed)["id"] == added.stdout.strip()
    with pytest.raises(ServiceUnavailable, match="hi"):
        flink.overview()
    flink.overview()
    assert _fault(cloud, "clear", added.stdout.strip()).returncode == 0
    assert cloud.faults() == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("add", "flink", "error"), "pattern: 'flink' is not accepted"),
        (("add", "flink:*", "explode"), "kind: 'explode' is not accepted. Allowed: throttle"),
        (("add", "flink:*"), "needs PATTERN and KIND"),
        (("gcp", "break"), "no part gcp runs here"),
        (("flink", "break"), "flink has no fault command break. It has: kill-jobmanager"),
        (("flink", "kill-jobmanager", "--when", "now"), "Allowed: restart_after_seconds"),
        (("keyvault", "disable-secret", "--name", "nope"), "SecretNotFound"),
        (("aws", "fill-subnet", "--subnet-id", "subnet-0"), "does not exist"),
        (("aws", "glue-nodes", "--nodes-beside-workers", "many"), "'str'"),
        (("clear", "nosuchid"), "id: 'nosuchid' is not accepted"),
        (("add", "flink:*", "delay", "--seconds=-1"), "seconds: -1.0 is not accepted"),
    ],
)
def test_a_senseless_fault_is_refused_with_what_is_allowed(
    cloud: LocalCloud, arguments: tuple[str, ...], told: str
) -> None:
    refused = _fault(cloud, *arguments)
    assert refused.returncode == 2
    assert told in refused.stderr


def test_a_secret_of_digits_stays_a_text(cloud: LocalCloud) -> None:
    rotated = _fault(cloud, "keyvault", "rotate-secret", "--name", "digits", "--value", "0012345")
    assert rotated.returncode == 0, rotated.stderr


def test_the_fault_commands_of_a_part_are_listed(cloud: LocalCloud) -> None:
    assert _fault(cloud, "flink").stdout.split() == ["kill-jobmanager", "start-jobmanager"]


def test_an_unknown_part_is_refused_by_the_client(cloud: LocalCloud) -> None:
    with pytest.raises(CloudRefused, match="no part gcp"):
        cloud.fault("gcp", "break")


def test_a_jobmanager_killed_from_the_command_line_comes_back(
    cloud: LocalCloud, flink: FlinkRestClient
) -> None:
    before = cloud.status()["parts"]["flink"]["processes"]["jobmanager"]["pid"]
    killed = _fault(cloud, "flink", "kill-jobmanager", "--restart-after-seconds", "null")
    assert killed.returncode == 0, killed.stderr
    with pytest.raises(ServiceUnavailable):
        flink.overview()
    assert cloud.status()["ready"] is False

    cloud.reset()
    assert cloud.status()["ready"] is True
    assert flink.overview().slots_total == 4
    assert cloud.status()["parts"]["flink"]["processes"]["jobmanager"]["pid"] != before


def test_the_control_api_serves_loopback_only(cloud: LocalCloud) -> None:
    control_url = httpx.URL(cloud.state.read()["control_url"])  # type: ignore[index]
    assert control_url.host == "127.0.0.1"
