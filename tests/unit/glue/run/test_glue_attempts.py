"""Which attempts follow from what is recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flinkglue.glue.attempts import (
    Attempt,
    RetryPolicy,
    attempt_number,
    is_recorded,
    run_key,
    settled_number,
    with_attempt,
)
from flinkglue.glue.failures.classification import Failure
from flinkglue.glue.failures.rule import FailureClass
from flinkglue.glue.models import JobRun, Ranking

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def attempt(
    number: int,
    state: str,
    failure_class: FailureClass | None = None,
    connection_name: str | None = None,
) -> Attempt:
    """Attempts start a minute apart, each on a connection of its own."""
    failure = Failure(failure_class, "evidence", "advice") if failure_class else None
    started_on = BEGAN + timedelta(minutes=number)
    run = JobRun("nightly", f"jr_{number}", state, started_on=started_on)
    return Attempt(number, run, connection_name or f"subnet-{number}", failure)


def failed(
    number: int,
    failure_class: FailureClass = FailureClass.FAIL_OVER,
    connection_name: str | None = None,
) -> Attempt:
    return attempt(number, "FAILED", failure_class, connection_name)


def seen_failing(*attempts: Attempt, after: int) -> int:
    """What is settled when the flow run ended as Failed half a minute after that attempt began."""
    return settled_number(attempts, BEGAN + timedelta(minutes=after, seconds=30))


TWICE = RetryPolicy(retries=2, delay_seconds=30)


def test_the_first_attempt_has_number_one() -> None:
    assert TWICE.first_number([]) == 1


@pytest.mark.parametrize(
    "last",
    [
        attempt(2, "RUNNING"),
        attempt(2, "SUCCEEDED"),
        failed(2),
        failed(2, FailureClass.STOP),
    ],
)
def test_after_a_crash_the_last_attempt_is_taken_up_again(last: Attempt) -> None:
    assert TWICE.first_number([failed(1), last]) == 2


def test_after_a_crash_the_attempts_that_are_left_are_made_and_no_more() -> None:
    assert TWICE.again(failed(1))
    assert TWICE.again(failed(2))
    assert not TWICE.again(failed(3))
    assert not TWICE.again(failed(2, FailureClass.STOP))


def test_a_person_who_retries_a_flow_run_that_used_all_attempts_gets_new_ones() -> None:
    earlier = [failed(1), failed(2), failed(3)]
    settled = seen_failing(*earlier, after=3)
    again = replace(TWICE, settled=settled)
    assert again.first_number(earlier) == 4
    assert [again.again(failed(number)) for number in (4, 5, 6)] == [True, True, False]


def test_a_person_who_retries_after_correcting_a_script_gets_new_attempts() -> None:
    earlier = [failed(1, FailureClass.STOP)]
    assert replace(TWICE, settled=seen_failing(*earlier, after=1)).first_number(earlier) == 2


def test_a_crash_in_the_round_that_a_person_asked_for_is_no_reason_for_another_round() -> None:
    earlier = [failed(1, FailureClass.STOP), failed(2, FailureClass.STOP)]
    settled = seen_failing(*earlier, after=1)
    again = replace(TWICE, settled=settled)
    assert again.first_number(earlier) == 2
    assert not again.again(earlier[-1])


def test_a_live_or_successful_run_is_never_settled() -> None:
    """A flow run that gave up waiting for it, and is retried, continues it."""
    for state in ("RUNNING", "SUCCEEDED"):
        earlier = [failed(1), attempt(2, state)]
        settled = seen_failing(*earlier, after=2)
        assert replace(TWICE, settled=settled).first_number(earlier) == 2


def test_an_attempt_that_was_refused_counts_but_leaves_no_record() -> None:
    refused = Attempt(2, None, "b", Failure(FailureClass.FAIL_OVER, "evidence", "advice"))
    assert TWICE.again(refused)
    assert seen_failing(failed(1), refused, after=2) == 1


def test_to_another_connection_there_is_no_pause() -> None:
    assert TWICE.delay_after([failed(1)]) == 0
    assert TWICE.delay_after([failed(1), failed(2)]) == 0


def test_when_every_connection_has_failed_there_is_a_pause() -> None:
    attempts = [failed(1, connection_name="a"), failed(2, connection_name="b")]
    assert TWICE.delay_after([*attempts, failed(3, connection_name="a")]) == 120


def test_what_needs_time_gets_a_pause_that_doubles() -> None:
    waits = [failed(number, FailureClass.WAIT) for number in (1, 2, 3)]
    assert [TWICE.delay_after(waits[:n]) for n in (1, 2, 3)] == [30, 60, 120]
    assert replace(TWICE, settled=2).delay_after(waits) == 30


def test_the_published_behaviour_always_pauses() -> None:
    published = RetryPolicy(2, 30, every_failure=True)
    assert published.delay_after([failed(1)]) == 30
    assert published.delay_after([failed(1), failed(2, FailureClass.STOP)]) == 60


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


def test_only_what_another_connection_may_help_counts_against_a_connection() -> None:
    """A script that a person mended, or a run that somebody stopped, says nothing against it."""
    attempts = [
        failed(1),
        failed(2, FailureClass.WAIT),
        failed(3, FailureClass.STOP),
        failed(4),
        attempt(5, "RUNNING"),
    ]
    assert TWICE.failed_connections(attempts) == ["subnet-1", "subnet-4"]


def test_the_published_behaviour_moves_on_from_a_broken_script_too() -> None:
    published = RetryPolicy(2, 30, every_failure=True)
    attempts = [failed(1), failed(2, FailureClass.WAIT), failed(3, FailureClass.STOP)]
    assert published.failed_connections(attempts) == ["subnet-1", "subnet-3"]
    assert [published.moves_on(attempt) for attempt in attempts] == [True, False, True]


def test_an_attempt_moves_only_from_a_connection_that_failed() -> None:
    assert TWICE.moved_from([]) is None
    assert TWICE.moved_from([failed(1, FailureClass.WAIT)]) is None
    assert TWICE.moved_from([failed(1, FailureClass.STOP)]) is None
    assert TWICE.moved_from([failed(1), failed(2)]) == failed(2)
    assert TWICE.moved_from([replace(failed(1), connection_name=None)]) is None


def test_the_order_is_kept_only_when_its_connection_is_not_to_blame() -> None:
    ranking = Ranking("random", 7, 4, ())
    waited = replace(failed(1, FailureClass.WAIT), ranking=ranking)
    assert TWICE.kept_order([]) is None
    assert TWICE.kept_order([waited]) is ranking
    assert TWICE.kept_order([replace(failed(1), ranking=ranking)]) is None
    assert TWICE.kept_order([failed(1, FailureClass.WAIT)]) is None, "adopted: not known"


def test_when_nobody_here_is_to_blame_there_is_a_pause() -> None:
    """The same order may well lead to the same place."""
    elsewhere = replace(failed(1), connection_name=None)
    assert TWICE.delay_after([elsewhere]) == 30
    assert TWICE.failed_connections([elsewhere]) == []


@pytest.mark.parametrize("delay_seconds", [0, 30, 3600, 7200])
def test_no_pause_grows_beyond_an_hour_however_many_attempts_there_are(delay_seconds: int) -> None:
    patient = RetryPolicy(5000, delay_seconds)
    waits = [failed(number, FailureClass.WAIT) for number in (1, 2, 8, 21, 51, 5000)]
    pauses = [patient.delay_after(waits[: n + 1]) for n in range(len(waits))]
    assert pauses[0] == delay_seconds
    assert pauses == sorted(pauses)
    assert pauses[-1] == (max(3600, delay_seconds) if delay_seconds else 0)


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
