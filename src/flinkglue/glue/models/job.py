"""A job as Glue describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Job: TypeAlias = Mapping[str, Any]
"""The Job structure of GetJob. https://docs.aws.amazon.com/glue/latest/webapi/API_Job.html"""
