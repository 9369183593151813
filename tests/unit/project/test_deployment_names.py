"""A deployment is run by FLOW/DEPLOYMENT: both have one name, and every document writes it so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prefect.flows import load_flow_from_entrypoint

ROOT = Path(__file__).resolve().parents[3]
DEPLOYMENTS = {
    each["name"]: each["entrypoint"]
    for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
}
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "prefect.yaml")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "ci").glob("*.yml")),
    *sorted((ROOT / "infra").rglob("*.py")),
    *sorted((ROOT / "scripts").rglob("*.py")),
]
RUN = re.compile(
    r"""(?:deployment run|run_deployment\(|run_flow\(prefect,)\s*["']?([\w-]+/[\w-]+)"""
)
PAIR = re.compile(r"(?<![\w./-])([a-z][a-z-]*)/([a-z][a-z-]*)(?![\w./-])")


SCHEDULED = [
    each["name"]
    for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    if each.get("schedules") or each.get("schedule")
]
ITS_SCHEDULE = re.compile(
    r"\b(?:(?:switch|turn)\w* (?:on )?(?:the|its|their) schedules?(?: on)?\b(?! off)"
    r"|(?:then|and) its schedules?\b|(?:its|their) schedules? (?:is|are) (?:in)?active)",
    re.IGNORECASE,
)


def named_in(text: str) -> Iterator[str]:
    """What a text runs, and every pair whose second word is the name of a deployment."""
    yield from RUN.findall(text)
    yield from (f"{flow}/{name}" for flow, name in PAIR.findall(text) if name in DEPLOYMENTS)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_flow_of_a_deployment_has_its_name(name: str) -> None:
    assert load_flow_from_entrypoint(str(ROOT / DEPLOYMENTS[name])).name == name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_deployment_that_is_written_down_can_be_pasted(page: Path) -> None:
    known = {f"{name}/{name}" for name in DEPLOYMENTS}
    assert set(named_in(page.read_text())) <= known


@pytest.mark.parametrize(
    "page",
    [each for each in PAGES if each.suffix != ".py"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_no_page_switches_on_a_schedule_that_is_not_there(page: Path) -> None:
    """Schedules are in the file of an environment."""
    assert SCHEDULED == [], "then pages may name its schedule"
    assert ITS_SCHEDULE.findall(" ".join(page.read_text().split())) == []


@pytest.mark.parametrize(
    "text",
    [
        "## Switch the schedules on",
        "and switch their schedules on:",
        "Its schedule is inactive until you give it names",
        "then set `stop` and its schedule.",
        "*job_names*; then its schedule |",
    ],
)
def test_a_schedule_that_is_not_there_would_be_found(text: str) -> None:
    assert ITS_SCHEDULE.search(text)


def test_the_readme_runs_some() -> None:
    assert len(RUN.findall((ROOT / "README.md").read_text())) >= 2


def test_names_that_differ_would_be_found() -> None:
    text = "prefect deployment run 'submit-flink-job/flink-job-submit'; `vpc-failover/glue-job`"
    assert set(named_in(text)) == {"submit-flink-job/flink-job-submit", "vpc-failover/glue-job"}
