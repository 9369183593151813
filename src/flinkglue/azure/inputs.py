"""Types of what a person fills in."""

from __future__ import annotations

from typing import Annotated

from flinkglue.azure.names import (
    ARGUMENT_PATTERN,
    ARGUMENTS_ALLOWED,
    CLIENT_ID_ALLOWED,
    CLIENT_ID_PATTERN,
    ENTRY_CLASS_ALLOWED,
    ENTRY_CLASS_PATTERN,
    JAR_NAME_ALLOWED,
    JAR_NAME_PATTERN,
    JOB_NAME_PREFIX_ALLOWED,
    JOB_NAME_PREFIX_PATTERN,
    RESOURCE_GROUP_ALLOWED,
    RESOURCE_GROUP_PATTERN,
    RESOURCE_NAME_ALLOWED,
    RESOURCE_NAME_PATTERN,
    TENANT_ID_ALLOWED,
    TENANT_ID_PATTERN,
)
from flinkglue.azure.storage.abfs import ABFS_PATTERN, AbfsUri
from flinkglue.azure.storage.abfs import ALLOWED as ABFS_ALLOWED
from flinkglue.form_types import Matched, checked
from flinkglue.quantities import Minutes


def _directory(field: str, value: str) -> str:
    AbfsUri.parse(value, field)
    return value


TenantId = Annotated[str, Matched(rf"^$|{TENANT_ID_PATTERN}", TENANT_ID_ALLOWED)]
ClientId = Annotated[str, Matched(rf"^$|{CLIENT_ID_PATTERN}", CLIENT_ID_ALLOWED)]
ResourceName = Annotated[str, Matched(RESOURCE_NAME_PATTERN, RESOURCE_NAME_ALLOWED)]
OptionalResourceName = Annotated[
    str, Matched(rf"^$|{RESOURCE_NAME_PATTERN}", f"{RESOURCE_NAME_ALLOWED}, or nothing")
]
ResourceGroup = Annotated[str, Matched(RESOURCE_GROUP_PATTERN, RESOURCE_GROUP_ALLOWED)]
JobNamePrefix = Annotated[str, Matched(JOB_NAME_PREFIX_PATTERN, JOB_NAME_PREFIX_ALLOWED)]
JarDirectory = Annotated[str, Matched(ABFS_PATTERN, ABFS_ALLOWED), checked(_directory)]
JarName = Annotated[str, Matched(JAR_NAME_PATTERN, JAR_NAME_ALLOWED)]
EntryClass = Annotated[str, Matched(ENTRY_CLASS_PATTERN, ENTRY_CLASS_ALLOWED)]
Argument = Annotated[str, Matched(ARGUMENT_PATTERN, ARGUMENTS_ALLOWED)]
DeadlineMinutes = Minutes
ApiVersion = Annotated[
    str, Matched(r"^\d{4}-\d{2}-\d{2}(-preview)?$", "a date, for example 2024-05-01-preview")
]
SecretPrefix = Annotated[str, Matched(r"^[0-9A-Za-z-]*$", "letters, digits and -, or nothing")]
