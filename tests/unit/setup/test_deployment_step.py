"""`prefect deploy` refuses what would undo a setting, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from flinkglue.prefect.deployment_step import (
    keep_what_people_set,
    settings_lost,
    to_check,
    would_undo,
)

ROOT = Path(__file__).parents[3]
STEP = "flinkglue.prefect.deployment_step.keep_what_people_set"
THERE: dict[str, Any] = {
    "parameters": {"aws_credentials": "aws"},
    "tags": ["glue"],
    "work_pool_name": "flinkglue",
    "job_variables": {"env": {"A": "1"}},
    "schedules": [],
}
ENTRY: dict[str, Any] = {
    "parameters": {"aws_credentials": "aws"},
    "tags": ["glue"],
    "work_pool": {"name": "flinkglue", "job_variables": {"env": {"A": "1"}}},
}


def test_each_deployment_has_the_step() -> None:
    document = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    for each in document["deployments"]:
        assert each.get("build") == [{STEP: {"deployment": each["name"]}}], each["name"]


@pytest.mark.parametrize(
    "added",
    [
        {},
        {"parameters": {"aws_credentials": "aws", "strategy": "capacity"}},
        {"tags": ["aws", "glue"]},
        {"work_pool": {"name": "flinkglue", "job_variables": {"env": {"A": "1", "B": "2"}}}},
        {"concurrency_limit": {"limit": 1, "collision_strategy": "CANCEL_NEW"}},
        {"concurrency_limit": 3},
        {"schedules": [{"cron": "0 5 * * *"}]},
    ],
    ids=json.dumps,
)
def test_what_only_prefect_yaml_adds_undoes_nothing(added: dict[str, Any]) -> None:
    assert [*settings_lost(THERE, {**ENTRY, **added})] == []


@pytest.mark.parametrize(
    ("set_by_people", "words"),
    [
        ({"parameters": {"aws_credentials": "aws", "job_names": ["a"]}}, "parameters job_names"),
        ({"parameters": {"aws_credentials": "other"}}, "parameters aws_credentials"),
        ({"tags": ["glue", "orders"]}, "tags orders"),
        ({"work_pool_name": "k8s"}, "work pool k8s → flinkglue"),
        ({"job_variables": {"env": {"A": "1", "B": "2"}}}, "job variables env.B"),
        ({"job_variables": {"env": {"A": "1"}, "image": "i"}}, "job variables image"),
        ({"global_concurrency_limit": {"limit": 2}}, "concurrency limit 2 → none"),
    ],
)
def test_what_people_set_is_named_without_long_values(
    set_by_people: dict[str, Any], words: str
) -> None:
    assert [*settings_lost({**THERE, **set_by_people}, ENTRY)] == [words]


@pytest.mark.parametrize(
    ("command", "step", "checked"),
    [
        ("deploy --all", "a", "abc"),
        ("deploy --all", "b", "b"),
        ("deploy -n c -n b/b", "c", "cb"),
        ("deploy -n c -n b/b", "b", "b"),
        ("deploy -n b", "b", "b"),
        ("", "b", "b"),
    ],
)
def test_the_first_step_of_a_command_checks_all_that_it_deploys(
    command: str, step: str, checked: str
) -> None:
    """So that it is refused before anything is deployed."""
    assert to_check(step, [*"abc"], ["prefect", *command.split()]) == [*checked]


def test_the_refusal_names_every_deployment_and_setting() -> None:
    told = str(would_undo({"glue-job": ["tags a", "work pool k8s → flinkglue"], "b": ["tags c"]}))
    assert "glue-job/glue-job (tags a; work pool k8s → flinkglue), b/b (tags c)." in told


def test_the_refusal_leads_to_a_page_that_is_there() -> None:
    (page,) = [
        each for each in str(would_undo({"glue-job": ["tags a"]})).split() if "docs/" in each
    ]
    assert (ROOT / page.strip("().")).is_file()


def test_a_step_of_a_deployment_that_was_renamed_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("prefect.yaml").write_text("deployments: [{name: glue-job-eu}]")
    with pytest.raises(SystemExit, match="no deployment glue-job, which a build step names"):
        keep_what_people_set("glue-job")
