"""What the Flink benchmarks compute from their measurements."""

from __future__ import annotations

import pytest

from benchmarks.flink_detection import PACES, SimulatedClock, detection_rows, seen_after, simulated
from benchmarks.flink_submit import Submit, submit_rows
from benchmarks.stands.flink_plot import scatter
from flinkglue.clock import Pace


def test_a_fixed_interval_sees_the_end_at_the_next_look() -> None:
    """Looks at 0, 5 and 10 s: a job of 7 s is seen to have ended after 10."""
    assert seen_after(Pace(5, 5, growth=1, jitter=0), 7, SimulatedClock()) == (10, 3)


def test_no_pace_is_later_than_its_longest_pause() -> None:
    for found in simulated(5):
        assert 0 <= found.mean_delay_seconds <= found.most_delay_seconds
        assert found.most_delay_seconds <= PACES[found.pace].most_seconds


def test_ours_makes_fewer_calls_the_longer_a_job_runs() -> None:
    calls = [found.calls_per_minute for found in simulated(5) if found.pace == "ours"]
    assert calls == sorted(calls, reverse=True)


def test_ratios_are_taken_within_a_round() -> None:
    """A machine that is slow for one round is slow for both."""
    submits = [
        Submit("bare", 1.0, 1.1), Submit("library", 2.0, 2.5),
        Submit("bare", 10.0, 11.0), Submit("library", 20.0, 25.0),
    ]  # fmt: skip
    rows = submit_rows(submits)
    assert "| bare | 5.50 s | 1.00 s | 10.00 s | 1.00 |" in rows[2]
    assert "| library | 11.00 s | 2.00 s | 20.00 s | 2.00 |" in rows[3]


def test_each_pace_has_a_row_and_each_duration_a_column() -> None:
    rows = detection_rows("Simulated", simulated(5))
    assert len(rows) == 4 + len(PACES)
    assert rows[2].count("job of") == 5


@pytest.mark.parametrize("value", [0.001, 1.0, 1e6])
def test_points_stay_in_the_picture(value: float) -> None:
    picture = scatter("t", ("x", "y"), {"ours": [("<1 h>", value, value)]})
    assert "&lt;1 h&gt;" in picture
    centres = [part.split('"')[0] for part in picture.split('cx="')[1:]]
    assert all(0 <= float(x) <= 760 for x in centres)
