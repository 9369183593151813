"""Types of what a person fills in."""

from __future__ import annotations

from typing import Annotated

from flinkglue.azure import names
from flinkglue.azure.storage.abfs import ABFS_PATTERN, AbfsUri
from flinkglue.azure.storage.abfs import ALLOWED as ABFS_ALLOWED
from flinkglue.form_types import Matched, checked
from flinkglue.quantities import Minutes


def _directory(field: str, value: str) -> str:
    AbfsUri.parse(value, field)
    return value


TenantId = Annotated[str, Matched(rf"^$|{names.TENANT_ID.pattern}", names.TENANT_ID.allowed)]
ClientId = Annotated[str, Matched(rf"^$|{names.CLIENT_ID.pattern}", names.CLIENT_ID.allowed)]
ResourceName = Annotated[str, names.RESOURCE_NAME]
OptionalResourceName = Annotated[
    str, Matched(rf"^$|{names.RESOURCE_NAME.pattern}", f"{names.RESOURCE_NAME.allowed}, or nothing")
]
ResourceGroup = Annotated[str, names.RESOURCE_GROUP]
JobNamePrefix = Annotated[str, names.JOB_NAME_PREFIX]
JarDirectory = Annotated[str, Matched(ABFS_PATTERN, ABFS_ALLOWED), checked(_directory)]
JarName = Annotated[str, names.JAR_NAME]
EntryClass = Annotated[str, names.ENTRY_CLASS]
Argument = Annotated[str, names.ARGUMENT]
DeadlineMinutes = Minutes
ApiVersion = Annotated[
    str, Matched(r"^\d{4}-\d{2}-\d{2}(-preview)?$", "a date, for example 2024-05-01-preview")
]
SecretPrefix = Annotated[str, Matched(r"^[0-9A-Za-z-]*$", "letters, digits and -, or nothing")]
