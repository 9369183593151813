"""The local Azure as a whole, with nothing but Microsoft's own clients: from secret to words."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient
from azure.mgmt.hdinsightcontainers import HDInsightContainersMgmtClient
from azure.mgmt.hdinsightcontainers.models import ClusterJob, FlinkJobProperties
from azure.storage.blob import BlobServiceClient

from flinkglue.azure.key_vault import forget_challenge
from flinkglue.flink.api.rest import FlinkRestClient
from flinkglue.flink.models import Checkpoints
from localcloud.client import LocalCloud
from tests.waiting import eventually

JARS = Path(__file__).parents[3] / "jobs" / "flink"
ALIVE = ("INITIALIZING", "CREATED", "RUNNING", "CANCELLING")
ENTRY_CLASS = "org.apache.flink.examples.java.wordcount.WordCount"


def sign_in(cloud: LocalCloud, client_id: str, client_secret: str) -> ClientSecretCredential:
    azure = cloud.azure
    return ClientSecretCredential(
        azure["tenant_id"],
        client_id,
        client_secret,
        authority=azure["authority"],
        disable_instance_discovery=True,
        connection_verify=cloud.status()["ca_file"],
    )


def contributor_secret(cloud: LocalCloud) -> dict[str, str]:
    """What the reader finds in Key Vault: client id, secret and tenant."""
    azure = cloud.azure
    reader = azure["reader"]
    forget_challenge(azure["vault_url"])  # of a vault that had the port before
    with (
        sign_in(cloud, reader["client_id"], reader["client_secret"]) as credential,
        SecretClient(
            azure["vault_url"],
            credential,
            verify_challenge_resource=False,
            connection_verify=cloud.status()["ca_file"],
        ) as vault,
    ):
        return {
            name: vault.get_secret(azure["secret_prefix"] + name).value or ""
            for name in ("api-client-id", "api-secret", "tenant-id")
        }


@pytest.fixture
def arm(cloud: LocalCloud) -> Iterator[HDInsightContainersMgmtClient]:
    """Microsoft's client, signed in as the contributor by the secrets in Key Vault."""
    azure = cloud.azure
    found = contributor_secret(cloud)
    assert found["tenant-id"] == azure["tenant_id"]
    with (
        sign_in(cloud, found["api-client-id"], found["api-secret"]) as credential,
        HDInsightContainersMgmtClient(
            credential,
            azure["subscription_id"],
            base_url=azure["arm_endpoint"],
            credential_scopes=["https://management.azure.com/.default"],
            connection_verify=cloud.status()["ca_file"],
            polling_interval=0.2,
        ) as client,
    ):
        yield client


def cluster_path(cloud: LocalCloud) -> tuple[str, str, str]:
    azure = cloud.azure
    return azure["resource_group"], azure["cluster_pool_name"], azure["cluster_name"]


def upload(cloud: LocalCloud, jar_name: str, blob_name: str) -> None:
    azure = cloud.azure
    with BlobServiceClient.from_connection_string(azure["storage_connection_string"]) as service:
        blob = service.get_blob_client(azure["container"], blob_name)
        blob.upload_blob((JARS / jar_name).read_bytes(), overwrite=True)


def new_job(cloud: LocalCloud, job_name: str, **changes: Any) -> ClusterJob:
    properties = {
        "job_name": job_name,
        "action": "NEW",
        "job_jar_directory": cloud.azure["jar_directory"],
        "jar_name": "WordCount.jar",
        "entry_class": ENTRY_CLASS,
        "args": f"--input /opt/flink/LICENSE --output /tmp/{job_name}",
        "flink_configuration": {"parallelism": "2"},
    } | changes
    return ClusterJob(properties=FlinkJobProperties(**properties))


def ended(
    cloud: LocalCloud, arm: HDInsightContainersMgmtClient, job_name: str
) -> FlinkJobProperties:
    """The job's row once it is neither new nor running."""

    def end() -> FlinkJobProperties | None:
        (job,) = arm.cluster_jobs.list(*cluster_path(cloud), filter=f"jobName eq {job_name}")
        return job.properties if job.properties.status not in (None, *ALIVE) else None

    return eventually(end, within_seconds=180)


def running(
    cloud: LocalCloud, arm: HDInsightContainersMgmtClient, job_name: str
) -> FlinkJobProperties:
    """The job's row once it is RUNNING."""

    def run() -> FlinkJobProperties | None:
        (job,) = arm.cluster_jobs.list(*cluster_path(cloud), filter=f"jobName eq {job_name}")
        assert job.properties.status in (None, *ALIVE), job.properties.job_output
        return job.properties if job.properties.status == "RUNNING" else None

    return eventually(run, within_seconds=180)


def test_the_published_job_counts_the_words_of_the_licence(
    cloud: LocalCloud, arm: HDInsightContainersMgmtClient
) -> None:
    """Key Vault, Entra ID, blob storage, ARM and a real Flink, joined by their own clients."""
    job_name = f"word-count-{uuid.uuid4().hex[:8]}"
    upload(cloud, "WordCount.jar", "WordCount.jar")
    arm.cluster_jobs.begin_run_job(*cluster_path(cloud), new_job(cloud, job_name)).result()
    job = ended(cloud, arm, job_name)
    assert (job.status, job.action_result) == ("FINISHED", "SUCCESS")
    image_root = Path(cloud.status()["parts"]["flink"]["image_root"])
    counted = "\n".join(
        file.read_text(encoding="utf-8")
        for file in (image_root / "tmp" / job_name).rglob("*")
        if file.is_file()
    )
    licence = (image_root / "opt" / "flink" / "LICENSE").read_text(encoding="utf-8").lower()
    expected = len(re.findall(r"\bapache\b", licence))
    assert expected > 0
    assert re.search(rf"\bapache\b\W+{expected}\b", counted)


def test_a_jar_in_a_directory_of_its_own_is_found(
    cloud: LocalCloud, arm: HDInsightContainersMgmtClient
) -> None:
    """The directory below the container is part of the address."""
    job_name = f"word-count-{uuid.uuid4().hex[:8]}"
    upload(cloud, "WordCount.jar", "jars/today/Words.jar")
    changes = {
        "job_jar_directory": cloud.azure["jar_directory"] + "/jars/today/",
        "jar_name": "Words.jar",
    }
    arm.cluster_jobs.begin_run_job(
        *cluster_path(cloud), new_job(cloud, job_name, **changes)
    ).result()
    assert ended(cloud, arm, job_name).status == "FINISHED"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"jar_name": "Missing.jar"}, "The specified path does not exist"),
        ({"job_jar_directory": "https://somewhere"}, "No FileSystem for scheme"),
        ({"job_jar_directory": "abfs://filesystem@other.dfs.core.windows.net"}, "UnknownHost"),
        ({"entry_class": "org.example.NoSuchClass"}, "org.example.NoSuchClass"),
        ({"args": "--nothing useful"}, "input"),
    ],
)
def test_a_launch_that_fails_shows_the_exception_in_the_row(
    cloud: LocalCloud, arm: HDInsightContainersMgmtClient, changes: dict[str, Any], words: str
) -> None:
    """The operation succeeds all the same, as in the real service."""
    job_name = f"broken-{uuid.uuid4().hex[:8]}"
    upload(cloud, "WordCount.jar", "WordCount.jar")
    arm.cluster_jobs.begin_run_job(
        *cluster_path(cloud), new_job(cloud, job_name, **changes)
    ).result()
    job = ended(cloud, arm, job_name)
    assert (job.status, job.action_result) == ("JOB_LAUNCH_FAILED", "FAILED")
    assert words in job.job_output


def test_an_unbounded_job_runs_until_it_is_cancelled(
    cloud: LocalCloud, arm: HDInsightContainersMgmtClient
) -> None:
    """CANCEL ends it on the real Flink, and the row follows."""
    job_name = f"counting-{uuid.uuid4().hex[:8]}"
    path = cluster_path(cloud)
    arm.cluster_jobs.begin_run_job(*path, counting_job(cloud, job_name)).result()
    running(cloud, arm, job_name)
    cancel = ClusterJob(properties=FlinkJobProperties(job_name=job_name, action="CANCEL"))
    arm.cluster_jobs.begin_run_job(*path, cancel).result()
    row = ended(cloud, arm, job_name)
    assert (row.status, row.action) == ("CANCELED", "CANCEL")


def act(
    cloud: LocalCloud,
    arm: HDInsightContainersMgmtClient,
    job_name: str,
    action: str,
    **properties: Any,
) -> FlinkJobProperties:
    """The job's row once the action has ended and the row says how, or Flink's next state."""
    path = cluster_path(cloud)
    arm.cluster_jobs.begin_run_job(
        *path,
        ClusterJob(properties=FlinkJobProperties(job_name=job_name, action=action, **properties)),
    ).result()

    def end() -> FlinkJobProperties | None:
        (row,) = arm.cluster_jobs.list(*path, filter=f"jobName eq {job_name}")
        return row.properties if row.properties.action_result != "IN_PROGRESS" else None

    return eventually(end, within_seconds=180)


def counting_job(cloud: LocalCloud, job_name: str) -> ClusterJob:
    upload(cloud, "StatefulCount.jar", "StatefulCount.jar")
    return new_job(
        cloud,
        job_name,
        jar_name="StatefulCount.jar",
        entry_class="flinkglue.jobs.StatefulCount",
        args=f"--output /tmp/{job_name}",
        flink_configuration={
            "parallelism": "1",
            "execution.checkpointing.interval": "200ms",
        },
    )


def await_checkpoint(flink: FlinkRestClient, job_id: str) -> str | None:
    """What the job was restored from, once it runs and has completed a checkpoint of its own."""

    def completed() -> Checkpoints | None:
        checkpoints = flink.checkpoints(job_id)
        return checkpoints if checkpoints.latest_completed is not None else None

    restored = eventually(completed, within_seconds=180).restored
    return restored.external_path if restored else None


def test_a_job_goes_through_all_its_actions_on_a_real_flink(
    cloud: LocalCloud, arm: HDInsightContainersMgmtClient
) -> None:
    """Each action with its recorded status, restored by Flink from what the action promises."""
    job_name = f"lifecycle-{uuid.uuid4().hex[:8]}"
    arm.cluster_jobs.begin_run_job(*cluster_path(cloud), counting_job(cloud, job_name)).result()
    with cloud.flink.connect() as flink:
        first = running(cloud, arm, job_name)
        assert await_checkpoint(flink, first.job_id) is None
        assert act(cloud, arm, job_name, "LIST_SAVEPOINT").job_output == "[]"

        saved = act(cloud, arm, job_name, "SAVEPOINT")
        assert (saved.status, saved.action_result) == ("RUNNING", "SUCCESS")
        assert saved.job_output == f"Savepoint completed. Path: {saved.last_save_point}"

        stopped = act(cloud, arm, job_name, "STOP")
        assert stopped.status == "STOPPED"
        assert flink.job(stopped.job_id).state == "FINISHED"
        assert json.loads(act(cloud, arm, job_name, "LIST_SAVEPOINT").job_output) == [
            stopped.last_save_point,
            saved.last_save_point,
        ]

        started = act(cloud, arm, job_name, "START")
        assert await_checkpoint(flink, started.job_id) == stopped.last_save_point
        assert act(cloud, arm, job_name, "START").job_output == "The job is running."

        updated = act(cloud, arm, job_name, "UPDATE", args=f"--output /tmp/{job_name}-b")
        assert updated.args == f"--output /tmp/{job_name}-b"
        assert await_checkpoint(flink, updated.job_id) == updated.last_save_point
        assert updated.last_save_point not in (saved.last_save_point, stopped.last_save_point)

        resumed = act(cloud, arm, job_name, "LAST_STATE_UPDATE")
        restored = await_checkpoint(flink, resumed.job_id)
        assert restored is not None
        assert f"{updated.job_id}/chk-" in restored

        fresh = act(cloud, arm, job_name, "STATELESS_UPDATE")
        assert await_checkpoint(flink, fresh.job_id) is None

        cancelled = act(cloud, arm, job_name, "CANCEL")
        failed = act(cloud, arm, job_name, "STOP")
        assert (failed.status, failed.action_result) == ("STOP-FAILED", "FAILED")

        again = act(cloud, arm, job_name, "RE_LAUNCH")
        restored = await_checkpoint(flink, again.job_id)
        assert restored is not None
        assert f"{cancelled.job_id}/chk-" in restored

        named = Path(saved.last_save_point).name
        act(cloud, arm, job_name, "STOP")
        from_named = act(cloud, arm, job_name, "START", save_point_name=named)
        assert await_checkpoint(flink, from_named.job_id) == saved.last_save_point
        act(cloud, arm, job_name, "CANCEL")


def test_a_rotated_secret_is_found_and_works(cloud: LocalCloud) -> None:
    """The fault command rotates in Key Vault and Entra ID at once."""
    before = contributor_secret(cloud)
    cloud.rotate_secret("api-secret")
    after = contributor_secret(cloud)
    assert after["api-secret"] != before["api-secret"]
    with sign_in(cloud, after["api-client-id"], after["api-secret"]) as credential:
        assert credential.get_token("https://management.azure.com/.default").token
