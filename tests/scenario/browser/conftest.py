"""One browser that has signed in, for all tests of Prefect's pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.scenario.browser.prefect_ui import BROWSER, VERSIONS, PrefectUi
from tests.scenario.conftest import Platform

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE_MS = 120_000


@pytest.fixture(scope="module")
def page(deployed: Platform) -> Iterator[Page]:
    """A page that calls nobody but the server under test, and has been told its password.

    Its event loop runs in this thread until it is closed: it may not outlive its module.
    """
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
