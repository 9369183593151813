"""What the settings of a job mean for its runs. Pure."""

from __future__ import annotations

from datetime import timedelta

from flinkglue.glue.inputs import FLAGS
from flinkglue.glue.models import Job

LONGEST_TIMEOUT = timedelta(days=7)
"""Glue takes no longer time-out, and replaces a streaming run that has none after as long."""

MAINTENANCE_WITHIN = timedelta(days=7, hours=3)
"""The next weekly window may be that far off when the seven days are over."""

OLDEST_LIVE_RUN = LONGEST_TIMEOUT + MAINTENANCE_WITHIN
"""No live run of any job is older."""


def warnings_about(job: Job) -> list[str]:
    """What a person should change in the job, in words."""
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
    arguments = {
        **(job.get("DefaultArguments") or {}),
        **(job.get("NonOverridableArguments") or {}),
    }
    if empty := sorted(n for n, v in arguments.items() if not v and not n.startswith(FLAGS)):
        warnings.append(
            f"Job {name} has arguments without a value: {', '.join(empty)}. Glue passes only the "
            "names, and the script may take the next argument for the value."
        )
    return warnings


def oldest_live_run(job: Job) -> timedelta:
    """How old a live run of the job can be.

    A time-out counts from when the run has its resources, so a day is added for its start.

    Args:
        job: The Job structure of GetJob, with the run's own settings over it.
    """
    if (job.get("Command") or {}).get("Name") == "gluestreaming":
        return OLDEST_LIVE_RUN
    minutes = job.get("Timeout")
    longest = timedelta(minutes=minutes) if minutes else LONGEST_TIMEOUT
    return min(longest, LONGEST_TIMEOUT) + timedelta(days=1)
