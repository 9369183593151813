"""How late the ends of many runs of different jobs are observed that begin together."""

from __future__ import annotations

import random
from statistics import mean

import pytest

from benchmarks.stands.simulated_polls import VARIES, by_burst, by_history


@pytest.mark.parametrize(
    ("runs", "seconds", "known_runs"), [(30, 60.0, 0), (30, 60.0, 1), (100, 90.0, 1)]
)
def test_half_of_a_burst_is_observed_within_three_quarters_of_a_second(
    runs: int, seconds: float, known_runs: int
) -> None:
    """Durations vary by 2 %; polls are scarce, and made where an end is the likeliest."""
    found = [by_burst(by_two_percent, runs, seconds, known_runs, seed) for seed in range(3)]
    assert mean(delay for delay, _ in found) <= 0.75
    assert mean(polls for _, polls in found) <= 45


def by_two_percent(rng: random.Random, seconds: float) -> float:
    return rng.gauss(seconds, 0.02 * seconds)


@pytest.mark.parametrize(("seconds", "polls"), [(600.0, 140.0), (3600.0, 590.0)])
def test_the_first_run_of_a_job_that_lasts_takes_few_polls_more(
    seconds: float, polls: float
) -> None:
    assert by_history(VARIES["5 %"], seconds, 0, runs=20).polls <= polls


def test_the_first_minute_of_a_job_is_polled_every_second_and_a_half() -> None:
    observed = by_history(lambda rng, _: rng.uniform(20, 60), 60.0, 0, runs=100)
    assert observed.delay_seconds <= 0.8
    assert observed.most_delay_seconds <= 1.5
