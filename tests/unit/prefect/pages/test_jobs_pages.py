"""The pages of all jobs: a row per job, whoever ends at the same time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from flinkglue.flink.models import Checkpoints
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.console import Console
from flinkglue.glue.failures.classification import classify
from flinkglue.glue.models import JobRun
from flinkglue.lifecycle.models import Action, JobView, Outcome, Savepoint
from flinkglue.markdown import sparkline
from flinkglue.prefect.pages.jobs import flink, glue
from flinkglue.prefect.pages.jobs.rows import JobRows
from flinkglue.prefect.store.server_records import ServerRecords
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import FakeVariables

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
CONSOLE = Console("aws", "us-east-1")


def attempt(number: int, state: str, seconds: float = 60) -> Attempt:
    started = NOW - timedelta(seconds=seconds)
    fields: dict[str, Any] = {
        "Id": f"jr_{number:064x}",
        "JobName": "orders",
        "JobRunState": state,
        "StartedOn": started,
        "CompletedOn": NOW,
    }
    failure = classify(state, "Resource unavailable") if state == "FAILED" else None
    return Attempt(number, JobRun.from_response(fields), "Subnet2", failure)


def rows(server: FakeVariables) -> JobRows:
    return JobRows(ServerRecords(server.client()), "glue-jobs")  # type: ignore[arg-type]


def test_two_jobs_that_end_together_lose_nothing_of_each_other() -> None:
    server = FakeVariables(Clock())
    one, other = rows(server), rows(server)
    one.read(), other.read()
    one.write("orders", {"job": "orders"})
    other.write("Orders", {"job": "Orders"})
    assert rows(server).read().keys() == {"orders", "Orders"}


def test_a_row_is_written_over_and_removed() -> None:
    server = FakeVariables(Clock())
    for number in (1, 2):
        again = rows(server)
        again.read()
        again.write("orders", {"number": number})
    last = rows(server)
    assert last.read()["orders"]["number"] == 2
    last.remove("orders")
    assert rows(server).read() == {}


def test_a_row_that_another_created_meanwhile_is_written_over() -> None:
    server = FakeVariables(Clock())
    one, other = rows(server), rows(server)
    one.read(), other.read()
    one.write("orders", {"number": 1})
    other.write("orders", {"number": 2})
    assert rows(server).read()["orders"]["number"] == 2


def test_the_last_runs_of_a_glue_job_are_kept_and_drawn() -> None:
    row: dict[str, Any] = {}
    for number in range(40):
        state = "FAILED" if number % 10 == 9 else "SUCCEEDED"
        made = [attempt(number, state, 60 + number)]
        row = glue.with_attempts(row, "orders", made, CONSOLE, NOW)
    assert len(row["runs"]) == glue.MOST_RUNS
    page = glue.jobs_markdown([row])
    assert "| **FAILED** | Subnet2 | 2 min |" in page
    assert "| 2 of 12 | 2026-11-29 12:00 |" in page
    assert "▁" in page
    assert "█" in page
    assert "**orders**: Resource unavailable" in page
    assert glue.in_words([row]) == "1 jobs; failed last: orders"


def test_a_run_that_is_shown_again_is_one() -> None:
    first = glue.with_attempts(None, "orders", [attempt(1, "FAILED")], CONSOLE, NOW)
    again = glue.with_attempts(
        first, "orders", [attempt(1, "FAILED"), attempt(2, "SUCCEEDED")], CONSOLE, NOW
    )
    assert [run["state"] for run in again["runs"]] == ["FAILED", "SUCCEEDED"]


def test_a_run_that_goes_on_has_no_end() -> None:
    run = JobRun("orders", "jr_1", "RUNNING")
    row = glue.with_attempts(None, "orders", [Attempt(1, run, "Subnet2", None)], CONSOLE, NOW)
    assert [each["ended"] for each in row["runs"]] == [""]
    assert "RUNNING, not waited for" in glue.jobs_markdown([row])
    assert "2026" not in glue.jobs_markdown([row])


def test_jobs_of_one_name_in_two_regions_are_two_rows() -> None:
    other = Console("aws", "eu-west-1")
    assert glue.row_key("orders", CONSOLE) != glue.row_key("orders", other)
    of_before = glue.with_attempts(None, "orders", [attempt(1, "FAILED")], CONSOLE, NOW)
    assert glue.is_of(of_before, "orders", CONSOLE)
    assert not glue.is_of(of_before, "orders", other)


def flink_row(**more: Any) -> dict[str, Any]:
    return {"job": "orders", "cluster": "cluster-x", "url": "https://flink", **more}


def test_a_flink_job_that_ended_leads_to_its_page_among_the_ended_ones() -> None:
    row = flink_row(job_id="a1", state="FINISHED")
    assert "(https://flink/#/job/completed/a1)" in flink.jobs_markdown([row], NOW)


def test_a_flink_job_shows_what_runs_its_savepoint_and_its_checkpoints() -> None:
    view = JobView(
        "a1",
        "orders",
        "RUNNING",
        savepoint_path="s3://state/savepoint-1",
        savepoint_at=(NOW - timedelta(hours=2)).timestamp(),
        recent_checkpoints=((1000, 0.5), (2_500_000, 1.5)),
    )
    done = Outcome(Action.UPDATE, "orders", "a1", state="RUNNING", rolled_back=True, failure="bad")
    row = flink_row(
        jar="orders.jar",
        version="0a1b2c3d4e5f",
        parallelism=4,
        **(flink.after_action(done, NOW - timedelta(minutes=5)) or {}),
        **{
            k: v
            for k, v in flink.after_watch("degraded", "crash loop", view, NOW).items()
            if k not in ("state", "job_id")
        },
    )
    page = flink.jobs_markdown([row], NOW)
    assert "[orders](https://flink/#/job/running/a1) on cluster-x" in page
    assert "| RUNNING | **degraded** | orders.jar 0a1b2c3d4e5f × 4 |" in page
    assert "| savepoint-1, 2 h ago | ▁█ 2.5 MB | ▁█ 1.5 s | UPDATE rolled back, 5 min ago |" in page
    assert "**orders**: crash loop" in page
    assert flink.in_words([row]) == "1 jobs; degraded: orders"


def test_an_action_that_forgets_a_job_removes_its_row() -> None:
    assert flink.after_action(Outcome(Action.DELETE, "orders"), NOW) is None
    assert flink.after_action(Outcome(Action.DELETE, "orders", failure="x"), NOW)


@given(st.text(max_size=50), st.text(max_size=50))
def test_names_and_reasons_from_outside_make_no_markup(name: str, reason: str) -> None:
    row = flink_row(health="degraded", why=reason) | {"job": name, "cluster": name}
    page = flink.jobs_markdown([row], NOW)
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(page)
    kinds = {each.type for token in tokens for each in [token, *(token.children or ())]}
    assert not kinds & {"html_block", "html_inline", "image", "fence"}
    assert sum(token.type == "tr_open" for token in tokens) == 2


@given(st.lists(st.floats(0, 1e12), max_size=30))
def test_a_chart_has_a_bar_per_value_and_the_least_is_the_lowest(values: list[float]) -> None:
    drawn = sparkline(values)
    assert len(drawn) == len(values)
    if values:
        assert drawn[values.index(min(values))] == "▁"


def test_the_history_of_checkpoints_is_read_oldest_first() -> None:
    """As Flink's REST API shows it: the newest first, with those that failed or are under way."""
    base = {"is_savepoint": False, "trigger_timestamp": 1, "state_size": 10}
    history = [
        {**base, "id": 3, "status": "IN_PROGRESS", "end_to_end_duration": 0},
        {**base, "id": 2, "status": "COMPLETED", "end_to_end_duration": 30},
        {**base, "id": 1, "status": "COMPLETED", "end_to_end_duration": 20},
    ]
    read = Checkpoints.from_json({"counts": {}, "latest": {}, "history": history})
    assert [(each.checkpoint_id, each.duration_ms) for each in read.recent] == [(1, 20), (2, 30)]


def test_an_action_that_has_not_ended_changes_the_row_of_its_job() -> None:
    """Without an observation what was known of the job stays."""
    change = flink.after_interruption(Action.UPDATE, "has not ended", NOW)
    assert change == {"action": "UPDATE has not ended", "action_at": NOW.isoformat()}
    view = JobView("a" * 32, "orders", "CANCELED")
    savepoint = Savepoint("orders", "a" * 32, "s3://b/savepoint-1", NOW.timestamp())
    cancelled = flink.after_interruption(Action.UPDATE, "cancelled", NOW, view, savepoint)
    assert (cancelled["state"], cancelled["job_id"]) == ("CANCELED", "a" * 32)
    assert cancelled["savepoint"] == "s3://b/savepoint-1"
    assert cancelled["savepoint_at"] == NOW.isoformat()
    row = {"job": "orders", "cluster": "flink", "state": "RUNNING", **cancelled}
    page = flink.jobs_markdown([row], NOW)
    assert "| CANCELED |" in page
    assert "UPDATE cancelled, 1 s ago" in page
    assert "RUNNING" not in page
