"""The versions that the provider offers."""

from __future__ import annotations

from typing import Any

from localcloud.azure.arm.responses import PROVIDER

API_VERSIONS = (
    "2024-05-01-preview",
    "2023-11-01-preview",
    "2023-06-01-preview",
    "2021-09-15-preview",
)

_POOL_VERSIONS = {"1.0": "1.26", "1.1": "1.27", "1.2": "1.27"}

FLINK_VERSIONS = (
    ("1.16.0", "1.0.6", "1.0"),
    ("1.17.0", "1.1.0", "1.1"),
    ("1.17.0", "1.1.1", "1.1"),
    ("1.17.0", "1.2.0", "1.2"),
)
"""Flink version, cluster version, pool version."""


def cluster_versions(subscription_id: str, location: str) -> list[dict[str, Any]]:
    """What availableClusterVersions lists."""
    return [
        {
            "id": f"/subscriptions/{subscription_id}/providers/{PROVIDER}/locations/{location}"
            f"/availableclusterversions/flink_{oss_version}-{cluster_version}",
            "name": f"flink_{oss_version}-{cluster_version}",
            "properties": {
                "clusterType": "Flink",
                "clusterVersion": cluster_version,
                "ossVersion": oss_version,
                "clusterPoolVersion": pool_version,
                "isPreview": False,
                "components": [
                    {"name": "TaskManager", "version": oss_version},
                    {"name": "JobManager", "version": oss_version},
                ],
            },
        }
        for oss_version, cluster_version, pool_version in FLINK_VERSIONS
    ]


def pool_versions(subscription_id: str, location: str) -> list[dict[str, Any]]:
    """What availableClusterPoolVersions lists."""
    return [
        {
            "id": f"/subscriptions/{subscription_id}/providers/{PROVIDER}/locations/{location}"
            f"/availableclusterpoolversions/{version}",
            "name": version,
            "properties": {
                "clusterPoolVersion": version,
                "aksVersion": aks_version,
                "isPreview": False,
            },
        }
        for version, aks_version in _POOL_VERSIONS.items()
    ]


def is_offered(oss_version: str, cluster_version: str) -> bool:
    """Whether a cluster can have this pair; a fourth part of the cluster version is a hotfix."""
    return any(
        oss_version == offered_oss and cluster_version.split(".")[:3] == offered.split(".")
        for offered_oss, offered, _ in FLINK_VERSIONS
    )
