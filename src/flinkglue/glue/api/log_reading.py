"""Read what a run's driver wrote, from its CloudWatch log streams.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
An answer may be empty although more events follow; the end is where the token that comes back is
the one that was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from flinkglue.clock import Clock
from flinkglue.errors import NotFound
from flinkglue.glue.errors import translated
from flinkglue.glue.log_places import LogPlace, LogTail, log_places
from flinkglue.glue.models import JobRun

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

T = TypeVar("T")

PAGES_OF_A_TAIL = 50
TAIL_READ_WITHIN_SECONDS = 10.0
"""How long the end of a log is paged for, over answers that are empty or short."""

NO_GROUP = "log group does not exist"
"""Of a ResourceNotFoundException; where only the stream is missing, it names the stream."""

CLOCKS_DIFFER = timedelta(seconds=10)
FLUSHED_WITHIN = timedelta(minutes=2)


class LogPosition(NamedTuple):
    """How far a stream was read."""

    place: LogPlace
    token: str


class LogPage(NamedTuple):
    """At most 10,000 lines or 1 MB of them, and how far they go.

    `read_until` is None while there is no such stream. A page may be empty although more follow:
    only one that goes no further than the page before it is the last.
    """

    lines: list[str]
    read_until: LogPosition | None


class _Answer(NamedTuple):
    lines: list[str]
    forward: str
    backward: str


def new_log_lines(
    logs: CloudWatchLogsClient, run: JobRun, kind: str, read_until: LogPosition | None
) -> LogPage:
    """The lines after those that were read until there, the oldest first."""
    if read_until is not None:
        given = {"startFromHead": True, "nextToken": read_until.token}
        with suppress(NotFound):
            return _page(read_until.place, _answer(logs, run, read_until.place, given))
        return LogPage([], None)
    pages = _where_it_exists(
        log_places(run, kind), lambda place: _answer(logs, run, place, {"startFromHead": True})
    )
    return next((_page(place, answer) for place, answer in pages), LogPage([], None))


def last_log_lines(
    logs: CloudWatchLogsClient, run: JobRun, kind: str, most: int, clock: Clock
) -> LogTail:
    """The last lines, back over pages that are empty or short."""
    tails = _where_it_exists(
        log_places(run, kind), lambda place: _last_lines(logs, run, place, most, clock)
    )
    return next((LogTail(lines, place) for place, lines in tails), LogTail([], None))


def _where_it_exists(
    places: Sequence[LogPlace], read: Callable[[LogPlace], T]
) -> Iterator[tuple[LogPlace, T]]:
    """What is read of each stream that exists; a group that does not exist has none."""
    missing = set()
    for place in places:
        if place.log_group_name in missing:
            continue
        try:
            yield place, read(place)
        except NotFound as error:
            if NO_GROUP in error.reason:
                missing.add(place.log_group_name)


def _last_lines(
    logs: CloudWatchLogsClient, run: JobRun, place: LogPlace, most: int, clock: Clock
) -> list[str]:
    lines: list[str] = []
    token, give_up_at = None, clock.monotonic() + TAIL_READ_WITHIN_SECONDS
    for _ in range(PAGES_OF_A_TAIL):
        given: dict[str, Any] = {"limit": most, "startFromHead": False}
        try:
            answer = _answer(logs, run, place, given | ({"nextToken": token} if token else {}))
        except NotFound:
            if token:  # it was deleted meanwhile
                break
            raise
        lines = [*answer.lines, *lines]
        if len(lines) >= most or answer.backward == token or clock.monotonic() > give_up_at:
            break
        token = answer.backward
    return lines[-most:]


def _page(place: LogPlace, answer: _Answer) -> LogPage:
    return LogPage(answer.lines, LogPosition(place, answer.forward))


def _answer(
    logs: CloudWatchLogsClient, run: JobRun, place: LogPlace, given: dict[str, Any]
) -> _Answer:
    """One page.

    Raises:
        NotFound: There is no such stream.
    """
    if place.is_shared:
        given = given | _times(run)
    with translated("CloudWatch Logs", "GetLogEvents", str(place)):
        answer = logs.get_log_events(
            logGroupName=place.log_group_name,
            logStreamName=place.log_stream_name,
            **given,
        )
    lines = [line for event in answer["events"] for line in event["message"].splitlines()]
    return _Answer(lines, answer["nextForwardToken"], answer["nextBackwardToken"])


def _times(run: JobRun) -> dict[str, Any]:
    """When the run's own lines can have been written to a stream that runs share."""
    began = {"startTime": _ms(run.started_on - CLOCKS_DIFFER)} if run.started_on else {}
    ended = {"endTime": _ms(run.completed_on + FLUSHED_WITHIN)} if run.completed_on else {}
    return began | ended


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
