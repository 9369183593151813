"""Which runs of a job hold addresses now, for strategy spread. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from flinkglue.errors import CallFailed
from flinkglue.glue.models import CONNECTION_ARGUMENT, JobRun, JobRunState
from flinkglue.glue.run_request import Log


def running_by_connection(pages: Iterable[list[JobRun]], since: datetime, log: Log) -> Counter[str]:
    """How many running runs each connection carries, as far as this project started them.

    Runs that are still starting are left out: their reservations count them.

    Args:
        pages: The job's runs, newest first; no more of them are read than needed.
        since: When the oldest live run can have started.
        log: Told when they cannot be read, which fails nothing: zones are then compared without.
    """
    running: Counter[str] = Counter()
    try:
        for page in pages:
            running.update(
                run.arguments.get(CONNECTION_ARGUMENT, "")
                for run in page
                if run.state == JobRunState.RUNNING
            )
            if any(run.started_on and run.started_on < since for run in page):
                break
    except CallFailed as error:
        log.warning("Zones are compared without the job's live runs: %s", error)
        return Counter()
    return running
