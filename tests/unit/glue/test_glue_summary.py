"""How a flow run ended, in one line."""

from __future__ import annotations

from typing import Any

import pytest

from flinkglue.glue.attempts import Attempt, AttemptFailed
from flinkglue.glue.failures.classification import classify
from flinkglue.glue.models import JobRun
from flinkglue.glue.run.cost import limit_in_words
from flinkglue.glue.run.words.summary import summary_in_words
from flinkglue.texts import duration_in_words, sentences


def attempt(number: int, state: str, connection_name: str | None, **more: Any) -> Attempt:
    fields = {"Id": f"jr_{number}", "JobName": "orders", "JobRunState": state, "MaxCapacity": 8.0}
    run = JobRun.from_response({**fields, **more})
    failure = classify(state, "Resource unavailable") if state == "FAILED" else None
    return Attempt(number, run, connection_name, failure)


def test_all_attempts_together() -> None:
    attempts = [
        attempt(1, "FAILED", "Subnet1", ExecutionTime=30),
        attempt(2, "SUCCEEDED", "Subnet2", ExecutionTime=150),
    ]
    assert summary_in_words(attempts) == "SUCCEEDED on Subnet2 after 2 attempts, 0.4 DPU-hours"
    priced = summary_in_words(attempts, price_per_dpu_hour=0.44)
    assert priced.endswith("0.4 DPU-hours, about 0.18")


def test_one_attempt_is_not_counted() -> None:
    only = attempt(1, "SUCCEEDED", "Subnet1", ExecutionTime=3600)
    assert summary_in_words([only]) == "SUCCEEDED on Subnet1, 8 DPU-hours"
    assert summary_in_words([attempt(1, "SUCCEEDED", None, ExecutionTime=1)]) == (
        "SUCCEEDED, less than 0.01 DPU-hours"
    )


def test_a_run_that_goes_on_and_one_that_never_began() -> None:
    assert summary_in_words([attempt(1, "RUNNING", "a")]) == "RUNNING on a, not waited for"
    refused = Attempt(1, None, "a", classify("FAILED", "Number of IP addresses on subnet is 0"))
    assert summary_in_words([refused]) == "Not started on a"
    assert str(AttemptFailed(refused)) == "Refused on a: Number of IP addresses on subnet is 0"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (42.4, "42 s"),
        (60, "1 min"),
        (185, "3 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_a_duration_has_as_many_digits_as_matter(seconds: float, words: str) -> None:
    assert duration_in_words(seconds) == words


def test_the_limit_counts_all_runs_of_a_flow_run() -> None:
    """From the hour on that reaches it; also those before somebody retried the flow run."""
    attempts = [attempt(number, "FAILED", "a", ExecutionTime=450) for number in (1, 2)]
    assert limit_in_words(attempts, 2.0) == "2 DPU-hours of at most 2 are used"
    assert limit_in_words(attempts, 2.01) == ""
    assert limit_in_words(attempts[:1], 2.0) == ""
    assert limit_in_words(attempts, None) == ""


def test_sentences_end_once() -> None:
    assert sentences("FAILED on a", "", "What to do: retry.", "Why?") == (
        "FAILED on a. What to do: retry. Why?"
    )
