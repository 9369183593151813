"""What the benchmark of waiting flow runs computes from what it measured."""

from __future__ import annotations

from benchmarks.waiting_flow_runs import Waited, per_minute, server_calls, table

LOG = """
10:00:00.123 | INFO    | uvicorn.access - 127.0.0.1:1 - "POST /api/flow_runs/filter HTTP/1.1" 200
10:00:01.123 | INFO    | uvicorn.access - 127.0.0.1:1 - "GET /api/variables/name/a-0123456789abcdef0123456789abcdef HTTP/1.1" 200
10:00:02.123 | INFO    | uvicorn.access - 127.0.0.1:1 - "GET /api/flow_runs/0b9c1c5e-2bd9-4a3f-8f7e-0f7a6d2a9f10 HTTP/1.1" 200
10:00:03.123 | INFO    | uvicorn.access - 127.0.0.1:1 - "GET /api/flow_runs/1b9c1c5e-2bd9-4a3f-8f7e-0f7a6d2a9f10 HTTP/1.1" 503
10:00:04.123 | WARNING | a line about "GET something"
"""  # noqa: E501


def test_calls_of_one_kind_are_counted_together_whatever_the_id() -> None:
    counted = server_calls(LOG)
    assert counted == {
        "POST /flow_runs/filter": 1,
        "GET /variables/name/a-ID": 1,
        "GET /flow_runs/ID": 2,
    }
    assert per_minute(counted, 2.0)["GET /flow_runs/ID"] == 1.0


def test_a_row_for_each_measurement_and_a_column_for_each_number_of_flow_runs() -> None:
    few = Waited(
        100, 10, started=100, stopped_seconds=[0.5, 0.9, 4.0], left=98, handed_back=90, to_adopt=8
    )
    many = Waited(1000, 10, started=999, aws_calls={"GetJobRuns": 50.4}, touched=["it is gone"])
    rows = [*table([few, many])]
    assert rows[0] == "| flow runs | 100 | 1,000 |"
    assert "| calls to AWS per min | 0 | 50 |" in rows
    assert "| … the longest | 4.0 s | 0.0 s |" in rows
    assert "| SIGTERM: handed back | 90 of 98 | 0 of 0 |" in rows
    assert "| … left to be adopted at once | 8 | 0 |" in rows
    assert few.is_right
    assert not many.is_right


def test_a_cancel_that_takes_longer_than_promised_is_wrong() -> None:
    waited = Waited(100, 10, started=100, stopped_seconds=[0.5, 5.1])
    assert not waited.is_right


def test_a_worker_that_loses_a_flow_run_as_it_stops_or_stops_late_is_wrong() -> None:
    assert Waited(100, 10, started=100, left=98, handed_back=98, handed_back_seconds=9.0).is_right
    assert not Waited(100, 10, started=100, left=98, handed_back=97).is_right
    late = Waited(100, 10, started=100, left=98, handed_back=98, handed_back_seconds=31.0)
    assert not late.is_right
