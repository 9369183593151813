"""Which runs of a job strategy spread counts, and how far back it reads."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flinkglue.errors import Throttled
from flinkglue.glue.models import JobRun
from flinkglue.glue.placement.job_settings import oldest_live_run
from flinkglue.glue.placement.readings import running_by_connection

LOG = logging.getLogger(__name__)
STREAMING = {"Command": {"Name": "gluestreaming"}, "Timeout": 2880}
NIGHTLY = {"Command": {"Name": "glueetl"}, "Timeout": 60}


def run(days_ago: float, connection_name: str, state: str = "RUNNING") -> JobRun:
    started_on = datetime.now(UTC) - timedelta(days=days_ago)
    arguments = {"--flinkglue-connection": connection_name}
    return JobRun("nightly", "jr_1", state, started_on=started_on, arguments=arguments)


def counted(job: dict[str, Any], *pages: list[JobRun]) -> tuple[dict[str, int], int]:
    """The runs by connection, and how many pages were asked for."""
    asked: list[list[JobRun]] = []

    def read() -> Iterator[list[JobRun]]:
        for page in pages:
            asked.append(page)
            yield page

    since = datetime.now(UTC) - oldest_live_run(job)
    return dict(running_by_connection(read(), since, LOG)), len(asked)


def test_a_streaming_run_of_last_week_still_counts() -> None:
    pages = [run(1, "a", "SUCCEEDED")], [run(3, "a")], [run(8, "b")], [run(15, "a")], [run(30, "b")]
    assert counted(STREAMING, *pages) == ({"a": 2, "b": 1}, 4)


def test_of_a_job_whose_runs_last_an_hour_no_older_page_is_read() -> None:
    pages = [run(0.1, "b"), run(2, "a", "SUCCEEDED")], [run(3, "a", "SUCCEEDED")]
    assert counted(NIGHTLY, *pages) == ({"b": 1}, 1)


def test_runs_that_are_still_starting_are_counted_by_their_reservations() -> None:
    assert counted(NIGHTLY, [run(0, "a", "STARTING"), run(0, "b", "WAITING")]) == ({}, 1)


def test_runs_that_cannot_be_read_are_told_and_do_not_fail_the_choice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def read() -> Iterator[list[JobRun]]:
        yield [run(0, "a")]
        raise Throttled("AWS Glue", "GetJobRuns", "job nightly", "Rate exceeded")

    assert not running_by_connection(read(), datetime.now(UTC), LOG)
    assert "without the job's live runs" in caplog.text
