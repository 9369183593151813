"""What a flow run's page says of an action on a Flink job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from markdown_it import MarkdownIt

from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.pages.flink_action import in_words, outcome_in_words, outcome_markdown


@dataclass
class Cluster:
    url: str = "https://flink"
    dashboard_url: str = "https://flink"


def shown(**outcome: Any) -> str:
    told = outcome_markdown(cast(FlinkCluster, Cluster()), Outcome(**outcome))
    return str(MarkdownIt("gfm-like", {"linkify": False}).render(told))


def test_a_job_id_leads_to_the_jobs_page_and_is_shown_as_it_is() -> None:
    page = shown(action=Action.UPDATE, job_name="orders", job_id="a1b2", state="RUNNING")
    assert '<a href="https://flink/#/job/running/a1b2">a1b2</a>' in page
    assert '<a href="https://flink">flink</a>' in page


def test_what_an_action_does_not_have_takes_no_row() -> None:
    page = shown(action=Action.LIST_SAVEPOINT, job_name="orders")
    assert "–" not in page
    assert "Job id" not in page
    told = outcome_in_words(Outcome(Action.LIST_SAVEPOINT, "orders"))
    assert told == "LIST_SAVEPOINT of orders done: 0 savepoints"


def test_a_time_is_told_in_utc() -> None:
    assert in_words(0) == "1970-01-01 00:00:00 UTC"
