"""Takes the pictures of the site from a running local cloud.

    python -m scripts.site.screenshots

Starts what scripts/demo starts, runs the jobs of the tutorial, writes the pictures where the site
shows them, and ends. It needs Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import demo_run
from scripts.prefect_stack import FINAL_STATES, StackFailed
from scripts.site.schema_form import SchemaForm

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

    from scripts.prefect_stack import PrefectStack

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "tutorial" / "images"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
SIZE: ViewportSize = {"width": 1400, "height": 900}
PATIENCE_MS = 20_000


def main() -> int:
    if BROWSER is None:
        print("Chromium is not installed.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as directory, ExitStack() as running:
        options = argparse.Namespace(state_dir=Path(directory), prefect_port=0, once=True)
        cloud, prefect = demo_run.start(options, running)
        running.callback(prefect.stop_worker)
        demo_run.prepare(cloud, prefect)
        word_count = demo_run.run_word_count(cloud, prefect)[1]
        (_, free), (_, full) = demo_run.run_glue_jobs(cloud, prefect)
        page = running.enter_context(signed_in(prefect))
        IMAGES.mkdir(exist_ok=True)
        take(page, f"{prefect.ui_url}/deployments", "flink-word-count", "deployments")
        take(page, word_count, "Completed", "word-count")
        take_ranking(page, prefect, free, "ranking-free")
        take_ranking(page, prefect, full, "ranking-full")
        update_flink_job(prefect, Path(directory))
        take_artifact(page, prefect, "flink-action-counts", "CrashLoop.jar", "update-rolled-back")
        take_artifact(page, prefect, "flink-jobs", "counts", "flink-jobs")
        take_artifact(page, prefect, "glue-jobs", "SUCCEEDED", "glue-jobs")
        take_filled_in_form(page, prefect, "glue-job-form")
        take_deletion_question(page, prefect, "deletion-question")
    return 0


def update_flink_job(prefect: PrefectStack, directory: Path) -> None:
    """What the tutorial does with the job "counts"; the last update is rolled back."""
    actions: list[tuple[str, dict[str, Any]]] = [
        (
            "NEW",
            {
                "jar": "jobs/flink/StatefulCount.jar",
                "args": ["--output", f"{directory}/counts.txt"],
            },
        ),
        ("SAVEPOINT", {}),
        ("UPDATE", {"parallelism": 2}),
        ("UPDATE", {"jar": "jobs/flink/bad/CrashLoop.jar"}),
    ]
    for action, program in actions:
        parameters = {
            "action": action,
            "job_name": "counts",
            "cluster": "flink-rest-cluster/flink",
            "program": program,
        }
        flow_run_id = prefect.run_deployment("flink-job-action/flink-job-action", parameters)
        print(f"{action} {program}: {prefect.wait_for(flow_run_id)['state_name']}", flush=True)


@contextmanager
def signed_in(prefect: PrefectStack) -> Iterator[Page]:
    """A page of a browser that calls nobody but this server, and knows its password."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport=SIZE)
        page.set_default_timeout(PATIENCE_MS)
        page.goto(prefect.ui_url)
        page.locator("input").fill(prefect.password)
        page.keyboard.press("Enter")
        page.get_by_text("Flow Runs").first.wait_for()
        yield page
        browser.close()


def take(page: Page, address: str, until: str, name: str) -> None:
    """A picture of an address, when a text is on it."""
    page.goto(address)
    shoot(page, until, name)


def take_ranking(page: Page, prefect: PrefectStack, flow_run_page: str, name: str) -> None:
    """A picture of the ranking that a Glue run has published."""
    query = {"artifacts": {"flow_run_id": {"any_": [flow_run_page.rpartition("/")[2]]}}}
    found = prefect.api.post("/artifacts/filter", json=query).raise_for_status().json()
    ranking = next(
        each for each in found if each["type"] == "table" and "MWAA-Glue-Blog" in str(each["data"])
    )
    address = f"{prefect.ui_url}/artifacts/artifact/{ranking['id']}"
    take(page, address, "MWAA-Glue-Blog-Subnet1", name)


def take_artifact(page: Page, prefect: PrefectStack, key: str, until: str, name: str) -> None:
    """A picture of the newest artifact whose key begins so."""
    query = {"artifacts": {"key": {"like_": f"{key}%"}}, "sort": "CREATED_DESC", "limit": 1}
    (found,) = prefect.api.post("/artifacts/filter", json=query).raise_for_status().json()
    take(page, f"{prefect.ui_url}/artifacts/artifact/{found['id']}", until, name)


def take_filled_in_form(page: Page, prefect: PrefectStack, name: str) -> None:
    """The form of glue-job, as the tutorial says to fill it in."""
    found = prefect.api.get("/deployments/name/glue-job/glue-job").raise_for_status().json()
    page.goto(f"{prefect.ui_url}/deployments/deployment/{found['id']}/run")
    form = SchemaForm(page, "v1")
    form.fill("job_name", demo_run.GLUE_JOB)
    form.turn_to("connection_names", "str")
    form.fill("connection_names", demo_run.CONNECTIONS)
    form.choose("strategy", "capacity")
    with higher(page, 1350):  # as far as the picked block
        page.get_by_text("Parameters", exact=True).first.scroll_into_view_if_needed()
        shoot(page, "capacity", name)


def take_deletion_question(page: Page, prefect: PrefectStack, name: str) -> None:
    """What flink-cluster-delete asks before it calls anything; nobody answers here."""
    parameters = {"cluster_name": "orders-eu", "cluster": "hdinsight-pool"}
    flow_run_id = prefect.run_deployment("flink-cluster-delete/flink-cluster-delete", parameters)
    while (state := prefect.flow_run(flow_run_id)["state_type"]) != "PAUSED":
        if state in FINAL_STATES:
            raise StackFailed(f"flink-cluster-delete ended as {state}, without a question")
        time.sleep(0.5)
    page.goto(prefect.page(flow_run_id))
    page.get_by_role("button", name="Resume", exact=True).first.click()
    SchemaForm(page, "v1").fill("Confirm Cluster Name", "orders-eu")
    shoot(page, "permanently?", name)


@contextmanager
def higher(page: Page, height: int) -> Iterator[None]:
    """A window in which more of a page can be seen."""
    page.set_viewport_size({"width": SIZE["width"], "height": height})
    yield
    page.set_viewport_size(SIZE)


def shoot(page: Page, until: str, name: str) -> None:
    """A picture when a text can be seen; a page without it is shown as it is, and named."""
    from playwright.sync_api import TimeoutError as NotShown

    try:
        page.get_by_text(until).locator("visible=true").first.wait_for()
    except NotShown:
        print(f"{name}.png lacks {until!r}", file=sys.stderr)
    page.wait_for_timeout(2000)  # charts and icons come after the text
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"{name}.png", flush=True)


if __name__ == "__main__":
    sys.exit(main())
