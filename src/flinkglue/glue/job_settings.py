"""Settings of a job that defeat failover. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def warnings_about(job: Mapping[str, Any]) -> list[str]:
    """What a person should change in the job, in words.

    Args:
        job: The Job structure of GetJob.
    """
    name, warnings = job.get("Name", ""), []
    if retries := job.get("MaxRetries"):
        warnings.append(
            f"Job {name} has MaxRetries {retries}: Glue repeats a failed run on the same "
            "connection before this flow may choose another. Set it to 0."
        )
    if job.get("JobRunQueuingEnabled"):
        warnings.append(
            f"Job {name} has job queuing on: a run waits for addresses in its full subnet "
            "instead of failing over. Switch it off."
        )
    return warnings
