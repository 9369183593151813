"""Azure Resource Manager's HDInsight on AKS API, second half: clusters, versions, names, health.

API: https://learn.microsoft.com/rest/api/hdinsightonaks/clusters
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flinkglue.azure.arm.answers import SERVICE, arm_call, body_of, object_of
from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.models import FlinkClusterId, Operation, mapping
from flinkglue.errors import InvalidInput, NotFound

_CLUSTER_TYPE = "Microsoft.HDInsight/clusterPools/clusters"


@dataclass(frozen=True)
class InstanceView:
    """How a cluster's services are.

    Args:
        is_ready: Whether all of it is.
        reason: Why not, in a word.
        message: Why not, in a sentence.
    """

    is_ready: bool
    reason: str = ""
    message: str = ""

    @classmethod
    def from_json(cls, answer: object) -> InstanceView:
        """Read the answer; what is missing counts as not ready."""
        properties = mapping(mapping(answer).get("properties"))
        status = mapping(properties.get("status"))
        services = properties.get("serviceStatuses")
        rows = [mapping(row) for row in services] if isinstance(services, list) else []
        unready = [row for row in rows if not _is_true(row.get("ready"))]
        messages = [str(row.get("message") or row.get("kind") or "") for row in unready]
        return cls(
            _is_true(status.get("ready")) and not unready,
            str(status.get("reason") or ""),
            str(status.get("message") or "; ".join(filter(None, messages))),
        )


class ArmClusterClient(ArmClient):
    """``ArmClient`` with everything that clusters need besides their jobs."""

    def find_resource(self, cluster: FlinkClusterId) -> dict[str, Any] | None:
        """Clusters Get, as JSON; None only when ARM says that there is none."""
        call = arm_call("Clusters Get", cluster)
        try:
            found = self._read(call, self._url(cluster.resource_id))
        except NotFound as error:
            if error.code == "ResourceNotFound":
                return None
            raise  # the pool, the group or the subscription is not there
        return object_of(found, call)

    def get_pool(self, cluster: FlinkClusterId) -> dict[str, Any]:
        """Cluster Pools Get, as JSON.

        Raises:
            NotFound: There is no such pool.
        """
        pool_id = cluster.resource_id.rpartition("/clusters/")[0]
        call = arm_call("Cluster Pools Get", cluster.cluster_pool_name)
        return object_of(self._read(call, self._url(pool_id)), call)

    def put(self, cluster: FlinkClusterId, body: Mapping[str, Any]) -> Operation:
        """Clusters Create: creates or changes it. Sent twice, there is still one cluster."""
        url = self._url(cluster.resource_id)
        answer = self._read(arm_call("Clusters Create", cluster), url, "PUT", json=body)
        return Operation(answer.headers.get("Azure-AsyncOperation"), "Accepted")

    def delete(self, cluster: FlinkClusterId) -> Operation | None:
        """Clusters Delete; None when there is no such cluster."""
        url = self._url(cluster.resource_id)
        answer = self._read(arm_call("Clusters Delete", cluster), url, "DELETE")
        if answer.status_code == 204:
            return None
        where = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location")
        return Operation(where, "Deleting")

    def check_name(self, cluster: FlinkClusterId, location: str) -> None:
        """Locations Check Name Availability.

        Raises:
            InvalidInput: The name is taken, or is no name; with ARM's words.
        """
        name = f"{cluster.cluster_pool_name}/{cluster.cluster_name}"
        answer = self._read(
            arm_call("Check Name Availability", name),
            self._url(f"{_location(cluster, location)}/checkNameAvailability"),
            "POST",
            json={"name": name, "type": _CLUSTER_TYPE},
        )
        check = mapping(body_of(answer))
        if check.get("nameAvailable") is False:
            reason = check.get("message") or check.get("reason") or "another name"
            raise InvalidInput(
                "cluster_name", cluster.cluster_name, f"a name that is free: {reason}"
            )

    def flink_versions(self, cluster: FlinkClusterId, location: str) -> list[tuple[str, str]]:
        """Available Cluster Versions: each Flink version with a cluster version that has it."""
        url = self._url(f"{_location(cluster, location)}/availableClusterVersions")
        rows = self._items(arm_call("Available Cluster Versions", location), url)
        return [
            (str(offered.get("ossVersion") or ""), str(offered.get("clusterVersion") or ""))
            for offered in (mapping(mapping(row).get("properties")) for row in rows)
            if str(offered.get("clusterType", "")).lower() == "flink"
        ]

    def instance_view(self, cluster: FlinkClusterId) -> InstanceView:
        """Clusters Get Instance View; one that is not there yet is not ready."""
        url = self._url(f"{cluster.resource_id}/instanceViews/default")
        try:
            answer = self._read(arm_call("Get Instance View", cluster), url)
            return InstanceView.from_json(body_of(answer))
        except NotFound as error:
            return InstanceView(False, "NotFound", error.reason)

    def job_rows(self, cluster: FlinkClusterId) -> list[dict[str, Any]]:
        """Cluster Jobs List as JSON, for people to read."""
        url = self._url(f"{cluster.resource_id}/jobs")
        items = self._items(arm_call("Cluster Jobs List", cluster), url)
        return [dict(mapping(item)) for item in items]


def check_versions(
    offered: list[tuple[str, str]], flink_version: str, cluster_version: str, location: str
) -> None:
    """Make sure that a pair of versions is offered; a fourth number is a hotfix.

    Raises:
        InvalidInput: It is not; lists the pairs that are.
    """
    pairs = {(flink, _without_hotfix(cluster)) for flink, cluster in offered}
    if (flink_version, _without_hotfix(cluster_version)) not in pairs:
        allowed = ", ".join(f"{flink} with {cluster}" for flink, cluster in sorted(pairs)) or "none"
        requested = f"{flink_version} with {cluster_version}"
        raise InvalidInput(
            "flink_version, cluster_version",
            requested,
            f"what {SERVICE} offers in {location}: {allowed}",
        )


def _without_hotfix(cluster_version: str) -> str:
    return ".".join(cluster_version.split(".")[:3])


def check_pool(pool: Mapping[str, Any], pool_version: str, subnet_id: str) -> None:
    """Make sure that the pool has the version and the subnet that are asked for.

    Raises:
        InvalidInput: It has others; both belong to the pool and are chosen with it.
    """
    properties = mapping(pool.get("properties"))
    version = mapping(properties.get("clusterPoolProfile")).get("clusterPoolVersion")
    if pool_version and version and version != pool_version:
        raise InvalidInput("pool_version", pool_version, f"{version}, which the pool has")
    subnet = mapping(properties.get("networkProfile")).get("subnetId")
    if subnet_id and str(subnet or "").lower() != subnet_id.lower():
        raise InvalidInput("subnet_id", subnet_id, f"{subnet or 'none'}, which the pool has")


def _location(cluster: FlinkClusterId, location: str) -> str:
    provider = "providers/Microsoft.HDInsight"
    return f"/subscriptions/{cluster.subscription_id}/{provider}/locations/{location}"


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"
