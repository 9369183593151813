"""Types of what a person fills in about Azure: names, versions and places. Pure."""

from __future__ import annotations

from typing import Annotated

from flinkglue.azure import names
from flinkglue.azure.storage.abfs import ABFS_PATTERN, AbfsUri
from flinkglue.azure.storage.abfs import ALLOWED as ABFS_ALLOWED
from flinkglue.form_types import Matched, checked
from flinkglue.lifecycle.program import JAVA_CLASS
from flinkglue.quantities import Minutes


def _directory(field: str, value: str) -> str:
    AbfsUri.parse(value, field)
    return value


TenantId = Annotated[str, Matched(rf"^$|{names.TENANT_ID.pattern}", names.TENANT_ID.allowed)]
ClientId = Annotated[str, Matched(rf"^$|{names.CLIENT_ID.pattern}", names.CLIENT_ID.allowed)]
ResourceName = Annotated[str, names.RESOURCE_NAME]
OptionalResourceName = Annotated[str, names.OPTIONAL_RESOURCE_NAME]
ResourceGroup = Annotated[str, names.RESOURCE_GROUP]
JobNamePrefix = Annotated[str, names.JOB_NAME_PREFIX]
JarDirectory = Annotated[str, Matched(ABFS_PATTERN, ABFS_ALLOWED), checked(_directory)]
JarName = Annotated[str, names.JAR_NAME]
EntryClass = Annotated[str, JAVA_CLASS]
Argument = Annotated[str, names.ARGUMENT]
DeadlineMinutes = Minutes
ApiVersion = Annotated[
    str, Matched(r"^\d{4}-\d{2}-\d{2}(-preview)?$", "a date, for example 2024-05-01-preview")
]
SecretPrefix = Annotated[str, Matched(r"^[0-9A-Za-z-]*$", "letters, digits and -, or nothing")]
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
