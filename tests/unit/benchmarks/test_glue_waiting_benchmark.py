"""What the benchmark of waiting computes, and that its Glue pages as Glue does."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.stands.simulated_polls import FIXED_SECONDS, KNOWN, VARIES, by_history, rows
from benchmarks.stands.waiting_aws import WaitingGlue
from benchmarks.waiting import PEER, SETTINGS, Setting, Waited, table


def waited(name: str, runs: int, calls: dict[str, float]) -> Waited:
    late_seconds = [n / 100 for n in range(101)]
    return Waited(Setting(name, "ours", 1, runs), 50.0, calls, 1.5, late_seconds)


def asked(glue: WaitingGlue, target: str, **given: Any) -> dict[str, Any]:
    answered: dict[str, Any] = json.loads(glue.answer(target, json.dumps(given))[1])
    return answered


def test_the_peer_is_among_those_measured() -> None:
    assert PEER in {setting.name for setting in SETTINGS}


def test_calls_are_compared_for_the_same_number_of_runs() -> None:
    rows = list(
        table(
            [
                waited(PEER, 1000, {"GetJobRun": 10_000}),
                waited("few", 100, {"GetJobRun": 400, "GetJobRuns": 100}),
            ]
        )
    )
    assert rows[2].startswith(f"| {PEER} | 1,000 | 50 MB | 51 kB | 10,000 | 0 | 100.0% |")
    assert rows[3] == (
        "| few | 100 | 50 MB | 512 kB | 400 | 100 | 50.0% | 1.5 s | 0.5 s | 0.9 s | 1.0 s |"
    )


def test_pages_show_the_newest_first_and_every_run_once() -> None:
    glue = WaitingGlue(1, 450)
    shown: list[str] = []
    further: dict[str, Any] = {}
    while True:
        page = asked(glue, "AWSGlue.GetJobRuns", JobName="job-0", MaxResults=200, **further)
        shown += [run["Id"] for run in page["JobRuns"]]
        if "NextToken" not in page:
            break
        further = {"NextToken": page["NextToken"]}
    assert shown == [f"jr_0_{n}" for n in reversed(range(450))]
    assert asked(glue, "Benchmark.Calls") == {"GetJobRuns": 3}


def test_runs_end_when_they_are_told_to() -> None:
    glue = WaitingGlue(1, 2)
    run = {"JobName": "job-0", "RunId": "jr_0_1"}
    assert asked(glue, "AWSGlue.GetJobRun", **run)["JobRun"]["JobRunState"] == "RUNNING"
    asked(glue, "Benchmark.End", within_seconds=0)
    ended = asked(glue, "AWSGlue.GetJobRun", **run)["JobRun"]
    assert ended["JobRunState"] == "SUCCEEDED"
    assert ended["CompletedOn"] >= ended["StartedOn"]


def test_the_simulation_has_a_row_for_each_way_to_poll_and_what_is_known_shortens_the_delay() -> (
    None
):
    assert len([*rows(1)]) == 2 + len(VARIES) * (len(KNOWN) + len(FIXED_SECONDS))
    draw = VARIES["5 %"]
    first, last = (by_history(draw, 60, known, 20) for known in (0, 10))
    assert last.delay_seconds < first.delay_seconds
    assert last.polls < first.polls
