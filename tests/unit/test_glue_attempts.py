"""Which attempts follow from what is recorded."""

from __future__ import annotations

import pytest

from flinkglue.glue.attempts import (
    Attempt,
    RetryPolicy,
    attempt_number,
    failed_connections,
    is_recorded,
    run_key,
    with_attempt,
)
from flinkglue.glue.failures import Failure, FailureClass
from flinkglue.glue.models import JobRun


def attempt(number: int, state: str, failure_class: FailureClass | None = None) -> Attempt:
    failure = Failure(failure_class, "evidence", "advice") if failure_class else None
    return Attempt(number, JobRun("nightly", f"jr_{number}", state), f"subnet-{number}", failure)


def failed(number: int, failure_class: FailureClass = FailureClass.FAIL_OVER) -> Attempt:
    return attempt(number, "FAILED", failure_class)


def numbers(policy: RetryPolicy, *earlier: Attempt) -> list[int]:
    return [number for number, _ in policy.schedule(earlier)]


TWICE = RetryPolicy(retries=2, delay_seconds=30)


def test_the_pause_doubles_from_retry_to_retry() -> None:
    assert TWICE.schedule([]) == [(1, 0.0), (2, 30.0), (3, 60.0)]


def test_no_retries_is_one_attempt() -> None:
    assert RetryPolicy(0, 30).schedule([]) == [(1, 0.0)]


def test_a_live_run_is_continued_under_its_number() -> None:
    assert numbers(TWICE, failed(1), attempt(2, "RUNNING")) == [2, 3]


def test_a_run_that_succeeded_unseen_is_not_run_again() -> None:
    assert numbers(TWICE, attempt(1, "SUCCEEDED"))[0] == 1


def test_after_a_crash_between_two_attempts_the_rest_is_made() -> None:
    assert numbers(TWICE, failed(1)) == [2, 3]


def test_a_person_who_retries_a_flow_run_that_used_all_attempts_gets_new_ones() -> None:
    assert numbers(TWICE, failed(1), failed(2), failed(3)) == [4, 5, 6]


def test_a_person_who_retries_after_correcting_a_script_gets_new_attempts() -> None:
    assert numbers(TWICE, failed(1, FailureClass.STOP)) == [2, 3, 4]


def test_a_live_run_of_a_later_round_is_continued_too() -> None:
    assert numbers(TWICE, failed(3), attempt(4, "RUNNING")) == [4]


@pytest.mark.parametrize(
    ("failure_class", "every_failure", "again"),
    [
        (FailureClass.FAIL_OVER, False, True),
        (FailureClass.WAIT, False, True),
        (FailureClass.STOP, False, False),
        (FailureClass.STOP, True, True),
    ],
)
def test_a_failure_that_paying_again_would_not_help_ends_the_attempts_unless_asked(
    failure_class: FailureClass, every_failure: bool, again: bool
) -> None:
    policy = RetryPolicy(2, 30, every_failure)
    assert policy.again(failed(1, failure_class)) is again


def test_success_needs_no_further_attempt() -> None:
    assert not RetryPolicy(2, 30, every_failure=True).again(attempt(1, "SUCCEEDED"))


def test_connections_that_failed_are_told_in_order_and_waiting_blames_none() -> None:
    attempts = [failed(1), failed(2, FailureClass.WAIT), failed(3), attempt(4, "RUNNING")]
    assert failed_connections(attempts) == ["subnet-1", "subnet-3"]


def test_an_attempt_that_was_continued_replaces_its_record() -> None:
    attempts = with_attempt([failed(1), attempt(2, "RUNNING")], attempt(2, "SUCCEEDED"))
    assert [(a.number, a.run and a.run.state) for a in attempts] == [
        (1, "FAILED"),
        (2, "SUCCEEDED"),
    ]
    assert is_recorded(attempts, 2)
    assert not is_recorded(attempts, 3)


@pytest.mark.parametrize(
    ("key", "number"),
    [
        (run_key("abc", 12), 12),
        ("abd/1", None),
        ("abc", None),
        ("abc/", None),
        ("abc/one", None),
        ("", None),
    ],
)
def test_only_keys_of_this_flow_run_have_a_number(key: str, number: int | None) -> None:
    assert attempt_number(key, "abc") == number
