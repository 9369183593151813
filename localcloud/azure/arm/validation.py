"""What a body must look like; every problem is named, not only the first one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from localcloud.azure.arm.responses import ArmRefused
from localcloud.azure.arm.versions import is_offered

LEAST_MEMORY_MB = 1800

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,61}[A-Za-z0-9]")
_VM_SIZE = re.compile(r"[a-zA-Z0-9_\-]{1,256}")
_CLUSTER_VERSION = re.compile(r"\d+\.\d+\.\d+(\.\d+)?")
_OSS_VERSION = re.compile(r"\d+\.\d+\.\d+")
_POOL_VERSION = re.compile(r"\d+\.\d+")
_STORAGE_URI = re.compile(r"abfss?://[^@/]+@[^/]+(/.*)?")

Problem = tuple[str, str]
"""The property's path and what is wrong with it."""


def is_name(name: str) -> bool:
    """Whether a pool or a cluster can have this name."""
    return bool(_NAME.fullmatch(name))


def check_pool(body: Mapping[str, Any]) -> None:
    """Refuse a pool that cannot be made.

    Raises:
        ArmRefused: 400 with one detail per problem.
    """
    _refuse(_pool_problems(body))


def check_cluster(body: Mapping[str, Any]) -> None:
    """Refuse a cluster that cannot be made.

    Raises:
        ArmRefused: 400 with one detail per problem.
    """
    _refuse(_cluster_problems(body))


def check_unchanged(path: str, old: Any, new: Any) -> None:
    """Refuse to change what can only be set at creation.

    Raises:
        ArmRefused: 400.
    """
    if old != new:
        raise _refusal([(path, "cannot be changed after creation")])


def refuse_property(path: str, problem: str) -> NoReturn:
    """Refuse one property.

    Raises:
        ArmRefused: Always.
    """
    raise _refusal([(path, problem)])


def _refuse(problems: Iterator[Problem]) -> None:
    found = list(problems)
    if found:
        raise _refusal(found)


def _refusal(problems: Sequence[Problem]) -> ArmRefused:
    details = [
        {"code": "InvalidProperty", "message": f"{path}: {problem}.", "target": path}
        for path, problem in problems
    ]
    message = "The request is invalid. " + " ".join(detail["message"] for detail in details)
    return ArmRefused(400, "ValidationError", message, target=problems[0][0], details=details)


def _value(body: Mapping[str, Any], path: str) -> Any:
    value: Any = body
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _matching(body: Mapping[str, Any], path: str, pattern: re.Pattern[str]) -> Iterator[Problem]:
    value = _value(body, path)
    if not value:
        yield path, "is required"
    elif not isinstance(value, str) or not pattern.fullmatch(value):
        yield path, f"{value!r} is not valid, it has to match {pattern.pattern}"


def _required(body: Mapping[str, Any], *paths: str) -> Iterator[Problem]:
    for path in paths:
        if not _value(body, path):
            yield path, "is required"


def _one_of(body: Mapping[str, Any], path: str, allowed: tuple[str, ...]) -> Iterator[Problem]:
    value = _value(body, path)
    if value is not None and value not in allowed:
        yield path, f"{value!r} is not one of {', '.join(allowed)}"


def _pool_problems(body: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _required(body, "location")
    yield from _matching(body, "properties.computeProfile.vmSize", _VM_SIZE)
    if _value(body, "properties.clusterPoolProfile") is not None:
        path = "properties.clusterPoolProfile.clusterPoolVersion"
        yield from _matching(body, path, _POOL_VERSION)


def _cluster_problems(body: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _required(body, "location")
    cluster_type = _value(body, "properties.clusterType")
    if cluster_type != "Flink":
        yield "properties.clusterType", f"{cluster_type!r} is not served here, only 'Flink'"
    yield from _node_problems(body)
    profile = _value(body, "properties.clusterProfile")
    if not isinstance(profile, Mapping):
        yield "properties.clusterProfile", "is required"
        return
    for path, problem in _profile_problems(profile):
        yield f"properties.clusterProfile.{path}", problem


def _node_problems(body: Mapping[str, Any]) -> Iterator[Problem]:
    path = "properties.computeProfile.nodes"
    nodes = _value(body, path)
    if not isinstance(nodes, list) or not nodes:
        yield path, "is required"
        return
    for index, node in enumerate(nodes):
        if str(_value(node, "type")).lower() not in ("head", "worker"):
            yield f"{path}[{index}].type", "is not one of Head, Worker"
        if not isinstance(_value(node, "count"), int) or node["count"] < 0:
            yield f"{path}[{index}].count", "has to be 0 or more"
        yield from (
            (f"{path}[{index}].{name}", problem)
            for name, problem in _matching(node, "vmSize", _VM_SIZE)
        )


def _profile_problems(profile: Mapping[str, Any]) -> Iterator[Problem]:
    versions = [
        *_matching(profile, "clusterVersion", _CLUSTER_VERSION),
        *_matching(profile, "ossVersion", _OSS_VERSION),
    ]
    yield from versions
    if not versions and not is_offered(profile["ossVersion"], profile["clusterVersion"]):
        pair = f"{profile['ossVersion']}-{profile['clusterVersion']}"
        yield "clusterVersion", f"{pair} is not available, see availableClusterVersions"
    yield from _required(profile, "authorizationProfile")
    yield from _matching(profile, "flinkProfile.storage.storageUri", _STORAGE_URI)
    for part, required in (("jobManager", True), ("taskManager", True), ("historyServer", False)):
        yield from _resource_problems(profile, f"flinkProfile.{part}", required=required)
    yield from _deployment_problems(profile)


def _resource_problems(
    profile: Mapping[str, Any], path: str, *, required: bool
) -> Iterator[Problem]:
    resource = _value(profile, path)
    if resource is None:
        if required:
            yield path, "is required"
        return
    if not isinstance(_value(resource, "cpu"), int | float) or resource["cpu"] <= 0:
        yield f"{path}.cpu", "has to be more than 0"
    if not isinstance(_value(resource, "memory"), int) or resource["memory"] < LEAST_MEMORY_MB:
        yield f"{path}.memory", f"has to be {LEAST_MEMORY_MB} MB or more"


def _deployment_problems(profile: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _one_of(profile, "flinkProfile.deploymentMode", ("Application", "Session"))
    if _value(profile, "flinkProfile.deploymentMode") == "Application":
        for name in ("jobJarDirectory", "jarName", "upgradeMode"):
            yield from _required(profile, f"flinkProfile.jobSpec.{name}")
        modes = ("STATELESS_UPDATE", "UPDATE", "LAST_STATE_UPDATE")
        yield from _one_of(profile, "flinkProfile.jobSpec.upgradeMode", modes)
    yield from _one_of(
        profile,
        "flinkProfile.catalogOptions.hive.metastoreDbConnectionAuthenticationMode",
        ("SqlAuth", "IdentityAuth"),
    )
