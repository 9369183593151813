"""Types of what a person fills in about a Flink job. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from flinkglue.form_schema import InWords
from flinkglue.form_types import Matched, checked, or_empty
from flinkglue.lifecycle.program import JAVA_CLASS, PYTHON_MODULE
from flinkglue.lifecycle.request.addresses import (
    JAR_ALLOWED,
    JAR_PATTERN,
    jar_address,
    savepoint_address,
)

JarAddress = Annotated[str, checked(jar_address), InWords(JAR_PATTERN, JAR_ALLOWED)]
SavepointAddress = Annotated[str, checked(savepoint_address)]
OptionalSavepoint = Annotated[str, checked(or_empty(savepoint_address))]
JavaClass = Annotated[str, StringConstraints(max_length=500), JAVA_CLASS]
PythonModule = Annotated[str, StringConstraints(max_length=500), PYTHON_MODULE]
JobId = Annotated[
    str, Matched(r"^([0-9a-f]{32})?$", "a Flink job ID, 32 of 0-9 and a-f, or nothing")
]
