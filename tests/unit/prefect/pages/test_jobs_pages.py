"""The pages of all jobs: a row per job, whoever ends at the same time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from flinkglue.flink.models import Checkpoints
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.console import Console
from flinkglue.glue.failures.classification import classify
from flinkglue.glue.models import JobRun
from flinkglue.lifecycle.models import Action, JobView, Outcome, Savepoint, SourceLag
from flinkglue.markdown import sparkline
from flinkglue.prefect.pages.jobs import flink, flink_page, glue
from flinkglue.prefect.pages.jobs.rows import JobRows
from flinkglue.prefect.store.document_parts import VALUE_CHARACTERS
from flinkglue.prefect.store.server_records import ServerRecords
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import Cross, FakeVariables, at_once

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
CONSOLE = Console("aws", "us-east-1")
PLACE = glue.Place(CONSOLE, "111122223333")


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
        row = glue.with_attempts(row, "orders", made, PLACE, NOW)
    assert len(row["runs"]) == glue.MOST_RUNS
    page = glue.jobs_markdown([row])
    assert "| **FAILED** | Subnet2 | ▁" in page
    assert "█ 2 min | 2 of 12 | Nov 29, 12:00 |" in page
    assert "**orders**: Resource unavailable" in page
    assert glue.in_words([row]) == "1 job; failed last: orders"


def test_the_page_of_glue_jobs_is_read_without_scrolling() -> None:
    row: dict[str, Any] = {}
    for number in range(12):
        made = replace(attempt(number, "SUCCEEDED"), connection_name="MWAA-Glue-Blog-Subnet1")
        row = glue.with_attempts(row, "orders-enriched", [made], PLACE, NOW)
    assert max(map(len, shown_rows(glue.jobs_markdown([row])))) <= 95  # blocks are wider


def test_a_run_that_is_shown_again_is_one() -> None:
    first = glue.with_attempts(None, "orders", [attempt(1, "FAILED")], PLACE, NOW)
    again = glue.with_attempts(
        first, "orders", [attempt(1, "FAILED"), attempt(2, "SUCCEEDED")], PLACE, NOW
    )
    assert [run["state"] for run in again["runs"]] == ["FAILED", "SUCCEEDED"]


def test_a_run_that_goes_on_has_no_end() -> None:
    run = JobRun("orders", "jr_1", "RUNNING")
    row = glue.with_attempts(None, "orders", [Attempt(1, run, "Subnet2", None)], PLACE, NOW)
    assert [each["ended"] for each in row["runs"]] == [""]
    page = glue.jobs_markdown([row])
    assert "| RUNNING, not waited for since Nov 29, 12:00 | Subnet2 | – | 0 of 1 | – |" in page
    assert "*glue-run-sweep* writes down how it ended" in page
    ended = glue.with_attempts(row, "orders", [attempt(2, "SUCCEEDED")], PLACE, NOW)
    assert "not waited for" not in glue.jobs_markdown([ended])
    assert "glue-run-sweep" not in glue.jobs_markdown([ended])


def test_a_live_run_that_an_earlier_version_wrote_down_has_no_time() -> None:
    run = JobRun("orders", "jr_1", "RUNNING")
    row = glue.with_attempts(None, "orders", [Attempt(1, run, "Subnet2", None)], PLACE, NOW)
    del row["runs"][0]["observed"]
    assert "| RUNNING, not waited for | Subnet2 |" in glue.jobs_markdown([row])


def test_a_run_that_was_not_waited_for_is_found_again_and_keeps_its_place() -> None:
    living = JobRun("orders", "jr_" + "1" * 64, "RUNNING")
    row = glue.with_attempts(None, "orders", [Attempt(1, living, "Subnet2", None)], PLACE, NOW)
    row = glue.with_attempts(row, "orders", [attempt(2, "SUCCEEDED")], PLACE, NOW)
    assert glue.live_run_ids(row) == ["jr_" + "1" * 64]
    ended = Attempt(1, replace(living, state="FAILED"), "Subnet2", None)
    row = glue.with_attempts(row, "orders", [ended], PLACE, NOW)
    assert [run["state"] for run in row["runs"]] == ["FAILED", "SUCCEEDED"]
    assert glue.live_run_ids(row) == []


def test_a_row_fits_into_a_variable() -> None:
    """Names of connections have up to 255 characters, and Prefect counts those of the JSON."""
    row: dict[str, Any] = {}
    for number in range(20):
        long = replace(attempt(number, "FAILED"), connection_name="ü" * 255)
        row = glue.with_attempts(row, "orders", [long], PLACE, NOW)
    assert len(json.dumps(row)) < VALUE_CHARACTERS
    assert row["runs"][-1]["id"].endswith(f"{19:x}")


def test_jobs_of_one_name_in_two_regions_or_accounts_are_two_rows() -> None:
    places = [
        glue.Place(Console("aws", region), account)
        for region in ("us-east-1", "eu-west-1")
        for account in ("111122223333", "444455556666")
    ]
    assert len({place.key("orders") for place in places}) == 4
    made = [attempt(1, "SUCCEEDED")]
    several = [glue.with_attempts(None, "orders", made, place, NOW) for place in places]
    assert glue.places_of(several)[0] == " in 111122223333 us-east-1"
    assert glue.places_of(several[::2]) == [" in us-east-1", " in eu-west-1"]
    assert glue.places_of(several[:1]) == [""]
    page = glue.jobs_markdown(several)
    assert "script) in 444455556666 eu-west-1 | SUCCEEDED |" in page


def test_a_row_of_an_earlier_version_is_found_by_its_region_or_its_page() -> None:
    place = glue.Place(CONSOLE, "111122223333")
    other = glue.Place(Console("aws", "eu-west-1"), "111122223333")
    by_name = {"orders": {"job": "orders", "url": CONSOLE.job("orders"), "runs": []}}
    assert place.found_key("orders", by_name) == "orders"
    assert other.found_key("orders", by_name) == other.key("orders")
    by_region = {"aws/us-east-1/orders": {"job": "orders", "runs": []}}
    assert place.found_key("orders", by_region) == "aws/us-east-1/orders"
    assert other.found_key("orders", by_region) == other.key("orders")
    both = by_region | {place.key("orders"): {"job": "orders", "runs": []}}
    assert place.found_key("orders", both) == place.key("orders")


def test_a_run_whose_account_is_not_known_is_one_of_the_only_job_of_its_name() -> None:
    """STS did not answer: the row keeps its account, and no second one is made."""
    here, elsewhere = (glue.Place(CONSOLE, each) for each in ("111122223333", "444455556666"))
    row = glue.with_attempts(None, "orders", [attempt(1, "FAILED")], here, NOW)
    unknown = glue.Place(CONSOLE)
    one = {here.key("orders"): row}
    assert unknown.found_key("orders", one) == here.key("orders")
    again = glue.with_attempts(row, "orders", [attempt(2, "SUCCEEDED")], unknown, NOW)
    assert again["account"] == "111122223333"
    assert len(again["runs"]) == 2
    two = one | {elsewhere.key("orders"): row}
    assert unknown.found_key("orders", two) == "aws/us-east-1/orders"


def run_ids(server: FakeVariables) -> dict[str, list[str]]:
    """Of each row, by its key."""
    return {key: [run["id"] for run in row["runs"]] for key, row in rows(server).read().items()}


@pytest.mark.parametrize("last_call", ["POST /variables/", "DELETE /variables/"])
def test_a_row_that_moves_to_its_key_of_now_loses_no_run_when_the_process_is_killed(
    last_call: str,
) -> None:
    """The next run of the job completes what was left."""
    server, key_before, row = FakeVariables(Clock()), "aws/us-east-1/orders", dict[str, Any]()
    for number in range(glue.MOST_RUNS):
        row = glue.with_attempts(row, "orders", [attempt(number, "SUCCEEDED")], PLACE, NOW)
    written = rows(server)
    written.read()
    written.write(key_before, row)
    ids = run_ids(server)[key_before]

    def crash(what: str, call: Callable[[], Any]) -> Any:
        if what.startswith(last_call) and not what.endswith("/filter"):
            raise SystemExit
        return call()

    def end(number: int, cross: Cross = at_once) -> None:
        ended = glue.Ended("orders", [attempt(number, "SUCCEEDED")], PLACE)
        glue.write_down(JobRows(ServerRecords(server.client(cross)), "glue-jobs"), [ended])  # type: ignore[arg-type]

    with pytest.raises(SystemExit):
        end(glue.MOST_RUNS, crash)
    left = run_ids(server)
    assert left.pop(key_before) == ids
    assert all(runs[:-1] == ids[1:] for runs in left.values())
    end(glue.MOST_RUNS + 1)
    [(key, runs)] = run_ids(server).items()
    assert key == PLACE.key("orders")
    assert {*ids[2:]} < {*runs}


def test_a_job_whose_account_is_known_to_one_of_two_flow_runs_alone_has_one_row() -> None:
    """They end together, and its row has the key of an earlier version."""
    unknown = glue.Place(CONSOLE)
    for places in ([unknown, PLACE], [PLACE, unknown]):
        server = FakeVariables(Clock())
        before = glue.with_attempts(None, "orders", [attempt(0, "FAILED")], unknown, NOW)
        written = rows(server)
        written.read()
        written.write(unknown.key("orders"), before)
        ended = [
            glue.Ended("orders", [attempt(number, "SUCCEEDED")], place)
            for number, place in enumerate(places, 1)
        ]
        glue.write_down(rows(server), ended)
        [(key, runs)] = run_ids(server).items()
        assert key == PLACE.key("orders")
        assert len(runs) == 3


def flink_row(**more: Any) -> dict[str, Any]:
    return {"job": "orders", "cluster": "cluster-x", "url": "https://flink", **more}


def test_a_flink_job_that_ended_leads_to_its_page_among_the_ended_ones() -> None:
    row = flink_row(job_id="a1", state="FINISHED")
    assert "(https://flink/#/job/completed/a1)" in flink_page.jobs_markdown([row], NOW)


def watched(row: dict[str, Any], lag: SourceLag | None) -> dict[str, Any]:
    """The row of a job after one more watch of it."""
    return flink.changed_row(row, flink.after_watch("healthy", "", None, NOW, lag))


def test_the_lags_of_the_last_watches_are_drawn() -> None:
    row = flink_row()
    for records in range(30):
        row = watched(row, SourceLag(records * 100, event_time_seconds=60.0 + records))
    assert len(row["lags"]) == flink.MOST_POINTS
    page = flink_page.jobs_markdown([row, flink_row(job="other")], NOW)
    assert "| Job | Pending records | Event time lag |" in page
    assert "| orders on cluster-x | ▁" in page
    assert "█ 2,900 | ▁" in page
    assert "█ 1 min |" in page
    assert "| other on cluster-x | ▁" not in page


def test_a_lag_that_is_not_reported_is_a_dash() -> None:
    """Also when it was reported before; a page of jobs none of which report any has no table."""
    silent = watched(flink_row(), SourceLag())
    assert "Pending records" not in flink_page.jobs_markdown([silent], NOW)
    telling = watched(flink_row(job="billing"), SourceLag(5, pending_at_least=True))
    page = flink_page.jobs_markdown([silent, telling], NOW)
    assert "| orders on cluster-x | – | – |" in page
    assert "| billing on cluster-x | ▁ at least 5 | – |" in page
    stopped = watched(watched(flink_row(job="orders"), SourceLag(5)), SourceLag())
    assert "| orders on cluster-x | – | – |" in flink_page.jobs_markdown([stopped, telling], NOW)


def shown_lags(row: dict[str, Any]) -> str:
    """The line of the row in the table of lags, which another job has, too."""
    telling = watched(flink_row(job="billing"), SourceLag(7))
    lag = flink_page.jobs_markdown([row, telling], NOW).partition("## Lag")[2]
    lines = [line for line in lag.splitlines() if line.startswith("| orders on cluster-x |")]
    return "".join(lines)


def test_a_lag_that_the_last_watch_did_not_read_is_a_dash_and_stays_in_the_chart() -> None:
    """What was read before is not how the job is now."""
    row = watched(watched(flink_row(), SourceLag(5)), None)
    assert shown_lags(row) == "| orders on cluster-x | – | – |"
    assert shown_lags(watched(row, SourceLag(9))) == "| orders on cluster-x | ▁█ 9 | – |"


@pytest.mark.parametrize("state", ["FINISHED", "FAILED", "CANCELED"])
def test_a_job_that_ended_has_no_lag_any_more(state: str) -> None:
    """By an action, too, which reads none."""
    row = watched(flink_row(job_id="a1", state="RUNNING"), SourceLag(5))
    ended = Outcome(Action.STOP, "orders", "a1", state=state)
    row = flink.changed_row(row, flink.after_action(ended, NOW) or {})
    assert shown_lags(row) == "| orders on cluster-x | – | – |"


def test_another_flink_job_of_the_name_has_lags_of_its_own() -> None:
    row = watched(flink_row(job_id="a1", state="RUNNING"), SourceLag(5))
    updated = Outcome(Action.UPDATE, "orders", "a2", state="RUNNING")
    row = flink.changed_row(row, flink.after_action(updated, NOW) or {})
    assert shown_lags(row) == ""
    assert shown_lags(watched(row, SourceLag(9))) == "| orders on cluster-x | ▁ 9 | – |"


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
    page = flink_page.jobs_markdown([row], NOW)
    assert "[orders](https://flink/#/job/running/a1) on cluster-x" in page
    assert "| RUNNING | **degraded** | UPDATE rolled back, 5 min ago | 2 h ago |" in page
    assert "| orders on cluster-x | orders.jar | 0a1b2c3d4e5f | 4 |" in page
    assert "| orders on cluster-x | savepoint-1 | 2026-11-29 10:00 UTC |" in page
    assert "| orders on cluster-x | ▁█ 2.5 MB | ▁█ 1.5 s |" in page
    assert "**orders on cluster-x**: crash loop" in page
    assert flink_page.in_words([row]) == "1 job; degraded: orders"


def shown_rows(page: str) -> list[str]:
    """The rows of tables as they are seen, without the addresses of links."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(page)
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and token.level > 3:  # within a cell
            rows[-1].append("".join(each.content for each in token.children or ()))
    return ["  ".join(row) for row in rows]


def test_the_page_is_read_without_scrolling() -> None:
    """About 100 characters fit in a row at 1,400 pixels; v1 wraps no cell."""
    row = flink_row(
        jar="orders-pipeline-2.14.3.jar",
        version="0a1b2c3d4e5f",
        parallelism=16,
        checkpoints=[[1000, 0.5]] * flink.MOST_POINTS,
        savepoint="abfs://state@account.dfs.core.windows.net/orders/savepoint-81d722-20e91b8058bc",
        savepoint_at=NOW.isoformat(),
        job_id="a1",
        state="RESTARTING",
        health="degraded",
        why="crash loop " * 20,
        action="LAST_STATE_UPDATE rolled back",
        action_at=NOW.isoformat(),
    )
    page = flink_page.jobs_markdown([row | {"job": "orders-enriched"}], NOW)
    assert max(map(len, shown_rows(page))) <= 100, shown_rows(page)


def test_jobs_of_one_name_on_two_clusters_of_one_name_are_told_apart() -> None:
    rows = [flink_row(url="https://flink-a"), flink_row(url="https://flink-b"), flink_row()]
    rows[2]["job"] = "billing"
    page = flink_page.jobs_markdown(rows, NOW)
    read = MarkdownIt("gfm-like", {"linkify": False}).render(page)
    assert 'href="https://flink-a">orders</a> on cluster-x (https://flink-a)</td>' in read
    assert 'href="https://flink-b">orders</a> on cluster-x (https://flink-b)</td>' in read
    assert 'href="https://flink">billing</a> on cluster-x</td>' in read


def test_an_action_that_forgets_a_job_removes_its_row() -> None:
    assert flink.after_action(Outcome(Action.DELETE, "orders"), NOW) is None
    assert flink.after_action(Outcome(Action.DELETE, "orders", failure="x"), NOW)


@given(st.text(max_size=50), st.text(max_size=50))
def test_names_and_reasons_from_outside_make_no_markup(name: str, reason: str) -> None:
    row = flink_row(health="degraded", why=reason) | {"job": name, "cluster": name}
    page = flink_page.jobs_markdown([row], NOW)
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(page)
    kinds = {each.type for token in tokens for each in [token, *(token.children or ())]}
    assert not kinds & {"html_block", "html_inline", "image", "fence"}
    assert sum(token.type == "tr_open" for token in tokens) == 2  # a header and the job


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
    page = flink_page.jobs_markdown([row], NOW)
    assert "| CANCELED |" in page
    assert "UPDATE cancelled, 1 s ago" in page
    assert "RUNNING" not in page
