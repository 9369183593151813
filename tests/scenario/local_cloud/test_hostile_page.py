"""No page of another origin creates, reads or runs anything, whatever it knows but the secrets."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
from azure.storage.blob import BlobServiceClient

from localcloud.web.wire import Request
from tests.process_trees import processes_of
from tests.scenario.conftest import Platform
from tests.scenario.local_cloud.hostile_page import (
    BROWSER,
    REBOUND,
    Shot,
    aws_requests,
    azure_requests,
    careless_browser,
    control_requests,
    end_of_the_cloud,
    flink_requests,
    hostile_server,
    listening_ports,
    prefect_requests,
    requests_of_any_kind,
    shoot_from,
)
from tests.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux' /proc"),
]

BUCKET = "strangers-bucket"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with careless_browser() as launched:
        yield launched


@pytest.fixture(scope="module")
def hostile_url() -> Iterator[str]:
    with hostile_server() as url:
        yield url


@dataclass(frozen=True)
class Target:
    """The running platform, what can be sent to it, and what it looks like."""

    platform: Platform
    marker: Path

    @property
    def script(self) -> str:
        """What a stranger's Glue job would do."""
        return f"open({str(self.marker)!r}, 'w').write('ran')"

    def shots(self) -> dict[str, list[list[Shot]]]:
        """What a stranger knows to send to each server, by its address, in groups."""
        cloud, prefect = self.platform.cloud, self.platform.prefect
        parts, azure = cloud.status()["parts"], cloud.azure
        job_ids = [job["id"] for job in self.flink_jobs()]
        deployment = prefect.api.get("/deployments/name/glue-job/glue-job").json()["id"]
        blob = urlsplit(parts["blob"]["url"])
        whole_azure = azure_requests({**azure, "blob_url": parts["blob"]["url"]})
        bucket = self.aws("s3").list_buckets()["Buckets"][0]["Name"]
        shots = {
            parts["aws"]["url"]: aws_requests(parts["aws"]["url"], bucket, self.script),
            prefect.ui_url: prefect_requests(f"{prefect.ui_url}/api", deployment),
            **{
                base: flink_requests(base, job_ids)
                for base in (
                    azure["flink_rest_url"],
                    azure["cluster_web_url"],
                    parts["flink"]["jobmanager_url"],
                )
            },
            **{
                base: [shot for shot in whole_azure if shot["url"].startswith(base)]
                for base in (
                    azure["vault_url"],
                    azure["arm_endpoint"],
                    azure["authority"],
                    f"{blob.scheme}://{blob.netloc}",
                )
            },
            self.control_url: control_requests(self.control_url),
        }
        groups = {base: [known] for base, known in shots.items()}
        for port in self.ports():
            for scheme in ("http", "https"):
                base = f"{scheme}://127.0.0.1:{port}"
                groups.setdefault(base, []).extend([shot] for shot in requests_of_any_kind(base))
        return groups

    @property
    def control_url(self) -> str:
        url: str = self.platform.cloud.status()["control_url"]
        return url

    def ports(self) -> list[int]:
        """What the processes listen on, Flink's and Azurite's own ports included."""
        supervisor = self.platform.cloud.status()["pid"]
        server = self.platform.prefect.server_pid
        return sorted(listening_ports(processes_of(supervisor) | processes_of(server)))

    def flink_jobs(self) -> list[dict[str, Any]]:
        with self.platform.cloud.flink.http() as flink:
            return flink.get("/jobs").json()["jobs"]

    def state(self) -> dict[str, Any]:
        """Everything that a stranger could have changed."""
        cloud, prefect = self.platform.cloud, self.platform.prefect
        aws = self.aws
        with cloud.flink.http() as flink:
            jars = [jar["name"] for jar in flink.get("/jars").json()["files"]]
        connection = cloud.azure["storage_connection_string"]
        with BlobServiceClient.from_connection_string(connection) as storage:
            containers = [container.name for container in storage.list_containers()]
        return {
            "supervisor": cloud.status()["pid"],
            "faults": cloud.faults(),
            "buckets": [bucket["Name"] for bucket in aws("s3").list_buckets()["Buckets"]],
            "jobs": aws("glue").get_jobs()["Jobs"],
            "vpcs": [vpc["CidrBlock"] for vpc in aws("ec2").describe_vpcs()["Vpcs"]],
            "users": [user["UserName"] for user in aws("iam").list_users()["Users"]],
            "jars": jars,
            "flink jobs": self.flink_jobs(),
            "containers": containers,
            "variables": prefect.api.post("/variables/count").json(),
            "flow runs": prefect.api.post("/flow_runs/count").json(),
            "events": self.strange_events(),
            "ran": self.marker.exists(),
        }

    def answered(self, since: float) -> list[Request]:
        """What reached a service and was not refused there.

        Chromium itself asks for /favicon.ico of a server whose refusal it shows in a frame.
        """
        recorded = self.platform.cloud.requests(since=since)
        return [request for request in recorded if request.status < 400]

    def strange_events(self) -> int:
        query = {"filter": {"event": {"name": ["stranger.came"]}}}
        count: int = self.platform.prefect.api.post("/events/filter", json=query).json()["total"]
        return count

    def aws(self, service: str) -> Any:
        account = self.platform.cloud.aws
        return boto3.client(
            service,
            endpoint_url=account["endpoint_url"],
            region_name=account["region"],
            aws_access_key_id=account["access_key_id"],
            aws_secret_access_key=account["secret_access_key"],
        )


@pytest.fixture
def target(platform: Platform, tmp_path: Path) -> Target:
    """The platform once nothing changes on it: jobs of earlier tests may be on their way out."""
    found = Target(platform, tmp_path / "marker")
    states = [found.state()]

    def rests() -> bool:
        states.append(found.state())
        return states[-1] == states[-2]

    eventually(rests)
    return found


def moved(groups: list[list[Shot]], old: str, new: str) -> list[list[Shot]]:
    """The same requests to another name of the same server."""
    return json.loads(json.dumps(groups).replace(old, new))


def test_a_page_of_another_origin_reaches_nothing(
    target: Target, browser: Browser, hostile_url: str
) -> None:
    before = target.state()
    assert len(target.ports()) > 12, "the parts, Flink's and Azurite's own ports, Prefect"
    groups = [group for each in target.shots().values() for group in each]
    by_name = moved(groups, "//127.0.0.1:", "//localhost:")
    began = time.time()
    learned = shoot_from(browser, {hostile_url: groups + by_name})
    assert (learned, target.answered(since=began)) == ({}, [])
    assert target.state() == before

    shoot_from(browser, {hostile_url: [end_of_the_cloud(target.control_url)]})
    assert target.platform.cloud.status()["ready"]


def test_a_name_that_is_bound_anew_reaches_nothing(target: Target, browser: Browser) -> None:
    """To the browser the page then has the server's own origin."""
    before = target.state()

    def bound_anew(base: str, groups: list[list[Shot]]) -> dict[str, list[list[Shot]]]:
        page = f"{base.replace('127.0.0.1', REBOUND)}/page-of-the-stranger.html"
        return {page: moved(groups, "//127.0.0.1:", f"//{REBOUND}:")}

    pages: dict[str, list[list[Shot]]] = {}
    for base, groups in target.shots().items():
        pages |= bound_anew(base, groups)
    began = time.time()
    learned = shoot_from(browser, pages)
    assert (learned, target.answered(since=began)) == ({}, [])
    assert target.state() == before

    shoot_from(browser, bound_anew(target.control_url, [end_of_the_cloud(target.control_url)]))
    assert target.platform.cloud.status()["ready"]


def test_the_same_requests_do_all_that_with_the_secrets(target: Target) -> None:
    """So that the requests above fail for want of a secret alone."""
    before = target.state()
    s3, glue = target.aws("s3"), target.aws("glue")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="script.py", Body=target.script.encode())
    command = {"Name": "pythonshell", "ScriptLocation": f"s3://{BUCKET}/script.py"}
    glue.create_job(Name=BUCKET, Role="arn:aws:iam::123456789012:role/r", Command=command)
    glue.start_job_run(JobName=BUCKET)
    target.platform.cloud.add_fault("nothing:*", "throttle")
    with target.platform.cloud.flink.http() as flink:
        jar = flink.post("/jars/upload", files={"jarfile": ("stranger.jar", b"PK")}).json()
    prefect = target.platform.prefect.api
    assert prefect.post("/variables/", json={"name": "stranger", "value": "x"}).is_success
    eventually(target.marker.exists)
    after = target.state()
    changed = {name for name, value in after.items() if value != before[name]}
    assert changed == {"buckets", "jobs", "faults", "jars", "variables", "ran"}

    glue.delete_job(JobName=BUCKET)
    s3.delete_object(Bucket=BUCKET, Key="script.py")
    s3.delete_bucket(Bucket=BUCKET)
    assert prefect.delete("/variables/name/stranger").is_success
    with target.platform.cloud.flink.http() as flink:
        flink.delete(f"/jars/{jar['filename'].rsplit('/', 1)[1]}")
