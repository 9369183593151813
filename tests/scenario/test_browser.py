"""What a person sees in a real browser, on both of Prefect's pages: forms, runs, jobs pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import yaml

from scripts.prefect_stack import REPOSITORY
from tests.scenario.conftest import Platform
from tests.scenario.lifecycle.real_lifecycle import ENTRY_CLASS, JARS
from tests.scenario.prefect_ui import VERSIONS, PrefectUi

if TYPE_CHECKING:
    from playwright.sync_api import Page

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 120_000
DEPLOYMENTS = [
    each["name"]
    for each in yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())["deployments"]
]

pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def page(deployed: Platform) -> Iterator[Page]:
    """A page that calls nobody but the server under test, and has been told its password."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(deployed.prefect.ui_url)
        page.locator("input").fill(deployed.prefect.password)
        page.keyboard.press("Enter")
        page.get_by_text("Dashboard").first.wait_for()
        yield page
        browser.close()


@pytest.fixture(params=VERSIONS)
def ui(platform: Platform, page: Page, request: pytest.FixtureRequest) -> PrefectUi:
    return PrefectUi(page, platform.prefect, request.param)


def flow_runs(platform: Platform) -> int:
    return int(platform.prefect.post("/flow_runs/count", {}).json())


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


def test_what_is_not_picked_or_not_allowed_is_refused_in_words(
    platform: Platform, ui: PrefectUi
) -> None:
    """The deployment's own block does not take the place of one that was not picked."""
    before = flow_runs(platform)
    form = ui.form("glue-job")
    form.fill("job_name", "AirflowBlogJob")
    form.turn_to("aws_credentials", "AwsCredentials")
    form.submit()
    unpicked = {"v1": "is a required property", "v2": "pick one, or give its name"}[ui.version]
    form.row("aws_credentials").get_by_text(unpicked).wait_for()

    form.pick("aws_credentials", "AwsCredentials", "aws")
    form.fill("retries", 51)
    at_most = "51 is greater than the maximum of 50"
    form.is_refused(
        "retries",
        "less than or equal to 50",
        f"field 'retry_options.retries'. Failure reason: {at_most}",
    )
    assert flow_runs(platform) == before


def test_jobs_are_run_from_forms_and_found_on_the_pages_of_both(
    platform: Platform, page: Page, tmp_path: Path
) -> None:
    """A Glue job from the form of v1, a Flink job from that of v2; both UIs show both."""
    v1, v2 = (PrefectUi(page, platform.prefect, version) for version in VERSIONS)
    form = v1.form("glue-job")
    form.fill("job_name", "AirflowBlogJob")
    form.turn_to("connection_names", "str")
    form.fill("connection_names", "MWAA-Glue-Blog-Subnet1,MWAA-Glue-Blog-Subnet2")
    form.pick("aws_credentials", "AwsCredentials", "aws")
    form.fill("retries", 1)
    glue = form.run()
    assert glue["parameters"]["retry_options"]["retries"] == 1
    assert glue["parameters"]["aws_credentials"]["$ref"]["block_document_id"]

    job = f"orders-{uuid4().hex[:8]}"
    form = v2.form("flink-job-action")
    form.choose("action", "NEW")
    form.fill("job_name", job)
    form.pick("cluster", "FlinkRestCluster", "flink")
    form.fill("jar", JARS / "StatefulCount.jar")
    form.fill("entry_class", ENTRY_CLASS)
    form.add("args", "--output")
    form.add("args", str(tmp_path / "counts.txt"))
    form.fill("stable_seconds", 1)
    flink = form.run()

    with ended_in_flink(platform, job):
        on = completed(platform, glue).removeprefix("AirflowBlogJob: attempt 1 on ")
        assert on.startswith("MWAA-Glue-Blog-Subnet")
        assert completed(platform, flink) == f"NEW {job} on flink"
        for ui in (v2, v1):
            outcome = f"SUCCEEDED on {on}"
            ui.shows(glue["id"], "Details", f"AirflowBlogJob: attempt 1 on {on}", outcome)
            ui.shows(glue["id"], "Task Runs", f"run AirflowBlogJob on {on}")
            artifacts = ("glue-job-run-airflowblogjob-", outcome, "glue-jobs")
            ui.shows(glue["id"], "Artifacts", *artifacts)
            ui.open_artifact("glue-jobs")
            page.get_by_role("row", name="AirflowBlogJob").get_by_text("SUCCEEDED").wait_for()

            outcome = f"NEW of {job} done: RUNNING as"
            ui.shows(flink["id"], "Details", f"NEW {job} on flink", outcome)
            ui.shows(flink["id"], "Task Runs", f"start {job}", f"verify {job}")
            ui.shows(flink["id"], "Artifacts", f"flink-action-{job}-", outcome, "flink-jobs")
            ui.open_artifact("flink-jobs")
            page.get_by_role("row", name=job).get_by_text("RUNNING").first.wait_for()


def completed(platform: Platform, run: dict[str, Any]) -> str:
    """The name of a flow run, once it has completed."""
    ended = platform.prefect.wait_for(run["id"])
    assert ended["state_type"] == "COMPLETED", platform.prefect.logs(run["id"])
    return str(ended["name"])


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
