"""The form of a deployment, and the page of a flow run, on both of Prefect's pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from scripts.prefect_stack import PrefectStack
from scripts.site.schema_form import SchemaForm

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Response

T = TypeVar("T")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
VERSIONS = ("v1", "v2")
PICTURES = os.environ.get("BROWSER_PICTURES")
"""The directory that keeps a picture of what each step has shown; None: none is taken."""
_PREFIX = {"v1": "", "v2": "/v2"}
_GO = {  # as a click on a link does: the page is not loaded again
    "v1": "path => document.querySelector('#app').__vue_app__"
    ".config.globalProperties.$router.push(path)",
    "v2": "path => { history.pushState({}, '', path); dispatchEvent("
    "new PopStateEvent('popstate', {state: {}})) }",
}
_HEIGHT = "Math.max(1100, ...[...document.querySelectorAll('*')].map(each => each.scrollHeight))"
# v2 runs nothing as long as it shows what was wrong: a press has it check again then. It may check
# again by itself at any moment, so that what is shown is read and pressed in one step.
_CHECK_AGAIN = """() => {
  const wrong = document.querySelector("form .text-destructive");
  wrong?.closest("form").requestSubmit();
  return wrong !== null;
}"""
_NOT_PICKED = {"v1": "is a required property", "v2": "pick one, or give its name"}


class PrefectUi:
    """One of Prefect's two UIs in a browser that has signed in.

    Args:
        page: The browser's page.
        prefect: The server.
        version: ``v1`` or ``v2``.
    """

    def __init__(self, page: Page, prefect: PrefectStack, version: str) -> None:
        self.page = page
        self.version = version
        self._prefect = prefect

    def open(self, path: str) -> None:
        """Go to another place of this UI; what the place before has shown is gone then."""
        start = f"{self._prefect.ui_url}{_PREFIX[self.version]}/settings"
        if self.page.url.startswith(start.removesuffix("settings")) and self._is_here():
            self.page.evaluate(_GO[self.version], f"{_PREFIX[self.version]}/settings")
        else:
            self.page.goto(start)
        self.page.get_by_text("Theme").first.wait_for()
        self.page.evaluate(_GO[self.version], f"{_PREFIX[self.version]}{path}")
        self.page.get_by_text("Theme").first.wait_for(state="detached")

    def _is_here(self) -> bool:
        return ("/v2/" in self.page.url) == (self.version == "v2")

    def form(self, deployment: str) -> RunForm:
        """Open the form of a deployment that has the name of its flow."""
        found = self._prefect.api.get(f"/deployments/name/{deployment}/{deployment}").json()
        self.open(f"/deployments/deployment/{found['id']}/run")
        properties = list(found["parameter_openapi_schema"]["properties"])
        form = RunForm(self.page, self.version, properties)
        form.row(form.parameters[-1]).wait_for()
        return form

    def flow_run(self, flow_run_id: str) -> None:
        """Open the page of a flow run, unless it is open."""
        path = f"/runs/flow-run/{flow_run_id}"
        if path not in self.page.url or not self._is_here():
            self.open(path)

    def shows(self, flow_run_id: str, tab: str, *texts: str) -> None:
        """Open a tab of a flow run's page, and wait until it shows these texts."""
        self.flow_run(flow_run_id)
        self.page.get_by_text(tab, exact=True).locator("visible=true").first.click()
        for each in texts:
            self.page.get_by_text(each).locator("visible=true").first.wait_for()

    def details(self, flow_run_id: str, name: str, message: str) -> None:
        """Open the details of a flow run: its name and its state's message."""
        self.shows(flow_run_id, "Details", name)
        told = self.page.get_by_text(message).locator("visible=true")
        cut_off = self.page.get_by_text("See More", exact=True).locator("visible=true")
        told.or_(cut_off).first.wait_for()
        if not told.count():  # v1 shows 70 characters of a message
            cut_off.first.click()
        told.first.wait_for()

    def question(self, flow_run_id: str, *texts: str) -> SchemaForm:
        """What a flow run asks, once its page offers to resume it; it says these texts."""
        self.flow_run(flow_run_id)
        self._press_in_menu("Resume")
        for each in texts:
            self._dialog.get_by_text(each).first.wait_for()
        return SchemaForm(self.page, self.version)

    def answer(self) -> None:
        """Send what was filled in, or that the run goes on."""
        self._confirm({"v1": "Submit", "v2": "Resume"})

    def suspend(self, flow_run_id: str) -> None:
        """Suspend a flow run on its page."""
        self.flow_run(flow_run_id)
        self._press_in_menu({"v1": "Suspend", "v2": "Pause"}[self.version])
        self._confirm({"v1": "Submit", "v2": "Pause Flow Run"})

    def cancel(self, flow_run_id: str) -> None:
        """Cancel a flow run on its page."""
        self.flow_run(flow_run_id)
        self._press_in_menu("Cancel")
        self._confirm({"v1": "Confirm", "v2": "Cancel Flow Run"})

    def _confirm(self, names: Mapping[str, str]) -> None:
        button = self._dialog.get_by_role("button", name=names[self.version], exact=True)
        button.click()
        button.wait_for(state="detached")

    @property
    def _dialog(self) -> Locator:
        kinds = "[role=dialog], [role=alertdialog], .p-modal"
        return self.page.locator(kinds).first

    def _press_in_menu(self, name: str) -> None:
        """A button of a flow run's page: v1 shows it, v2 has it in a menu."""
        if self.version == "v1":
            self.page.get_by_role("button", name=name, exact=True).first.click()
        else:
            self.page.get_by_role("button", name="Open menu").click()
            self.page.get_by_role("menuitem", name=name, exact=True).click()

    def open_artifact(self, key: str, flow_run_id: str = "") -> None:
        """Open the newest artifact of a key, or of a flow run and a key that begins so."""
        query: dict[str, Any] = {"artifacts": {"key": {"like_": f"{key}%"}}}
        if flow_run_id:
            query["artifacts"]["flow_run_id"] = {"any_": [flow_run_id]}
        newest = {"sort": "CREATED_DESC", "limit": 1}
        (found,) = self._prefect.post("/artifacts/filter", query | newest).json()
        self.open(f"/artifacts/artifact/{found['id']}")

    def picture(self, name: str) -> None:
        """Keep what the page shows, where somebody wants to look at it."""
        if PICTURES is None:
            return
        directory = Path(PICTURES) / self.version
        directory.mkdir(parents=True, exist_ok=True)
        size = self.page.viewport_size
        assert size is not None
        self.page.set_viewport_size(size | {"height": int(self.page.evaluate(_HEIGHT))})
        self.page.wait_for_timeout(500)
        self.page.screenshot(path=directory / f"{name}.png")
        self.page.set_viewport_size(size)


class RunForm(SchemaForm):
    """What a person fills in to run a deployment.

    Args:
        page: The browser's page that shows it.
        version: Which of the two UIs that is.
        parameters: The deployment's parameters.
    """

    def __init__(self, page: Page, version: str, parameters: list[str]) -> None:
        super().__init__(page, version)
        self.parameters = parameters

    def submit(self) -> None:
        """Press the button by the keyboard: v2 shows what was wrong on top of it.

        As long as the pointer is there, that stays.
        """
        self.page.get_by_role("button", name="Submit").press("Enter")

    def run(self) -> dict[str, Any]:
        """Submit it: the flow run that the server made."""
        if self.page.evaluate(_CHECK_AGAIN):
            self.page.locator("form .text-destructive").first.wait_for(state="detached")

        def created() -> Response | None:
            with self.page.expect_response(_creates, timeout=30_000) as answer:
                self.submit()
            return answer.value if answer.value.status < 500 else None

        answer = _pressed_again(created)
        assert answer.ok, answer.text()
        return dict(answer.json())

    def is_refused(self, name: str, by_browser: str, by_server: str) -> None:
        """Submit it: v2 lets the browser say what is wrong with a number, else the server does."""
        if by_browser and self.version == "v2":
            self.submit()
            field = self.row(name).locator("textarea, input").first
            assert by_browser in field.evaluate("field => field.validationMessage")
        else:
            self._says(self.page.get_by_text(by_server))

    def needs_a_block(self, name: str, kind: str) -> None:
        """Turn to a list of blocks and submit it: none is picked, and none is taken instead."""
        self.turn_to_blocks(name, kind)
        self._says(self.row(name).get_by_text(_NOT_PICKED[self.version]))

    def _says(self, text: Locator) -> None:
        """Submit it, and wait until the page says so."""

        def said() -> bool:
            self.submit()
            text.first.wait_for(timeout=30_000)
            return True

        assert _pressed_again(said)


def _pressed_again(press: Callable[[], T | None]) -> T:
    """What a press of the button led to, as a person presses it.

    Where SQLite is busy, v1's check of the form may go unanswered, or the server says so.
    """
    from playwright.sync_api import TimeoutError as NotAnswered

    for _ in range(5):
        with suppress(NotAnswered):
            if (answer := press()) is not None:
                return answer
    raise AssertionError("the button was pressed five times, and nothing was answered")


def _creates(response: Response) -> bool:
    return response.url.endswith("/create_flow_run")
