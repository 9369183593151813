"""Types of what a person fills in about a cluster: names, versions, places of Azure. Pure."""

from __future__ import annotations

from typing import Annotated

from flinkglue.azure.inputs import JarDirectory
from flinkglue.form_types import Matched

ClusterName = Annotated[
    str,
    Matched(
        r"^[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?$", "1 to 62 of a-z 0-9 -, lower case, - only inside"
    ),
]
FlinkVersion = Annotated[str, Matched(r"^\d+\.\d+\.\d+$", "three numbers, for example 1.17.0")]
ClusterVersion = Annotated[
    str, Matched(r"^\d+\.\d+\.\d+(\.\d+)?$", "three or four numbers, for example 1.2.0")
]
PoolVersion = Annotated[str, Matched(r"^(\d+\.\d+)?$", "two numbers, for example 1.2, or nothing")]
VmSize = Annotated[
    str, Matched(r"^[A-Za-z0-9_-]{1,256}$", "a size of Azure, for example Standard_D8ds_v5")
]
Location = Annotated[str, Matched(r"^[a-z0-9]+$", "an Azure region, for example westus3")]
Guid = Annotated[str, Matched(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", "a GUID")]
ResourceId = Annotated[
    str, Matched(r"^(/[^/\s]+/[^/\s]+)+$", "an ARM resource ID: /subscriptions/…")
]
OptionalResourceId = Annotated[
    str, Matched(r"^((/[^/\s]+/[^/\s]+)+)?$", "an ARM resource ID: /subscriptions/…, or nothing")
]
StorageUri = JarDirectory
