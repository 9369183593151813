"""Application Mode: a cluster with a Flink of its own, made and deleted with its one job."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.hdinsightcontainers import HDInsightContainersMgmtClient
from azure.mgmt.hdinsightcontainers.models import (
    AuthorizationProfile,
    Cluster,
    ClusterJob,
    ClusterProfile,
    ClusterResourceProperties,
    ComputeProfile,
    ComputeResourceDefinition,
    FlinkJobProfile,
    FlinkJobProperties,
    FlinkProfile,
    FlinkStorageProfile,
    NodeProfile,
)

from flinkglue.lifecycle.models import Action
from localcloud.client import LocalCloud
from localcloud.flink.access import FlinkAccess
from tests.scenario.conftest import Platform
from tests.scenario.lifecycle.real_arm import ArmJob, upload
from tests.scenario.lifecycle.real_lifecycle import ENTRY_CLASS
from tests.waiting import eventually

GUID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def administrator(cloud: LocalCloud) -> Iterator[HDInsightContainersMgmtClient]:
    """Microsoft's client, signed in as the platform's administrator."""
    azure, ca_file = cloud.azure, cloud.status()["ca_file"]
    with (
        ClientSecretCredential(
            azure["tenant_id"],
            azure["administrator"]["client_id"],
            azure["administrator"]["client_secret"],
            authority=azure["authority"],
            disable_instance_discovery=True,
            connection_verify=ca_file,
        ) as credential,
        HDInsightContainersMgmtClient(
            credential,
            azure["subscription_id"],
            base_url=azure["arm_endpoint"],
            credential_scopes=["https://management.azure.com/.default"],
            connection_verify=ca_file,
            polling_interval=0.2,
        ) as client,
    ):
        yield client


def application(cloud: LocalCloud, name: str) -> Cluster:
    """As Microsoft's client describes it."""
    upload(cloud, "StatefulCount.jar", f"{name}/StatefulCount.jar")
    size, vm = ComputeResourceDefinition(cpu=1.0, memory=2000), "Standard_D8ds_v5"
    return Cluster(
        location=cloud.azure["location"],
        properties=ClusterResourceProperties(
            cluster_type="Flink",
            compute_profile=ComputeProfile(
                nodes=[
                    NodeProfile(type="Head", vm_size=vm, count=2),
                    NodeProfile(type="Worker", vm_size=vm, count=1),
                ]
            ),
            cluster_profile=ClusterProfile(
                cluster_version="1.2.0",
                oss_version="1.17.0",
                authorization_profile=AuthorizationProfile(user_ids=[GUID]),
                flink_profile=FlinkProfile(
                    storage=FlinkStorageProfile(storage_uri=cloud.azure["jar_directory"]),
                    job_manager=size,
                    task_manager=size,
                    deployment_mode="Application",
                    job_spec=FlinkJobProfile(
                        job_jar_directory=f"{cloud.azure['jar_directory']}/{name}",
                        jar_name="StatefulCount.jar",
                        entry_class=ENTRY_CLASS,
                        args=f"--output /tmp/{name}.txt --checkpoint-every-seconds 1 --label v1",
                        upgrade_mode="UPDATE",
                    ),
                ),
            ),
        ),
    )


def test_a_cluster_brings_its_own_flink_and_goes_with_its_job(
    cloud: LocalCloud, administrator: HDInsightContainersMgmtClient, tmp_path: Path
) -> None:
    """Microsoft's client makes it; its job keeps its counts; DELETE of the job deletes it."""
    name = f"app-{uuid.uuid4().hex[:8]}"
    path = (cloud.azure["resource_group"], cloud.azure["cluster_pool_name"], name)
    created = administrator.clusters.begin_create(*path, application(cloud, name)).result()
    assert created.properties.provisioning_state == "Succeeded"
    assert administrator.clusters.get_instance_view(*path).properties.status.ready == "True"
    own = cloud.fault("arm", "applications")[name]
    assert own["rest_url"] != cloud.status()["parts"]["flink"]["jobmanager_url"]

    job = ArmJob(
        cloud,
        tmp_path,
        name,
        cluster_name=name,
        flink=FlinkAccess(own["rest_url"], certificates=Path(own["certificates"])),
    )
    try:
        first = eventually(job.live_job_ids)[0]
        assert [seen.job_id for seen in job.client.jobs()] == [first]
        eventually(lambda: job.total(first, "running") > 50)
        job.act(Action.STOP, "stop").raise_for_failure()
        again = job.act(Action.START, "start", spec=job.spec(label="v2")).raise_for_failure()
        assert job.total(again.job_id, "restored") == job.total(first, "closed") > 50
        clean = job.act(Action.STATELESS_UPDATE, "clean").raise_for_failure()
        assert job.total(clean.job_id, "started") == 0
        assert job.live_job_ids() == [clean.job_id]
        (row,) = job.arm.list_jobs(job.cluster_id)
        assert row.job_name == name
    finally:
        job.end()

    delete = ClusterJob(properties=FlinkJobProperties(job_name=name, action="DELETE"))
    administrator.cluster_jobs.begin_run_job(*path, delete).result()
    eventually(lambda: name not in cloud.fault("arm", "applications"))
    with pytest.raises(ResourceNotFoundError):
        administrator.clusters.get(*path)


def test_odd_rows_are_listed_as_recorded(cloud: LocalCloud, tmp_path: Path) -> None:
    """A ghost row, a status that lies, an action that never ends; a reset ends all of it."""
    job = ArmJob(cloud, tmp_path)
    try:
        cloud.fault("arm", "ghost-row", job_name=job.job_name)
        job_id = job.act(Action.NEW, "new", spec=job.spec()).raise_for_failure().job_id
        ghosts = [row for row in job.arm.list_jobs(job.cluster_id) if row.is_ghost]
        assert [row.job_name for row in ghosts] == [job.job_name]
        cloud.fault(
            "arm", "show-row", job_name=job.job_name, status="STOP-FAILED", lastSavePoint=None
        )
        # Flink's own word counts where it is seen.
        assert job.live_job_ids() == [job_id]
        cloud.reset()
        (row,) = job.arm.list_jobs(job.cluster_id, job.job_name)
        assert row.status == "RUNNING"
    finally:
        job.end()


def test_deployments_create_adopt_and_delete_a_cluster(platform: Platform) -> None:
    """Run again, nothing is made twice; before it is deleted, a last savepoint is taken."""
    cloud, name = platform.cloud, f"app-{uuid.uuid4().hex[:8]}"
    upload(cloud, "StatefulCount.jar", "jars/StatefulCount.jar")
    cluster_spec: dict[str, Any] = {
        "cluster_name": name,
        "location": cloud.azure["location"],
        "storage_uri": cloud.azure["jar_directory"],
        "managed_identity": {
            "resource_id": "/subscriptions/s/identities/i",
            "client_id": GUID,
            "object_id": GUID,
        },
        "job": {
            "jar_directory": f"{cloud.azure['jar_directory']}/jars",
            "jar_name": "StatefulCount.jar",
            "entry_class": ENTRY_CLASS,
            "args": ["--output", f"/tmp/{name}.txt"],
        },
        "user_ids": [GUID],
    }
    create = "flink-cluster-create/flink-cluster-create"
    delete = "flink-cluster-delete/flink-cluster-delete"
    for _ in range(2):
        run = platform.run(create, {"cluster_spec": cluster_spec})
        assert run["state_type"] == "COMPLETED", platform.prefect.logs(run["id"])
    puts = cloud.requests("arm", "Clusters_Create")
    assert len(puts) == 1

    deleted = platform.run(delete, {"cluster_name": name, "confirm_cluster_name": name})
    assert deleted["state_type"] == "COMPLETED", platform.prefect.logs(deleted["id"])
    assert "has stopped with the savepoint" in str(platform.prefect.whole_log(deleted["id"]))
    assert name not in cloud.fault("arm", "applications")
