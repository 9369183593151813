"""What the settings of a job mean for its runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flinkglue.glue.placement.demand import demand_of, usual_extra_nodes
from flinkglue.glue.placement.job_settings import oldest_live_run, warnings_about
from flinkglue.glue.placement.shortage import WhenNothingFits, usual_choice


def test_glues_own_retries_and_queuing_are_warned_about() -> None:
    """Both keep a run on the connection that has no room."""
    retries, queuing = warnings_about(
        {"Name": "nightly", "MaxRetries": 2, "JobRunQueuingEnabled": True}
    )
    assert "nightly has MaxRetries 2" in retries
    assert "queuing on" in queuing


def test_arguments_of_the_job_without_a_value_are_warned_about() -> None:
    [warning] = warnings_about(
        {
            "Name": "nightly",
            "DefaultArguments": {"--filter": "", "--enable-metrics": "", "--date": "today"},
            "NonOverridableArguments": {"--zone": ""},
        }
    )
    assert "nightly has arguments without a value: --filter, --zone." in warning


def test_a_job_that_fails_over_is_not_warned_about() -> None:
    assert warnings_about({"Name": "nightly", "MaxRetries": 0}) == []


def test_the_published_strategies_count_workers_alone_and_never_wait() -> None:
    """Good is as many free addresses as the job has workers."""
    job = {"NumberOfWorkers": 2}
    for name in ("random", "capacity"):
        assert demand_of(job, extra_nodes=usual_extra_nodes(name)).addresses == 2
        assert usual_choice(name) is WhenNothingFits.USE_BEST
    assert demand_of(job, extra_nodes=usual_extra_nodes("best_fit")).addresses == 4
    assert usual_choice("best_fit") is WhenNothingFits.WAIT


@pytest.mark.parametrize(
    ("job", "age"),
    [
        ({"Timeout": 60}, timedelta(days=1, hours=1)),
        ({"Timeout": 2880, "Command": {"Name": "glueetl"}}, timedelta(days=3)),
        ({}, timedelta(days=8)),
        ({"Timeout": 99999}, timedelta(days=8)),
        ({"Timeout": 60, "Command": {"Name": "gluestreaming"}}, timedelta(days=14, hours=3)),
    ],
)
def test_live_runs_are_looked_for_as_far_back_as_a_run_of_the_job_can_last(
    job: dict[str, Any], age: timedelta
) -> None:
    """Streaming runs last until the weekly maintenance after seven days."""
    assert oldest_live_run(job) == age
