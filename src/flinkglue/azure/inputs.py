"""Types of what a person fills in: forms get the pattern, people read what is allowed."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

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
from flinkglue.form_types import checked
from flinkglue.quantities import Minutes
from flinkglue.texts import is_plain


class Allowed:
    """A pattern to match, and the same in words for who does not; the value is not repeated."""

    def __init__(self, pattern: str, words: str) -> None:
        self.pattern = pattern
        self.words = words

    def __call__(self, value: str) -> str:
        if re.fullmatch(self.pattern, value) is None or not is_plain(value):
            raise ValueError(f"it is not accepted. Allowed: {self.words}")
        return value


def _directory(field: str, value: str) -> str:
    AbfsUri.parse(value, field)
    return value


TenantId = Annotated[str, AfterValidator(Allowed(rf"^$|{TENANT_ID_PATTERN}", TENANT_ID_ALLOWED))]
ClientId = Annotated[str, AfterValidator(Allowed(rf"^$|{CLIENT_ID_PATTERN}", CLIENT_ID_ALLOWED))]
ResourceName = Annotated[
    str,
    AfterValidator(Allowed(RESOURCE_NAME_PATTERN, RESOURCE_NAME_ALLOWED)),
    Field(json_schema_extra={"pattern": RESOURCE_NAME_PATTERN}),
]
OptionalResourceName = Annotated[
    str,
    AfterValidator(Allowed(rf"^$|{RESOURCE_NAME_PATTERN}", f"{RESOURCE_NAME_ALLOWED}, or nothing")),
    Field(json_schema_extra={"pattern": rf"^$|{RESOURCE_NAME_PATTERN}"}),
]
ResourceGroup = Annotated[
    str,
    AfterValidator(Allowed(RESOURCE_GROUP_PATTERN, RESOURCE_GROUP_ALLOWED)),
    Field(json_schema_extra={"pattern": RESOURCE_GROUP_PATTERN}),
]
JobNamePrefix = Annotated[
    str,
    AfterValidator(Allowed(JOB_NAME_PREFIX_PATTERN, JOB_NAME_PREFIX_ALLOWED)),
    Field(json_schema_extra={"pattern": JOB_NAME_PREFIX_PATTERN}),
]
JarDirectory = Annotated[
    str,
    AfterValidator(Allowed(ABFS_PATTERN, ABFS_ALLOWED)),
    checked(_directory),
    Field(json_schema_extra={"pattern": ABFS_PATTERN}),
]
JarName = Annotated[
    str,
    AfterValidator(Allowed(JAR_NAME_PATTERN, JAR_NAME_ALLOWED)),
    Field(json_schema_extra={"pattern": JAR_NAME_PATTERN}),
]
EntryClass = Annotated[
    str,
    AfterValidator(Allowed(ENTRY_CLASS_PATTERN, ENTRY_CLASS_ALLOWED)),
    Field(json_schema_extra={"pattern": ENTRY_CLASS_PATTERN}),
]
Argument = Annotated[
    str,
    AfterValidator(Allowed(ARGUMENT_PATTERN, ARGUMENTS_ALLOWED)),
    Field(json_schema_extra={"pattern": ARGUMENT_PATTERN}),
]
DeadlineMinutes = Minutes
