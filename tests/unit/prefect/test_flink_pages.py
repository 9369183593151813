"""Pages about Flink jobs hold what jobs and services say, and nothing comes of it."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from flinkglue.azure.jobs.state import JobProgress
from flinkglue.azure.models import ArmFlinkJob
from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.azure_sign_in import EntraServicePrincipal
from flinkglue.blocks.flink import FlinkRestCluster
from flinkglue.lifecycle.actions.inventory import Disposals
from flinkglue.lifecycle.differences import Difference
from flinkglue.lifecycle.models import Action, JobView, Outcome, Savepoint
from flinkglue.prefect.pages.flink_action import change_row, outcome_markdown, savepoint_row
from flinkglue.prefect.pages.flink_job import job_markdown
from flinkglue.prefect.pages.savepoints import JobReport
from flinkglue.prefect.pages.word_counts import WordCounts
from flinkglue.tasks.flink_job_details import details_markdown

ATTACK = (
    "a`|\n| x | y |\n\n# Heading\n[click](https://e.vil) ![i](https://e.vil/i) <script>x</script>\n"
    "```\nhttps://e.vil www.e.vil \x1b[31mred \u202egnp"
)
REST = FlinkRestCluster(url="https://flink.example.com")
AZURE = HDInsightFlinkCluster(
    subscription_id="11111111-2222-3333-4444-555555555555",
    resource_group="g",
    cluster_pool_name="p",
    cluster_name="c",
    credentials=EntraServicePrincipal(),
    flink_rest_url="https://flink.example.com",
)
FORBIDDEN = {"html_inline", "html_block", "image", "heading_open"}


def action_page() -> str:
    outcome = Outcome(
        action=Action.UPDATE,
        job_name=ATTACK,
        job_id=ATTACK,
        previous_job_id=ATTACK,
        state=ATTACK,
        savepoint_path=ATTACK,
        failure=ATTACK,
        story=(ATTACK, ATTACK),
    )
    return outcome_markdown(REST, outcome)


def job_page() -> str:
    job = ArmFlinkJob.from_row(job_row())
    flink = JobView(ATTACK, ATTACK, ATTACK, tasks_total=1, tasks_running=1, exception=ATTACK)
    return job_markdown(AZURE, JobProgress(job, flink), "https://flink.example.com")


def job_row() -> dict[str, object]:
    told = dict.fromkeys(("jobName", "status", "action", "actionResult", "jobId"), ATTACK)
    output = {"jobOutput": f"Caused by: java.io.IOException: {ATTACK}", "status": "FAILED"}
    return {"name": "x", "id": ATTACK, "properties": told | output}


@pytest.mark.parametrize(
    "page",
    [
        action_page,
        job_page,
        lambda: details_markdown([job_row()]),
        lambda: WordCounts(((ATTACK, 1),), 1, 1).markdown().removeprefix("### "),
    ],
    ids=["action", "job", "details", "words"],
)
def test_no_text_from_outside_becomes_markup(page: object) -> None:
    """No link to elsewhere, no image, no HTML, no heading, no more rows; nothing for a terminal."""
    assert callable(page)
    markdown = page()
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    every = [each for token in tokens for each in [token, *(token.children or ())]]
    links = [str(each.attrs["href"]) for each in every if each.type == "link_open"]
    assert not FORBIDDEN & {each.type for each in every}
    assert [
        url for url in links if not url.startswith(("https://flink.ex", "https://portal"))
    ] == []
    cells = [each.type for each in every].count("td_open")
    assert cells == 2 * [each.type for each in every].count("tr_open") - 2
    assert all(each.isprintable() or each in "\n" for each in markdown)


def test_no_text_from_outside_in_a_table_acts_on_anything() -> None:
    """Prefect shows these as plain text."""
    saved = Savepoint(
        job_name=ATTACK, path=ATTACK, job_id=ATTACK, origin=ATTACK, taken_at=0.0, args=(ATTACK,)
    )
    rows = [
        change_row(Difference(ATTACK, ATTACK, ATTACK)),
        savepoint_row(saved),
        JobReport(ATTACK, ATTACK, Disposals((saved,)), ATTACK).row(),
    ]
    texts = [value for row in rows for value in row.values() if isinstance(value, str)]
    assert len(texts) > 10
    assert [each for each in texts if "\x1b" in each or "\u202e" in each] == []
