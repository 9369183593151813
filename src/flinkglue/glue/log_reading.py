"""Read what a run's driver wrote, from its two CloudWatch log streams.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from flinkglue.errors import NotFound
from flinkglue.glue.models import JobRun
from flinkglue.glue.service_errors import translated

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient


class LogPage(NamedTuple):
    """At most 10,000 lines or 1 MB of them, and how far they go.

    `read_until` is None while there is no such stream. A page may be empty although more follow:
    only one that goes no further than the page before it is the last.
    """

    lines: list[str]
    read_until: str | None


def new_log_lines(
    logs: CloudWatchLogsClient, run: JobRun, kind: str, read_until: str | None
) -> LogPage:
    """The lines after those that were read until there, the oldest first."""
    given = {"startFromHead": True}
    page = _page(logs, run, kind, given | ({"nextToken": read_until} if read_until else {}))
    return page or LogPage([], None)


def last_log_lines(logs: CloudWatchLogsClient, run: JobRun, kind: str, most: int) -> list[str]:
    """The last lines; none when there is no such stream."""
    page = _page(logs, run, kind, {"limit": most, "startFromHead": False})
    return page.lines[-most:] if page else []


def _page(
    logs: CloudWatchLogsClient, run: JobRun, kind: str, given: dict[str, Any]
) -> LogPage | None:
    group = f"{run.log_group_name}/{kind}"
    try:
        with translated("CloudWatch Logs", "GetLogEvents", f"{group} {run.job_run_id}"):
            answer = logs.get_log_events(logGroupName=group, logStreamName=run.job_run_id, **given)
    except NotFound:
        return None
    lines = [line for event in answer["events"] for line in event["message"].splitlines()]
    return LogPage(lines, answer["nextForwardToken"])
