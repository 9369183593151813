"""How a job is, judged by looks at it: of one watch, and of those before it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.lifecycle.health.history import with_history
from flinkglue.lifecycle.health.judgement import (
    Degraded,
    Finished,
    HealthLimits,
    Healthy,
    Sample,
    verdict,
)
from flinkglue.lifecycle.models import JobView
from tests.unit.lifecycle.lifecycle_world import Boundaries, MemoryStore

RUNNING = JobView("f" * 32, "orders", "RUNNING", 4, 4, checkpoint_every_seconds=1)


class TestHealth:
    LIMITS = HealthLimits(
        checkpoint_within_seconds=10, tasks_within_seconds=5, least_taskmanagers=2
    )

    def judge(self, *views: JobView | None, taskmanagers: int | None = None) -> object:
        samples = [Sample(10.0 * at, view, taskmanagers) for at, view in enumerate(views)]
        return verdict(samples, self.LIMITS)

    def test_progress_is_healthy(self) -> None:
        on = replace(RUNNING, completed_checkpoints=5)
        assert self.judge(RUNNING, on) == Healthy(RUNNING.job_id)

    def test_a_crash_loop_is_not_although_flink_says_running(self) -> None:
        looping = replace(RUNNING, restarts=3, exception="Boom", completed_checkpoints=9)
        judged = self.judge(RUNNING, looping)
        assert isinstance(judged, Degraded)
        assert "crash loop: 3 restarts within 10 s" in judged.reason
        assert judged.exception == "Boom"

    def test_restarts_long_ago_are_forgiven(self) -> None:
        old = replace(RUNNING, restarts=50)
        assert self.judge(old, replace(old, completed_checkpoints=1)) == Healthy(RUNNING.job_id)

    @pytest.mark.parametrize(
        ("last", "reason"),
        [
            (replace(RUNNING, failed_checkpoints=3, completed_checkpoints=1), "checkpoints fail"),
            (RUNNING, "checkpoints stall"),
            (replace(RUNNING, tasks_running=3), "not all tasks run"),
            (replace(RUNNING, state="SOMETHING_NEW"), "not all tasks run"),
        ],
    )
    def test_each_illness_has_its_name(self, last: JobView, reason: str) -> None:
        judged = self.judge(RUNNING, RUNNING, last)
        assert isinstance(judged, Degraded)
        assert reason in judged.reason
        assert not judged.is_down

    def test_a_restart_at_the_last_look_is_no_illness(self) -> None:
        """It would be cancelled and launched again in the middle of it."""
        restarting = replace(RUNNING, state="RESTARTING", tasks_running=0, restarts=1)
        samples = [Sample(1000, RUNNING), Sample(1010, restarting)]
        assert verdict(samples) == Healthy(RUNNING.job_id)
        assert isinstance(verdict([*samples, Sample(1040, restarting)]), Degraded)

    def test_a_stall_is_seen_over_several_watches(self) -> None:
        """A watch is shorter than what a checkpoint may take."""
        store = MemoryStore(Boundaries())
        found = []
        for minute in range(0, 30, 5):
            completed = 7 if minute < 10 else 8
            looks = [
                Sample(60.0 * at, replace(RUNNING, completed_checkpoints=completed))
                for at in (minute, minute + 1)
            ]
            found.append(verdict(with_history(store, "orders", looks, 1800)))
        assert found[:-1] == [Healthy(RUNNING.job_id)] * 5
        assert isinstance(found[-1], Degraded)
        assert "none completed within 900 s" in found[-1].reason

    def test_a_slow_crash_loop_is_seen_over_several_watches(self) -> None:
        """A restart each minute: in a watch of a minute there is one."""
        store = MemoryStore(Boundaries())
        found = []
        for minute in range(0, 20, 5):
            looks = [
                Sample(60.0 * at, replace(RUNNING, restarts=at, completed_checkpoints=at))
                for at in (minute, minute + 1)
            ]
            found.append(verdict(with_history(store, "orders", looks, 1800)))
        assert found[0] == Healthy(RUNNING.job_id)
        assert isinstance(found[1], Degraded)
        assert "crash loop: 5 restarts" in found[1].reason

    @pytest.mark.parametrize("interval_seconds", [60, 600, 3600])
    def test_a_stall_is_seen_however_long_the_interval_is(self, interval_seconds: int) -> None:
        """By a watch every two minutes, after three intervals and not before."""
        store, limits = MemoryStore(Boundaries()), HealthLimits()
        job = replace(RUNNING, checkpoint_every_seconds=interval_seconds)
        for at in range(0, 5 * 3600, 120):
            keep = limits.reach_back_seconds(job)
            known = with_history(store, "orders", [Sample(at, job)], keep)
            if isinstance(verdict(known, limits), Degraded):
                break
        assert max(600, 3 * interval_seconds) < at <= max(600, 3 * interval_seconds) + 240

    def test_another_launch_begins_a_history_of_its_own(self) -> None:
        store = MemoryStore(Boundaries())
        with_history(store, "orders", [Sample(0, replace(RUNNING, restarts=9))], 1800)
        other = [Sample(60, replace(RUNNING, job_id="e" * 32))]
        assert with_history(store, "orders", other, 1800) == other

    @given(st.lists(st.integers(0, 5000), max_size=200, unique=True).map(sorted))
    def test_what_is_remembered_of_a_job_stays_small(self, times: list[int]) -> None:
        store = MemoryStore(Boundaries())
        for at in times:
            samples = with_history(store, "orders", [Sample(at, RUNNING)], 1800)
            assert len(samples) <= 62
            assert all(sample.at >= at - 1800 for sample in samples)

    def test_lost_task_managers_are_noticed(self) -> None:
        judged = self.judge(RUNNING, taskmanagers=1)
        assert isinstance(judged, Degraded)
        assert "1 of 2" in judged.reason

    @pytest.mark.parametrize("last", [None, replace(RUNNING, state="FAILED", exception="Boom")])
    def test_a_job_that_is_gone_or_failed_is_down(self, last: JobView | None) -> None:
        judged = self.judge(RUNNING, last)
        assert isinstance(judged, Degraded)
        assert judged.is_down

    def test_a_finished_job_is_no_illness(self) -> None:
        assert isinstance(self.judge(replace(RUNNING, state="FINISHED")), Finished)
