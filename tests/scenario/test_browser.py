"""What a person sees: the run form, and the page of a run, in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.scenario.conftest import Platform

if TYPE_CHECKING:
    from playwright.sync_api import Page

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 120_000

pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")


@pytest.fixture
def page(platform: Platform) -> Iterator[Page]:
    """A page that calls nobody but the server under test, and has been told its password."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(platform.prefect.ui_url)
        page.locator("input").fill(platform.prefect.password)
        page.keyboard.press("Enter")
        page.get_by_text("Flow Runs").first.wait_for()
        yield page
        browser.close()


def open_form(platform: Platform, page: Page, flow_name: str, deployment_name: str) -> None:
    found = platform.prefect.api.get(f"/deployments/name/{flow_name}/{deployment_name}").json()
    page.goto(f"{platform.prefect.ui_url}/deployments/deployment/{found['id']}/run")
    page.get_by_text("Parameters", exact=True).wait_for()


def test_the_form_says_what_each_field_means(platform: Platform, page: Page) -> None:
    """The texts come from the flow's docstring."""
    open_form(platform, page, "glue-job", "glue-job")

    page.get_by_text("The Glue job to run.").wait_for()
    page.get_by_text("The connections to choose from, as a list or comma-separated").wait_for()


def test_a_word_count_is_run_from_the_form_and_read_on_its_page(
    platform: Platform, page: Page
) -> None:
    """Filled in by hand with the published values; the counts are on the page's artifact."""
    open_form(platform, page, "flink-word-count", "flink-word-count")
    values = platform.published_parameters
    fields = page.locator("form textarea")
    for place, value in enumerate(values.values()):
        fields.nth(place).fill(value)
        assert fields.nth(place).input_value() == value
    for _ in range(5):  # the server says so when SQLite is busy; a person presses again
        with page.expect_response(lambda seen: seen.url.endswith("/create_flow_run")) as created:
            page.get_by_role("button", name="Submit").click()
        if created.value.status < 500:
            break
    run = created.value.json()
    assert created.value.ok, created.value.text()
    assert run["parameters"] | values == run["parameters"]
    ended = platform.prefect.wait_for(run["id"])
    assert ended["state_type"] == "COMPLETED", platform.prefect.logs(run["id"])

    page.goto(platform.prefect.page(run["id"]))
    page.get_by_text("Artifacts", exact=True).first.click()
    page.get_by_text("flink-job-wordcount", exact=True).last.click()

    page.get_by_text("FINISHED").first.wait_for()


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
