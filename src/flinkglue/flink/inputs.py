"""Types of what a person fills in about a Flink job: forms get the pattern. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from flinkglue.form_types import checked, form, or_empty
from flinkglue.lifecycle.program import PYTHON_MODULE_PATTERN
from flinkglue.lifecycle.request.addresses import JAR_PATTERN, jar_address, savepoint_address

JarAddress = Annotated[str, checked(jar_address), form(JAR_PATTERN)]
OptionalSavepoint = Annotated[str, checked(or_empty(savepoint_address))]
JavaClass = Annotated[
    str, Field(pattern=r"^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*$", max_length=500)
]
PythonModule = Annotated[str, Field(pattern=PYTHON_MODULE_PATTERN, max_length=500)]
JobId = Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$")]
