"""Types of what a person fills in about a cluster: names, versions, places of Azure. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from flinkglue.azure.inputs import Allowed, JarDirectory

CLUSTER_NAME_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?$"

ClusterName = Annotated[
    str,
    AfterValidator(
        Allowed(CLUSTER_NAME_PATTERN, "1 to 62 of a-z 0-9 -, lower case, - only inside")
    ),
    Field(json_schema_extra={"pattern": CLUSTER_NAME_PATTERN}),
]
FlinkVersion = Annotated[
    str, AfterValidator(Allowed(r"^\d+\.\d+\.\d+$", "three numbers, for example 1.17.0"))
]
ClusterVersion = Annotated[
    str,
    AfterValidator(Allowed(r"^\d+\.\d+\.\d+(\.\d+)?$", "three or four numbers, for example 1.2.0")),
]
PoolVersion = Annotated[
    str, AfterValidator(Allowed(r"^(\d+\.\d+)?$", "two numbers, for example 1.2, or nothing"))
]
VmSize = Annotated[
    str,
    AfterValidator(
        Allowed(r"^[A-Za-z0-9_-]{1,256}$", "a size of Azure, for example Standard_D8ds_v5")
    ),
]
Location = Annotated[
    str, AfterValidator(Allowed(r"^[a-z0-9]+$", "an Azure region, for example westus3"))
]
Guid = Annotated[
    str,
    AfterValidator(Allowed(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", "a GUID")),
]
ResourceId = Annotated[
    str,
    AfterValidator(Allowed(r"^(/[^/\s]+/[^/\s]+)+$", "an ARM resource ID: /subscriptions/…")),
]
OptionalResourceId = Annotated[
    str,
    AfterValidator(
        Allowed(r"^((/[^/\s]+/[^/\s]+)+)?$", "an ARM resource ID: /subscriptions/…, or nothing")
    ),
]
StorageUri = JarDirectory
