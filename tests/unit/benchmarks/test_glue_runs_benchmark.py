"""What the benchmarks of flow runs compute from what they measured."""

from __future__ import annotations

import json
import time
from collections import Counter
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from benchmarks.runs import (
    ALONE,
    BURSTS,
    THIRTY,
    calls,
    kept_beside,
    plot,
    summary,
    table,
    with_repeats,
    within,
)
from benchmarks.soak import Held, grown
from benchmarks.stands.flow_runs_judged import Judged, live_ones, phases, wrong_ones
from benchmarks.stands.run_bursts import NO_TIME, Burst, Outcome, Unmeasured
from benchmarks.stands.run_stand import Worker
from benchmarks.stands.systems import Ended, PrefectRuns


def outcome(system: str, runs: int, start_seconds: float, *, lost: int = 0) -> Outcome:
    return Outcome(
        system,
        Burst(runs),
        [start_seconds] * (runs - lost),
        lost=lost,
        wrong_orders=lost,
        calls=Counter(StartJobRun=runs),
        worker_mb=100.0,
    )


OURS = [outcome("process", ALONE, 4.0), outcome("process", THIRTY, 80.0, lost=2)]
THREADS = [outcome("thread", ALONE, 0.5), outcome("thread", THIRTY, 12.0)]
AIRFLOW = [outcome("Airflow", ALONE, 3.0), outcome("Airflow", THIRTY, 50.0, lost=12)]


def test_the_last_line_is_of_our_quicker_worker_whatever_was_measured_beside_it() -> None:
    assert summary([*OURS, *THREADS, *AIRFLOW]) == {
        "worker": "thread",
        "start_s": 0.5,
        "start_30_s": 12.0,
        "worker_mb_30": 100,
        "wrong_orders": 2,
        "lost": 0,
        "failed": [],
    }


def test_nothing_that_started_is_null_and_not_a_number_that_json_does_not_know() -> None:
    none = [outcome("thread", ALONE, 0.5), outcome("thread", THIRTY, 0.0, lost=THIRTY)]
    assert json.loads(json.dumps(summary(none)))["start_30_s"] is None
    assert "0 of 30" in "\n".join(table(none, floor=0.1))
    assert plot([*OURS, *none, *AIRFLOW]).count("0.5 s") == 1


def test_the_last_line_says_what_was_measured_when_the_time_was_not_enough_for_all() -> None:
    thirty = Burst(THIRTY, times=2)
    assert summary([THREADS[0]], [Unmeasured("thread", thirty, NO_TIME)]) == {
        "worker": "thread",
        "start_s": 0.5,
        "start_30_s": None,
        "worker_mb_30": None,
        "wrong_orders": 0,
        "lost": 60,
        "failed": ["thread, 30 at once, a job each: no time was left"],
    }
    assert summary(AIRFLOW)["worker"] is None
    slow = summary([*THREADS, OURS[0]], [Unmeasured("process", thirty, NO_TIME)])
    assert (slow["worker"], slow["lost"], slow["failed"]) == ("thread", 0, [])


def test_a_slower_worker_that_fails_is_no_loss_of_the_quickest_and_is_named() -> None:
    gone = summary([*THREADS, OURS[0]], [Unmeasured("process", Burst(THIRTY), "gone")])
    assert (gone["worker"], gone["lost"]) == ("thread", 0)
    assert gone["failed"] == ["process, 30 at once, a job each: gone"]


def test_a_server_that_answers_nothing_more_ends_the_measuring_of_its_flow_runs() -> None:
    def breaks(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("no answer", request=request)

    api = httpx.Client(base_url="http://prefect/api", transport=httpx.MockTransport(breaks))
    stand = SimpleNamespace(prefect=SimpleNamespace(api=api), deployment_id="glue-job")
    runs = PrefectRuns(cast(Any, stand), Worker("thread", pid=1))
    began = time.monotonic()
    triggered = runs.trigger("orders", ("first", "second"), give_up_at=time.time() - 1)
    assert (triggered.run_id, triggered.refused) == ("", 1)
    assert runs.ended(["its-id"], give_up_at=time.time() - 1) == {}
    assert time.monotonic() - began < 10


def test_a_burst_gives_up_when_all_have_to() -> None:
    burst = Burst(ALONE, times=3, give_up_seconds=60)
    assert within(burst, inf) == burst
    assert within(burst, time.monotonic() + 30).give_up_seconds == pytest.approx(10, abs=1)
    assert within(burst, time.monotonic() - 30).give_up_seconds == 0


def test_systems_that_are_measured_one_at_a_time_stand_in_one_table(tmp_path: Path) -> None:
    file = tmp_path / "outcomes.json"
    assert kept_beside(file, 0.1, THREADS) == (0.1, THREADS)
    floor, together = kept_beside(file, 0.2, AIRFLOW)
    assert [each.worker for each in together] == ["thread", "thread", "Airflow", "Airflow"]
    assert together[0] == THREADS[0]
    assert 0.1 < floor < 0.2
    quicker = [outcome("thread", ALONE, 0.25)]
    _, together = kept_beside(file, 0.1, quicker)
    assert [each.median_start for each in together] == [3.0, 50.0, 0.25]


def glue_run(state: str, job: str = "job") -> dict[str, str]:
    return {"Id": f"jr_{state}", "JobName": job, "JobRunState": state}


def test_a_flow_run_is_right_with_one_glue_run_that_ended_as_it_did() -> None:
    states = {
        "right": Ended(True, 1.0, "Completed"),
        "twice": Ended(True, 1.0, "Completed"),
        "none": Ended(True, 1.0, "Completed"),
        "goes on": Ended(True, 1.0, "Running"),
        "stopped": Ended(False, 1.0, "Cancelled"),
        "early": Ended(False, 1.0, "Cancelled"),
        "late": Ended(True, 1.0, "Completed"),
        "not stopped": Ended(False, 1.0, "Cancelled"),
        "stopped by whom": Ended(False, 1.0, "Cancelled"),
    }
    succeeded, stopped = glue_run("SUCCEEDED"), glue_run("STOPPED")
    started = {
        "right": [succeeded],
        "twice": [succeeded, succeeded],
        "goes on": [succeeded],
        "stopped": [stopped],
        "late": [succeeded],
        "not stopped": [glue_run("RUNNING")],
        "stopped by whom": [stopped],
        "orphan": [glue_run("RUNNING")],
    }
    cancelled = ["stopped", "early", "late", "not stopped"]
    wrong = wrong_ones(states, started, [*states, "deleted"], cancelled)
    assert [line.split(" with ")[0] for line in wrong] == [
        "twice is Completed",
        "none is Completed",
        "goes on is Running",
        "not stopped was cancelled and is Cancelled",
        "stopped by whom is Cancelled",
        "deleted is gone",
        "1 Glue runs of orphan, which is no flow run",
    ]
    assert live_ones(started) == ["jr_RUNNING is RUNNING"] * 2


def test_a_flow_run_is_in_a_phase_by_its_state_and_its_glue_run() -> None:
    states = {
        "ended": "COMPLETED",
        "scheduled": "SCHEDULED",
        "taken": "PENDING",
        "queued": "RUNNING",
        "chooses": "RUNNING",
        "waits": "RUNNING",
        "ends": "RUNNING",
        "left alone": "SCHEDULED",
    }
    started = {
        "ended": [glue_run("SUCCEEDED")],
        "waits": [glue_run("RUNNING", "full")],
        "ends": [glue_run("SUCCEEDED")],
        "left alone": [glue_run("STARTING")],
    }
    jobs = {"queued": "full", "waits": "full"}
    triggered = [Judged(each, jobs.get(each, "job")) for each in states]
    assert phases(triggered, states, started, {"job": 2, "full": 1}) == {
        "ended": 1,
        "not begun": 2,
        "waiting for a slot": 1,
        "choosing or starting": 1,
        "waiting for its Glue run": 2,
        "ending": 1,
    }


def test_what_grows_from_wave_to_wave_is_named_and_what_fills_at_first_is_not() -> None:
    filling = [Held(100.0 + n, 20 + n, 10, 30) for n in range(3)]
    steady = [Held(150.0 + n % 2, 40, 12, 33) for n in range(9)]
    assert grown([*filling, *steady]) == []
    leaking = [Held(150.0, 40, 12 + 3 * n, 33 + 3 * n) for n in range(9)]
    assert grown([*filling, *leaking]) == [
        "sockets grew from 15 to 33",
        "files grew from 36 to 54",
    ]
    assert grown(filling) == ["3 waves say nothing about growth"]


def test_bursts_are_measured_again_where_it_makes_a_difference() -> None:
    names = [burst.name for burst in with_repeats(BURSTS)]
    assert names == [
        "one run",
        *("10 at once, a job each", "10 at once, a job each, again"),
        *("30 at once, a job each", "30 at once, a job each, again"),
        "30 at once, one job",
    ]


def test_calls_are_shown_with_and_without_polls() -> None:
    one = Outcome("thread", Burst(1, times=2), calls=Counter(GetJobRun=10, StartJobRun=2, GetJob=2))
    shown = (
        "a run of 5 s, thread: 7.0, 2.0 without polls (GetJob 1.0, GetJobRun 5.0, StartJobRun 1.0)"
    )
    assert [*calls([one])] == [f"Calls to AWS, {shown}."]
