"""Deployments that are run from their forms, and found on the pages then."""

from __future__ import annotations

from typing import Any

from scripts.prefect_stack import FINAL_STATES
from tests.scenario.browser.filled_in import FilledIn, Question
from tests.scenario.browser.prefect_ui import PrefectUi
from tests.scenario.conftest import Platform
from tests.waiting import eventually


class FormRuns:
    """Runs that go on while the next form is filled in.

    Args:
        platform: What is deployed.
        ui: Where the forms are filled in.
    """

    def __init__(self, platform: Platform, ui: PrefectUi) -> None:
        self._prefect = platform.prefect
        self._ui = ui
        self._runs: dict[str, tuple[FilledIn, dict[str, Any]]] = {}

    def run(self, filled: FilledIn) -> None:
        """Fill a form in, be refused, and run it."""
        for title in filled.after:
            self._end_of(title)
        before = self._count(filled.deployment)
        form = self._ui.form(filled.deployment)
        filled.fill_in(form)
        if filled.picker:
            field, kind, block = filled.picker
            form.needs_a_block(field, kind)
            self._ui.picture(f"{filled.title}-not-picked")
            form.pick(field, kind, block)
        filled.refused.check(form)
        assert self._count(filled.deployment) == before, filled.title
        self._ui.picture(f"{filled.title}-form")
        run = form.run()
        assert run["deployment_id"], run
        self._runs[filled.title] = filled, run
        if filled.question:
            self._answer(run["id"], filled.title, filled.question)

    def look(self, *uis: PrefectUi, opens_artifacts: bool = True) -> None:
        """Find each run on the pages; its artifacts are listed there, and opened if so asked."""
        for title in self._runs:
            self._end_of(title)
        for ui in uis:
            for filled, run in self._runs.values():
                self._look(ui, filled, run["id"])
                if opens_artifacts:
                    self._open_artifacts(ui, filled, run["id"])
            for page, job, text in {each.row for each, _ in self._runs.values() if each.row}:
                ui.open_artifact(page)
                row = ui.page.get_by_role("row", name=job)
                row.get_by_text(text).first.wait_for()
                ui.picture(page)

    def _look(self, ui: PrefectUi, filled: FilledIn, flow_run_id: str) -> None:
        ui.details(flow_run_id, filled.flow_run, filled.message)
        ui.picture(f"{filled.title}-details")
        ui.shows(flow_run_id, "Task Runs", *filled.tasks)
        ui.picture(f"{filled.title}-tasks")
        if not filled.artifacts:
            return
        ui.shows(flow_run_id, "Artifacts", *filled.artifacts)
        ui.picture(f"{filled.title}-artifacts")

    def _open_artifacts(self, ui: PrefectUi, filled: FilledIn, flow_run_id: str) -> None:
        for key, text in filled.artifacts.items():
            ui.open_artifact(key, flow_run_id)
            ui.page.get_by_text(text).locator("visible=true").first.wait_for()
            ui.picture(f"{filled.title}-{key}")

    def _answer(self, flow_run_id: str, title: str, question: Question) -> None:
        self._wait(flow_run_id, {"PAUSED"})
        form = self._ui.question(flow_run_id, question.text)
        question.fill_in(form)
        self._ui.picture(f"{title}-question")
        self._ui.answer()

    def _end_of(self, title: str) -> None:
        _, run = self._runs[title]
        ended = self._prefect.wait_for(run["id"])
        assert ended["state_type"] == "COMPLETED", (title, self._prefect.whole_log(run["id"]))

    def _wait(self, flow_run_id: str, states: set[str]) -> None:
        def state() -> str:
            return str(self._prefect.flow_run(flow_run_id)["state_type"])

        eventually(lambda: state() in states | FINAL_STATES, every_seconds=0.5)
        assert state() in states, self._prefect.whole_log(flow_run_id)

    def _count(self, deployment: str) -> int:
        """The runs of one deployment: those of others may begin meanwhile."""
        named = {"deployments": {"name": {"any_": [deployment]}}}
        return int(self._prefect.post("/flow_runs/count", named).json())
