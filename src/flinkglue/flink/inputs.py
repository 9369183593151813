"""Types of what a person fills in about a Flink job: forms get the pattern."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from flinkglue.lifecycle.asked import JAR_PATTERN

FLINK_URL_PATTERN = r"^https?://[^\s@?#]+$"
"""A JobManager's address: neither user and password nor a query, for links and errors tell it."""

OptionalFlinkUrl = Annotated[str, Field(pattern=r"^(https?://[^\s@?#]+)?$")]
JobName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
JarAddress = Annotated[str, Field(pattern=JAR_PATTERN)]
JavaClass = Annotated[str, Field(pattern=r"^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*$")]
JobId = Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$")]
Parallelism = Annotated[int, Field(ge=1, le=32768)]
Positive = Annotated[float, Field(gt=0)]
