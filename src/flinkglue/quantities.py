"""Numbers as people fill them in: finite, with bounds and a unit, one type for each kind. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

_DAYS = 366
"""Nothing here waits for longer, and far more cannot be counted by clocks and timers."""

Days = Annotated[float, Field(gt=0, le=10 * _DAYS, allow_inf_nan=False)]
Hours = Annotated[float, Field(gt=0, le=_DAYS * 24, allow_inf_nan=False)]
Minutes = Annotated[float, Field(gt=0, le=_DAYS * 24 * 60, allow_inf_nan=False)]
MinutesOrNone = Annotated[float, Field(ge=0, le=_DAYS * 24 * 60, allow_inf_nan=False)]
"""Zero means: not at all."""
Seconds = Annotated[float, Field(gt=0, le=_DAYS * 24 * 3600, allow_inf_nan=False)]
SilentMinutes = Annotated[float, Field(ge=4, le=24 * 60, allow_inf_nan=False)]
"""More than the 3 minutes between two heartbeats of Prefect's flow engine."""
SecondsOrNone = Annotated[float, Field(ge=0, le=_DAYS * 24 * 3600, allow_inf_nan=False)]
"""Zero means: not at all."""
Count = Annotated[int, Field(ge=1, le=1_000_000)]
CountOrNone = Annotated[int, Field(ge=0, le=1_000_000)]
"""Zero means: none."""
Parallelism = Annotated[int, Field(ge=1, le=32768)]
"""How many subtasks; Flink's own most: https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/datastream/execution/parallel/"""
