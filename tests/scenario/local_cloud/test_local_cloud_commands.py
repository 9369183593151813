"""What the command line shows of a running cloud."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from localcloud.client import LocalCloud

pytestmark = pytest.mark.scenario

REPOSITORY = Path(__file__).parents[3]


def _show(cloud: LocalCloud, command: str, *arguments: str) -> str:
    shown = subprocess.run(
        [sys.executable, "-m", "localcloud", command, "--state-dir", cloud.state.path, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def _secrets(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _secrets(inner, key)
    elif name.endswith(("secret", "access_key", "connection_string")):
        yield value


def test_status_names_every_part_and_account_without_their_secrets(cloud: LocalCloud) -> None:
    shown = _show(cloud, "status")
    status = cloud.status()
    for name, part in status["parts"].items():
        assert f"{name:9} ready      {part['url']}" in shown
    assert status["azure"]["subscription_id"] in shown
    assert status["aws"]["endpoint_url"] in shown
    secrets = list(_secrets(status))
    assert len(secrets) >= 3
    assert not [secret for secret in secrets if secret in shown]
    assert json.loads(_show(cloud, "status", "--json"))["aws"] == status["aws"]


def test_requests_are_listed_with_their_status_and_applied_fault(cloud: LocalCloud) -> None:
    cloud.add_fault("flink:GetOverview", "delay", seconds=0.01, times=1)
    with cloud.flink.connect() as flink:
        flink.overview()
        flink.config()
    (line,) = _show(cloud, "requests", "--service", "flink", "--operation", "*Over*").splitlines()
    assert " 200 " in line
    assert line.endswith('flink:GetOverview                        {"fault": "delay"}')
    recorded = json.loads(_show(cloud, "requests", "--service", "flink", "--json"))
    assert [each["operation"] for each in recorded] == ["GetOverview", "GetConfig"]


def test_the_record_holds_no_secret(cloud: LocalCloud) -> None:
    connection_string = cloud.azure["storage_connection_string"]
    with BlobServiceClient.from_connection_string(connection_string) as storage:
        list(storage.list_containers())
    assert cloud.requests("blob", "ListContainers")
    lines = cloud.state.requests_file.read_text()
    key = connection_string.split("AccountKey=")[1].split(";")[0]
    assert "ListContainers" in lines
    assert key not in lines
    assert "SharedKey" not in lines


def test_logs_of_a_part_and_of_the_supervisor_are_shown(cloud: LocalCloud) -> None:
    assert "flink     ready after" in _show(cloud, "logs", "-n", "100000")
    flink = _show(cloud, "logs", "flink", "-n", "5")
    assert "jobmanager.log <==" in flink
    assert "taskmanager.out <==" in flink
    assert "Azurite Blob service" in _show(cloud, "logs", "blob", "-n", "100000")


def test_followed_logs_show_what_is_written_later(cloud: LocalCloud) -> None:
    command = ["logs", "blob", "-f", "-n", "1", "--state-dir", str(cloud.state.path)]
    with subprocess.Popen(
        [sys.executable, "-m", "localcloud", *command],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        following.stdout.readline()
        time.sleep(1)
        connection_string = cloud.azure["storage_connection_string"]
        with BlobServiceClient.from_connection_string(connection_string) as storage:
            list(storage.list_containers(name_starts_with="looked-for-by-the-test"))
        assert any("looked-for-by-the-test" in line for line in following.stdout)
        following.terminate()


def test_a_part_that_does_not_run_has_no_logs(cloud: LocalCloud) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "localcloud", "logs", "gcp", "--state-dir", cloud.state.path],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 2
    assert "part: 'gcp' is not accepted. Allowed: flink, blob" in refused.stderr
