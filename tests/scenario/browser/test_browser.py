"""What a person sees in a real browser, on both of Prefect's pages: forms, runs, jobs pages.

BROWSER_FORMS=all runs every deployment from its form in both UIs, and stops runs by their buttons;
by default one runs in each UI. BROWSER_PICTURES names a directory that keeps a picture of each
step.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from scripts.prefect_stack import REPOSITORY
from tests.scenario.browser.all_forms import GROUPS, all_forms, flink_forms
from tests.scenario.browser.form_runs import FormRuns
from tests.scenario.browser.glue_forms import CONNECTIONS, JOB, glue_forms
from tests.scenario.browser.prefect_ui import BROWSER, VERSIONS, PrefectUi
from tests.scenario.conftest import Platform
from tests.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page

DEPLOYMENTS = [
    each["name"]
    for each in yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())["deployments"]
]

pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
on_request = pytest.mark.skipif(
    os.environ.get("BROWSER_FORMS") != "all", reason="BROWSER_FORMS=all runs every deployment"
)


def test_each_form_shows_its_fields_and_their_texts(ui: PrefectUi) -> None:
    """No row of type None, and no address that became a mail link."""
    for name in DEPLOYMENTS:
        form = ui.form(name)
        text = ui.page.inner_text("form")
        assert "Property is type" not in text, name
        assert ui.page.locator("form a[href^='mailto:']").count() == 0, name
        assert [each for each in form.parameters if not form.row(each).count()] == [], name
    ui.form("glue-job")
    ui.page.get_by_text("The Glue job to run.").wait_for()
    ui.page.get_by_text("The connections to choose from, as a list or comma-separated").wait_for()


def test_jobs_are_run_from_forms_and_found_on_the_pages_of_both(
    platform: Platform, page: Page, tmp_path: Path
) -> None:
    """A Glue job from the form of v1, a Flink job from that of v2; both UIs show both.

    The deployment's own block does not take the place of one that was not picked.
    """
    v1, v2 = (PrefectUi(page, platform.prefect, version) for version in VERSIONS)
    flink = flink_forms(tmp_path)
    with ended_in_flink(platform, flink.job_name):
        glue_runs, flink_runs = FormRuns(platform, v1), FormRuns(platform, v2)
        glue_runs.run(next(glue_forms("")))
        flink_runs.run(flink.new())
        glue_runs.look(v1, v2, opens_artifacts=False)
        flink_runs.look(v1, v2, opens_artifacts=False)


@on_request
@pytest.mark.parametrize("group", GROUPS)
def test_every_deployment_is_run_from_its_form(
    platform: Platform, ui: PrefectUi, group: str, tmp_path: Path
) -> None:
    """Each refuses a value, and a block that was not picked, in words, and runs then."""
    flink = flink_forms(tmp_path)
    forms, runs = all_forms(platform, flink), FormRuns(platform, ui)
    assert {each.deployment for of in forms.values() for each in of} == set(DEPLOYMENTS)
    with ended_in_flink(platform, flink.job_name):
        for filled in forms[group]:
            runs.run(filled)
        runs.look(ui)


@contextmanager
def ended_in_flink(platform: Platform, job_name: str) -> Iterator[None]:
    """Leave no slot taken to the tests after this one."""
    try:
        yield
    finally:
        with platform.cloud.flink.connect() as flink:
            for job in flink.jobs():
                if job.job_name == job_name and not job.is_terminal:
                    flink.cancel(job.job_id)


@on_request
def test_a_cancelled_run_says_how_its_glue_run_ended(platform: Platform, ui: PrefectUi) -> None:
    """By the button of its page: nothing on it speaks of a crash, and the live page is kept."""
    with long_glue_runs(platform, seconds=300):
        flow_run_id = started(platform)
        ui.cancel(flow_run_id)
        ended = platform.prefect.wait_for(flow_run_id)
    assert ended["state_type"] == "CANCELLED", platform.prefect.logs(flow_run_id)
    eventually(partial(logged, platform, flow_run_id, "is STOPPED"), every_seconds=0.5)
    assert logged(platform, flow_run_id, "Crash") == []
    ui.shows(flow_run_id, "Details", f"{JOB}: attempt 1 on", "Cancelled")
    ui.picture("cancelled-details")
    ui.shows(flow_run_id, "Task Runs", f"run {JOB} on", "1 Cancelled")
    assert not ui.page.get_by_text("Crashed").locator("visible=true").count()
    ui.picture("cancelled-tasks")
    ui.shows(flow_run_id, "Logs", "Beginning flow run")
    ui.picture("cancelled-logs")
    ui.open_artifact("glue-job-run", flow_run_id)
    ui.page.get_by_text("STOPPED").first.wait_for()
    ui.picture("cancelled-page")


@on_request
def test_a_suspended_run_adopts_its_glue_run_when_it_is_resumed(
    platform: Platform, ui: PrefectUi
) -> None:
    """By the buttons of its page; the Glue run goes on meanwhile, and is the only one."""
    with long_glue_runs(platform, seconds=30):
        flow_run_id = started(platform)
        ui.suspend(flow_run_id)
        ui.shows(flow_run_id, "Details", "Suspended")
        ui.picture("suspended-details")
        eventually(partial(platform.prefect.process_has_ended, flow_run_id), every_seconds=0.5)
        ui.shows(flow_run_id, "Task Runs", f"run {JOB} on")
        ui.picture("suspended-tasks")
        ui.question(flow_run_id)
        ui.picture("suspended-question")
        ui.answer()
        ended = platform.prefect.wait_for(flow_run_id)
    assert ended["state_type"] == "COMPLETED", platform.prefect.logs(flow_run_id)
    ui.details(flow_run_id, f"{JOB}: attempt 1 on", "SUCCEEDED on")
    ui.picture("resumed-details")
    ui.shows(flow_run_id, "Task Runs", f"run {JOB} on")
    ui.picture("resumed-tasks")
    eventually(partial(logged, platform, flow_run_id, "Adopted run"), every_seconds=0.5)
    assert len(logged(platform, flow_run_id, "Started run")) == 1


@contextmanager
def long_glue_runs(platform: Platform, seconds: float) -> Iterator[None]:
    """So that a person can do something about one."""
    platform.cloud.glue_timing(run_seconds=seconds)
    try:
        yield
    finally:
        platform.cloud.glue_timing(run_seconds=3)


def started(platform: Platform) -> str:
    """A flow run whose Glue run has been started."""
    parameters = {"job_name": JOB, "connection_names": list(CONNECTIONS), "aws_credentials": "aws"}
    flow_run_id = platform.prefect.run_deployment("glue-job/glue-job", parameters)

    def has_page() -> bool:
        found = platform.prefect.artifacts(flow_run_id)
        return any(str(key).startswith("glue-job-run") for key in found)

    eventually(has_page, every_seconds=0.5)
    return flow_run_id


def logged(platform: Platform, flow_run_id: str, words: str) -> list[str]:
    """Lines of a flow run's log with these words; some may be on their way."""
    return [line for line in platform.prefect.logs(flow_run_id) if words in line]


@on_request
def test_a_block_is_changed_in_its_form(platform: Platform, ui: PrefectUi) -> None:
    """Each field has its title and its text, and no row is of type None."""
    documents = platform.prefect.post("/block_documents/filter", {}).json()
    kinds = {each["block_type"]["slug"]: each["id"] for each in documents}
    for slug, title in (
        ("flink-rest-cluster", "Sign-in"),
        ("hdinsight-flink-cluster", "Flink sign-in"),
    ):
        ui.open(f"/blocks/block/{kinds[slug]}/edit")
        ui.page.get_by_role("button", name="Save").wait_for()
        ui.page.get_by_text(title).first.wait_for()
        ui.picture(f"block-{slug}")
        assert "Property is type" not in ui.page.inner_text("body"), slug


def test_the_dashboard_is_opened_by_a_link_and_by_links_of_run_pages_then(
    platform: Platform, page: Page
) -> None:
    """Prefect's pages are another origin: their links open the dashboard of who has signed in."""
    dashboard = platform.cloud.azure["flink_rest_url"]
    link = f"{dashboard}/#/overview"
    page.set_content(f"<a href='{link}'>the job</a>")
    page.get_by_text("the job").click()
    page.get_by_text("Sign in to the local cloud's Flink").wait_for()

    page.goto(f"{platform.cloud.dashboard_link()}#/job-manager/config")
    page.get_by_text("Job Manager").first.wait_for()
    assert page.url == f"{dashboard}/#/job-manager/config"

    page.goto(platform.prefect.ui_url)
    page.evaluate("(link) => { document.body.innerHTML = `<a href='${link}'>the job</a>`; }", link)
    page.get_by_text("the job").click()
    page.get_by_text("Available Task Slots").wait_for()
    cookies = {each["name"]: each for each in page.context.cookies(dashboard)}
    (own,) = [cookie for name, cookie in cookies.items() if name.startswith("localcloud-")]
    assert (own["sameSite"], own["httpOnly"]) == ("Strict", True)
