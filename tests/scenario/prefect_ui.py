"""The form of a deployment, and the page of a flow run, on both of Prefect's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.prefect_stack import PrefectStack

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Response

VERSIONS = ("v1", "v2")
_PREFIX = {"v1": "", "v2": "/v2"}
_WITH_CLASS = "ancestor::div[contains(concat(' ', @class, ' '), ' {} ')][1]"
_ROW = {
    "v1": "//span[contains(@class, 'schema-form-property__label')][{}]/"
    + _WITH_CLASS.format("schema-form-property"),
    "v2": "//label[{}]/" + _WITH_CLASS.format("group"),
}
_GO = {  # as a click on a link does: the page is not loaded again
    "v1": "path => document.querySelector('#app').__vue_app__"
    ".config.globalProperties.$router.push(path)",
    "v2": "path => { history.pushState({}, '', path); dispatchEvent("
    "new PopStateEvent('popstate', {state: {}})) }",
}


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
        form = RunForm(self, list(found["parameter_openapi_schema"]["properties"]))
        form.row(form.parameters[-1]).wait_for()
        return form

    def shows(self, flow_run_id: str, tab: str, *texts: str) -> None:
        """Open a tab of a flow run's page, and wait until it shows these texts."""
        path = f"/runs/flow-run/{flow_run_id}"
        if path not in self.page.url or not self._is_here():
            self.open(path)
        self.page.get_by_text(tab, exact=True).locator("visible=true").first.click()
        for each in texts:
            self.page.get_by_text(each).locator("visible=true").first.wait_for()

    def open_artifact(self, key: str) -> None:
        """Open the newest artifact of a key."""
        query = {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC", "limit": 1}
        (found,) = self._prefect.post("/artifacts/filter", query).json()
        self.open(f"/artifacts/artifact/{found['id']}")


class RunForm:
    """What a person fills in to run a deployment."""

    def __init__(self, ui: PrefectUi, parameters: list[str]) -> None:
        self.parameters = parameters
        self._ui = ui
        self._page = ui.page

    def row(self, name: str) -> Locator:
        """A field with its name, its text and its input."""
        is_named = f"normalize-space() = '{name}' or normalize-space() = '{name} (Optional)'"
        return self._page.locator("xpath=" + _ROW[self._ui.version].format(is_named))

    def fill(self, name: str, value: object) -> None:
        """A text or a number."""
        field = self.row(name).locator("textarea, input").first
        field.fill(str(value))
        assert field.input_value() == str(value)

    def add(self, name: str, value: str) -> None:
        """One more item of a list."""
        self.row(name).get_by_role("button", name="Add item").click()
        self.row(name).locator("textarea, input").last.fill(value)

    def choose(self, name: str, value: str) -> None:
        """One of the values of a drop-down."""
        if self._ui.version == "v1":
            self._select(name, value)
        else:
            self.row(name).get_by_role("button", name=f"Select {name}").click()
            self._page.get_by_role("option", name=value, exact=True).click()

    def turn_to(self, name: str, kind: str) -> None:
        """Turn to one of the kinds of value that a field takes; a picker has nothing picked."""
        self.row(name).get_by_text(kind, exact=True).click()

    def pick(self, name: str, kind: str, block: str) -> None:
        """Pick a saved block."""
        self.turn_to(name, kind)
        if self._ui.version == "v1":
            self._select(name, block)
        else:
            self.row(name).get_by_label("Select a block").click()
            self._page.get_by_role("option", name=block, exact=True).click()

    def _select(self, name: str, value: str) -> None:
        self.row(name).locator(".p-select-button__control").press("Space")
        self._page.locator(".p-select-option").get_by_text(value, exact=True).click()

    def submit(self) -> None:
        """Press the button."""
        self._page.get_by_role("button", name="Submit").click()

    def run(self) -> dict[str, Any]:
        """Submit it: the flow run that the server made."""
        from playwright.sync_api import TimeoutError as NotAnswered

        for _ in range(5):  # where SQLite is busy, v1's check of the form may go unanswered, or
            try:  # the server says so: a person presses again
                with self._page.expect_response(_creates, timeout=30_000) as created:
                    self.submit()
            except NotAnswered:
                continue
            if created.value.status < 500:
                break
        assert created.value.ok, created.value.text()
        return dict(created.value.json())

    def is_refused(self, name: str, by_browser: str, by_server: str) -> None:
        """Submit it: v2 lets the browser say what is wrong with a value, v1 the server."""
        self.submit()
        if self._ui.version == "v2":
            field = self.row(name).locator("textarea, input").first
            assert by_browser in field.evaluate("field => field.validationMessage")
        else:
            self._page.get_by_text(by_server).first.wait_for()


def _creates(response: Response) -> bool:
    return response.url.endswith("/create_flow_run")
