"""Types of what a person fills in about a Flink job. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from flinkglue.form_schema import InWords
from flinkglue.form_types import Matched, checked, or_empty
from flinkglue.lifecycle.program import PYTHON_MODULE_PATTERN
from flinkglue.lifecycle.request.addresses import (
    JAR_ALLOWED,
    JAR_PATTERN,
    jar_address,
    savepoint_address,
)

JarAddress = Annotated[str, checked(jar_address), InWords(JAR_PATTERN, JAR_ALLOWED)]
OptionalSavepoint = Annotated[str, checked(or_empty(savepoint_address))]
JavaClass = Annotated[
    str,
    StringConstraints(max_length=500),
    Matched(
        r"^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*$",
        "a full Java class name, for example com.example.Job",
    ),
]
PythonModule = Annotated[
    str,
    StringConstraints(max_length=500),
    Matched(PYTHON_MODULE_PATTERN, "a Python module, for example orders.main"),
]
JobId = Annotated[
    str, Matched(r"^([0-9a-f]{32})?$", "a Flink job ID, 32 of 0-9 and a-f, or nothing")
]
