"""Types of what a person fills in: forms get the pattern, people read what is allowed."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from flinkglue.azure.abfs import ABFS_PATTERN, AbfsUri
from flinkglue.azure.abfs import ALLOWED as ABFS_ALLOWED
from flinkglue.azure.names import (
    ARGUMENT_PATTERN,
    ARGUMENTS_ALLOWED,
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
)


class Allowed:
    """A pattern to match, and the same in words for who does not."""

    def __init__(self, pattern: str, words: str) -> None:
        self.pattern = pattern
        self.words = words

    def __call__(self, value: str) -> str:
        if re.fullmatch(self.pattern, value) is None:
            raise ValueError(f"{value!r} is not accepted. Allowed: {self.words}")
        return value


def _directory(value: str) -> str:
    AbfsUri.parse(value, "directory")
    return value


ResourceName = Annotated[
    str,
    AfterValidator(Allowed(RESOURCE_NAME_PATTERN, RESOURCE_NAME_ALLOWED)),
    Field(json_schema_extra={"pattern": RESOURCE_NAME_PATTERN}),
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
    AfterValidator(_directory),
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
Parallelism = Annotated[int, Field(ge=1)]
DeadlineMinutes = Annotated[float, Field(gt=0)]
