"""From a described cluster to the body of ARM's PUT, and what differs from one that is there. Pure.

API: https://learn.microsoft.com/rest/api/hdinsightonaks/clusters/create
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import SecretStr

from flinkglue.azure.clusters.cluster import (
    ComputeSize,
    FlinkApplicationCluster,
    HiveCatalog,
)

HIVE_PASSWORD = "hive-metastore-password"
"""The name by which the body refers to the password in Key Vault."""
_HEAD_NODES = 2
# ARM takes these at creation only. What runs is changed by the actions on the job.
_FIXED = (
    "location",
    "properties.clusterType",
    "properties.clusterProfile.flinkProfile.deploymentMode",
    "properties.clusterProfile.flinkProfile.jobSpec",
    "properties.clusterProfile.flinkProfile.storage",
    "properties.clusterProfile.managedIdentityProfile",
)
_SECRET = "storagekey"


def put_body(
    cluster: FlinkApplicationCluster, storage_key: SecretStr | None = None
) -> dict[str, Any]:
    """The body that creates it; what is not set is left out.

    Args:
        storage_key: The storage account's key; None: the managed identity has access.
    """
    body: dict[str, Any] = _without_none(
        {
            "location": cluster.location,
            "tags": dict(cluster.tags),
            "properties": {
                "clusterType": "Flink",
                "computeProfile": _compute_profile(cluster),
                "clusterProfile": _cluster_profile(cluster, storage_key),
            },
        }
    )
    return body


def _compute_profile(cluster: FlinkApplicationCluster) -> dict[str, Any]:
    nodes = cluster.nodes
    return {
        "nodes": [
            {"type": "Head", "vmSize": nodes.head_vm_size, "count": _HEAD_NODES},
            {"type": "Worker", "vmSize": nodes.worker_vm_size, "count": nodes.worker_count},
        ],
        "availabilityZones": list(nodes.availability_zones) or None,
    }


def _cluster_profile(
    cluster: FlinkApplicationCluster, storage_key: SecretStr | None
) -> dict[str, Any]:
    identity = cluster.managed_identity
    return {
        "clusterVersion": cluster.cluster_version,
        "ossVersion": cluster.flink_version,
        "authorizationProfile": {
            "userIds": list(cluster.user_ids) or None,
            "groupIds": list(cluster.group_ids) or None,
        },
        "managedIdentityProfile": {
            "identityList": [
                {
                    "type": "cluster",
                    "resourceId": identity.resource_id,
                    "clientId": identity.client_id,
                    "objectId": identity.object_id,
                }
            ]
        },
        "flinkProfile": _flink_profile(cluster, storage_key),
        "serviceConfigsProfiles": [
            {
                "serviceName": "flink-operator",
                "configs": [
                    {
                        "component": "flink-configs",
                        "files": [{"fileName": "flink-conf.yaml", "values": cluster.flink_conf}],
                    }
                ],
            }
        ],
        "secretsProfile": _secrets_profile(cluster.hive_catalog),
        "logAnalyticsProfile": _log_analytics_profile(cluster),
        "prometheusProfile": {"enabled": cluster.prometheus},
        "clusterAccessProfile": {"enableInternalIngress": cluster.internal_ingress},
    }


def _flink_profile(
    cluster: FlinkApplicationCluster, storage_key: SecretStr | None
) -> dict[str, Any]:
    job = cluster.job
    return {
        "storage": {
            "storageUri": cluster.storage_uri,
            _SECRET: storage_key.get_secret_value() if storage_key else None,
        },
        "jobManager": _size(cluster.job_manager),
        "taskManager": _size(cluster.task_manager),
        "historyServer": _size(cluster.history_server),
        "numReplicas": cluster.task_manager_replicas,
        "deploymentMode": "Application",
        "catalogOptions": _catalog_options(cluster.hive_catalog),
        "jobSpec": {
            "jobJarDirectory": job.jar_directory,
            "jarName": job.jar_name,
            "entryClass": job.entry_class,
            "args": " ".join(job.args) or None,
            "savePointName": job.savepoint_name or None,
            "upgradeMode": job.upgrade_mode.value,
        },
    }


def _size(size: ComputeSize) -> dict[str, Any]:
    return {"cpu": size.cpu, "memory": size.memory_mb}


def _catalog_options(hive: HiveCatalog) -> dict[str, Any] | None:
    if not hive.database_url:
        return None
    return {
        "hive": {
            "metastoreDbConnectionURL": hive.database_url,
            "metastoreDbConnectionUserName": hive.user_name or None,
            "metastoreDbConnectionPasswordSecret": HIVE_PASSWORD if hive.needs_password else None,
            "metastoreDbConnectionAuthenticationMode": hive.authentication.value,
        }
    }


def _secrets_profile(hive: HiveCatalog) -> dict[str, Any] | None:
    if not hive.needs_password:
        return None
    return {
        "keyVaultResourceId": hive.key_vault_resource_id,
        "secrets": [
            {
                "referenceName": HIVE_PASSWORD,
                "type": "Secret",
                "keyVaultObjectName": hive.password_secret_name,
            }
        ],
    }


def _log_analytics_profile(cluster: FlinkApplicationCluster) -> dict[str, Any]:
    logs = cluster.log_analytics
    if not logs.enabled:
        return {"enabled": False}
    return {
        "enabled": True,
        "applicationLogs": {
            "stdOutEnabled": logs.standard_output,
            "stdErrorEnabled": logs.standard_error,
        },
        "metricsEnabled": logs.metrics,
    }


def differences(desired: Mapping[str, Any], observed: Mapping[str, Any]) -> list[str]:
    """The paths of the properties that a cluster which is there has otherwise.

    What the body does not set, ARM may have set; the storage key is never returned.
    """
    return sorted(_differing(desired, observed, ""))


def fixed(paths: list[str]) -> list[str]:
    """Those of the paths that cannot be changed once the cluster is there."""
    return [path for path in paths if any(path == f or path.startswith(f"{f}.") for f in _FIXED)]


def _differing(desired: Any, observed: Any, path: str) -> Iterator[str]:
    if isinstance(desired, Mapping):
        known = observed if isinstance(observed, Mapping) else {}
        for name, value in desired.items():
            if name != _SECRET:
                yield from _differing(value, known.get(name), f"{path}.{name}".lstrip("."))
    elif isinstance(desired, list) and isinstance(observed, list) and len(desired) == len(observed):
        for number, (one, other) in enumerate(zip(desired, observed, strict=True)):
            yield from _differing(one, other, f"{path}[{number}]")
    elif isinstance(desired, str) and isinstance(observed, str):
        if desired.rstrip("/") != observed.rstrip("/"):
            yield path
    elif desired != observed:
        yield path


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value
