"""Clusters in Application Mode: what a person may fill in, the body of the PUT, what may change."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from flinkglue.azure.arm.clusters import ArmClusterClient, InstanceView
from flinkglue.azure.arm.timeouts import ArmTimeouts
from flinkglue.azure.clusters.body import differences, fixed, put_body
from flinkglue.azure.clusters.cluster import FlinkApplicationCluster
from flinkglue.azure.clusters.creation import ClusterCreation, Step
from flinkglue.errors import CallFailed, Conflict, InvalidInput
from flinkglue.http.auth import BearerToken
from tests.unit.azure.jobs.fake_arm import CLUSTER, ENDPOINT, STEADY
from tests.unit.lifecycle.fake_flink_jobs import Clock

GUID = "11111111-2222-3333-4444-555555555555"
STORAGE = "abfs://streams@account.dfs.core.windows.net"
VAULT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"
LEAST: dict[str, Any] = {
    "cluster_name": "cluster",
    "location": "westus3",
    "storage_uri": STORAGE,
    "managed_identity": {
        "resource_id": "/subscriptions/s/identity/i",
        "client_id": GUID,
        "object_id": GUID,
    },
    "job": {
        "jar_directory": f"{STORAGE}/jars",
        "jar_name": "job.jar",
        "entry_class": "com.example.Job",
    },
    "user_ids": [GUID],
}
HIVE = {
    "database_url": "jdbc:sqlserver://sql.database.windows.net;database=hive",
    "user_name": "admin",
    "key_vault_resource_id": VAULT,
    "password_secret_name": "hive-password",
}


def cluster(**changes: Any) -> FlinkApplicationCluster:
    return FlinkApplicationCluster.model_validate(LEAST | changes)


@pytest.mark.parametrize(
    ("changes", "field", "allowed"),
    [
        ({"cluster_name": "My_Cluster"}, "cluster_name", "lower case"),
        ({"location": "West US 3"}, "location", "for example westus3"),
        ({"storage_uri": "https://account/streams"}, "storage_uri", "abfs://container@"),
        ({"flink_version": "1.17"}, "flink_version", "three numbers"),
        ({"cluster_version": "1.2"}, "cluster_version", "three or four numbers"),
        ({"pool_version": "latest"}, "pool_version", "two numbers"),
        ({"subnet_id": "subnet-1"}, "subnet_id", "ARM resource ID"),
        ({"job_manager": {"memory_mb": 1799}}, "job_manager.memory_mb", "1800"),
        ({"task_manager": {"memory_mb": 0}}, "task_manager.memory_mb", "1800"),
        ({"history_server": {"cpu": 0}}, "history_server.cpu", "greater than 0"),
        ({"nodes": {"worker_count": 0}}, "nodes.worker_count", "greater than or equal to 1"),
        ({"nodes": {"head_vm_size": "big one"}}, "nodes.head_vm_size", "Standard_D8ds_v5"),
        ({"job": LEAST["job"] | {"upgrade_mode": "NONE"}}, "job.upgrade_mode", "'UPDATE'"),
        ({"job": LEAST["job"] | {"jar_name": "job.py"}}, "job.jar_name", "ends in .jar"),
        ({"job": LEAST["job"] | {"args": ["a b"]}}, "job.args.0", "without spaces"),
        ({"job_logs": {"directory": "s3://x"}}, "job_logs.directory", "abfs"),
        ({"job_logs": {"every_seconds": 0}}, "job_logs.every_seconds", "equal to 1"),
        ({"hive_catalog": HIVE | {"user_name": ""}}, "hive_catalog", "user_name: is needed"),
        (
            {"hive_catalog": HIVE | {"database_url": "sql"}},
            "hive_catalog.database_url",
            "jdbc:sqlserver",
        ),
        ({"user_ids": []}, "", "user_ids: at least one"),
        ({"user_ids": ["me"]}, "user_ids.0", "a GUID"),
        ({"disk": 1}, "disk", "not permitted"),
    ],
)
def test_a_bad_value_is_refused_with_its_field_and_what_is_allowed(
    changes: dict[str, Any], field: str, allowed: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        cluster(**changes)
    (error,) = refused.value.errors()
    assert ".".join(map(str, error["loc"])) == field
    assert allowed in error["msg"]


@pytest.mark.parametrize("size", ["1800m", "2000mb", "2001mb", "1g"])
def test_process_memory_stays_below_the_pods(size: str) -> None:
    """It ends in mb; a good one is taken."""
    settings = {"taskmanager.memory.process.size": size}
    with pytest.raises(ValidationError, match=r"taskmanager\.memory\.process\.size.*2000 MB"):
        cluster(job=LEAST["job"] | {"flink_configuration": settings})
    settings = {"taskmanager.memory.process.size": "1800mb"}
    assert cluster(job=LEAST["job"] | {"flink_configuration": settings})


def test_the_least_that_is_needed_gives_a_whole_body() -> None:
    """Defaults are the service's own; the layout names savepoints and logs."""
    body = put_body(cluster())
    profile = body["properties"]["clusterProfile"]
    assert profile["flinkProfile"] == {
        "storage": {"storageUri": STORAGE},
        "jobManager": {"cpu": 1.0, "memory": 2000},
        "taskManager": {"cpu": 1.0, "memory": 2000},
        "historyServer": {"cpu": 1.0, "memory": 2000},
        "numReplicas": 1,
        "deploymentMode": "Application",
        "jobSpec": {
            "jobJarDirectory": f"{STORAGE}/jars",
            "jarName": "job.jar",
            "entryClass": "com.example.Job",
            "upgradeMode": "UPDATE",
        },
    }
    (service,) = profile["serviceConfigsProfiles"]
    assert service["configs"][0]["files"][0]["values"] == {
        "state.savepoints.dir": f"{STORAGE}/savepoints/cluster",
        "pipeline.remote.log.dir": f"{STORAGE}/logs/cluster",
        "pipeline.log.aggregation.interval": "600",
        "parallelism.default": "1",
    }
    assert profile["logAnalyticsProfile"] == {"enabled": False}
    assert "secretsProfile" not in profile


def test_everything_that_can_be_filled_in_reaches_the_body() -> None:
    """The password of the Hive database is a reference; the storage key is in the body alone."""
    full = cluster(
        hive_catalog=HIVE,
        prometheus=True,
        internal_ingress=True,
        log_analytics={"enabled": True, "standard_error": False},
        job_logs={"enabled": False},
        tags={"team": "data"},
        group_ids=[GUID],
        nodes={"worker_count": 5, "availability_zones": ["1", "2"]},
        job=LEAST["job"]
        | {"args": ["--rate", "5"], "savepoint_name": "sp", "upgrade_mode": "LAST_STATE_UPDATE"},
    )
    body = put_body(full, SecretStr("storage-key"))
    profile = body["properties"]["clusterProfile"]
    assert body["tags"] == {"team": "data"}
    assert body["properties"]["computeProfile"]["availabilityZones"] == ["1", "2"]
    assert profile["flinkProfile"]["storage"]["storagekey"] == "storage-key"
    hive = profile["flinkProfile"]["catalogOptions"]["hive"]
    (secret,) = profile["secretsProfile"]["secrets"]
    assert hive["metastoreDbConnectionPasswordSecret"] == secret["referenceName"]
    assert secret["keyVaultObjectName"] == "hive-password"
    assert profile["secretsProfile"]["keyVaultResourceId"] == VAULT
    assert profile["logAnalyticsProfile"]["applicationLogs"] == {
        "stdOutEnabled": True,
        "stdErrorEnabled": False,
    }
    assert profile["prometheusProfile"] == {"enabled": True}
    assert profile["clusterAccessProfile"] == {"enableInternalIngress": True}
    job = profile["flinkProfile"]["jobSpec"]
    assert (job["args"], job["savePointName"]) == ("--rate 5", "sp")
    assert "storage-key" not in repr(full)


def test_what_differs_is_named_and_the_job_cannot_change() -> None:
    """What ARM added by itself is no difference; neither is the key that it never tells."""
    there = put_body(cluster())
    there["properties"]["provisioningState"] = "Succeeded"
    assert differences(put_body(cluster(), SecretStr("k")), there) == []
    changed = differences(put_body(cluster(tags={"team": "ops"}, nodes={"worker_count": 4})), there)
    assert changed == ["properties.computeProfile.nodes[1].count", "tags.team"]
    assert fixed(changed) == []
    other = cluster(job=LEAST["job"] | {"jar_name": "v2.jar"})
    assert fixed(differences(put_body(other), there)) == [
        "properties.clusterProfile.flinkProfile.jobSpec.jarName"
    ]


class Cloud:
    """ARM for one cluster that is made in three looks."""

    def __init__(self, resource: dict[str, Any] | None = None) -> None:
        self.resource = resource
        self.calls: list[str] = []
        self.fails = False
        self.looks = 0
        self.name: dict[str, Any] = {"nameAvailable": True}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, last = request.url.path, request.url.path.rsplit("/", 1)[-1]
        self.calls.append(f"{request.method} {last}")
        if last == "checkNameAvailability":
            return httpx.Response(200, json=self.name)
        if last == "availableClusterVersions":
            pair = {"clusterType": "Flink", "ossVersion": "1.17.0", "clusterVersion": "1.2.0"}
            return httpx.Response(200, json={"value": [{"properties": pair}]})
        if last == "op":
            return httpx.Response(200, json=self._poll())
        if last == "default":
            ready = {"status": {"ready": "True"}, "serviceStatuses": [{"ready": "true"}]}
            return httpx.Response(200, json={"properties": ready})
        if last == "pool":
            version = {"clusterPoolProfile": {"clusterPoolVersion": "1.2"}}
            return httpx.Response(200, json={"properties": version})
        assert path.endswith("/clusters/cluster"), path
        return self._cluster(request)

    def _poll(self) -> dict[str, Any]:
        self.looks += 1
        if self.looks < 3:
            return {"status": "Accepted"}
        assert self.resource
        state = "Failed" if self.fails else "Succeeded"
        self.resource["properties"]["provisioningState"] = state
        error = {"code": "QuotaExceeded", "message": "no cores"}
        return {"status": state} | ({"error": error} if self.fails else {})

    def _cluster(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            self.resource = json.loads(request.content)
            self.resource["properties"]["provisioningState"] = "Accepted"
            headers = {"Azure-AsyncOperation": f"{ENDPOINT}/operationStatuses/op"}
            return httpx.Response(201, json=self.resource, headers=headers)
        if self.resource is None:
            error = {"code": "ResourceNotFound", "message": "no"}
            return httpx.Response(404, json={"error": error})
        return httpx.Response(200, json=self.resource)

    def creation(self, cluster_spec: FlinkApplicationCluster | None = None) -> ClusterCreation:
        cluster_spec, clock, token = cluster_spec or cluster(), Clock(), SecretStr("t")
        arm = ArmClusterClient(
            BearerToken(token),
            arm_endpoint=ENDPOINT,
            transport=httpx.MockTransport(self),
            pace=STEADY,
            clock=clock,
        )
        timeouts = ArmTimeouts(60, 600, 120, STEADY, clock)
        return ClusterCreation(arm, CLUSTER, cluster_spec, put_body(cluster_spec), timeouts)


def test_a_cluster_is_checked_put_followed_and_adopted_the_next_time() -> None:
    cloud = Cloud()
    creation = cloud.creation()
    assert creation.settle().step is Step.CREATE
    assert creation.await_ready(60).is_ready
    before_put = cloud.calls[: cloud.calls.index("PUT cluster")]
    assert before_put == [
        "GET cluster", "GET pool", "GET availableClusterVersions", "POST checkNameAvailability",
    ]  # fmt: skip
    assert cloud.creation().settle().step is Step.ADOPT
    assert cloud.calls.count("PUT cluster") == 1
    assert cloud.creation(cluster(tags={"a": "b"})).settle().step is Step.UPDATE
    assert cloud.calls.count("PUT cluster") == 2


def test_a_cluster_that_is_being_made_is_waited_for_not_put_again() -> None:
    """An earlier run was killed after its PUT."""
    resource = put_body(cluster())
    resource["properties"]["provisioningState"] = "Accepted"
    cloud = Cloud(resource)
    creation = cloud.creation()
    assert creation.plan().step is Step.AWAIT
    resource["properties"]["provisioningState"] = "Succeeded"
    assert creation.settle().step is Step.ADOPT
    assert "PUT cluster" not in cloud.calls


def test_a_creation_that_fails_tells_arms_reason_and_is_not_adopted() -> None:
    cloud = Cloud()
    cloud.fails = True
    with pytest.raises(CallFailed, match=r"no cores.*QuotaExceeded"):
        cloud.creation().settle()
    with pytest.raises(Conflict, match="delete it"):
        cloud.creation().settle()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"flink_version": "1.18.0"}, "flink_version.*1.17.0 with 1.2.0"),
        ({"pool_version": "1.1"}, "pool_version.*1.2"),
        ({"subnet_id": "/subscriptions/s"}, "subnet_id.*none, which the pool has"),
    ],
)
def test_what_azure_does_not_offer_is_refused_before_the_put(
    changes: dict[str, Any], field: str
) -> None:
    cloud = Cloud()
    with pytest.raises(InvalidInput, match=field):
        cloud.creation(cluster(**changes)).settle()
    assert "PUT cluster" not in cloud.calls


def test_a_taken_name_and_a_changed_job_are_refused_before_the_put() -> None:
    cloud = Cloud()
    cloud.name = {"nameAvailable": False, "reason": "AlreadyExists", "message": "in use"}
    with pytest.raises(InvalidInput, match=r"cluster_name.*in use"):
        cloud.creation().settle()
    cloud = Cloud(put_body(cluster()) | {"location": "westus3"})
    other = cluster(job=LEAST["job"] | {"entry_class": "com.example.Other"})
    with pytest.raises(InvalidInput, match=r"jobSpec\.entryClass.*action UPDATE"):
        cloud.creation(other).settle()
    assert "PUT cluster" not in cloud.calls


anything = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(anything)
def test_no_answer_makes_an_instance_view_ready_by_accident(answer: Any) -> None:
    assert not InstanceView.from_json(answer).is_ready
    assert not InstanceView.from_json({"properties": answer}).is_ready
