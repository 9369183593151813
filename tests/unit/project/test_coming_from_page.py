"""The page for people who come from Airflow or Step Functions claims only names that there are."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from prefect import Flow
from prefect_aws import AwsCredentials

from flinkglue.blocks.glue_job_definition import GlueJobDefinition

PROJECT = Path(__file__).resolve().parents[3]
PAGE = PROJECT / "docs" / "reference" / "coming-from-airflow-and-step-functions.md"
GLUE = botocore.session.get_session().get_service_model("glue")

# Of the Amazon provider, operators/glue.py and sensors/glue.py with what AwsBaseOperator,
# AwsBaseSensor and BaseSensorOperator add; of August 2026.
OPERATOR = """job_name job_desc script_location concurrent_run_limit script_args retry_limit
num_of_dpus s3_bucket iam_role_name iam_role_arn create_job_kwargs run_job_kwargs
wait_for_completion deferrable verbose replace_script_file update_config stop_job_run_on_kill
sleep_before_return job_poll_interval waiter_delay waiter_max_attempts durable
resume_glue_job_on_retry openlineage_inject_parent_job_info
aws_conn_id region_name verify botocore_config"""
SENSOR = """job_name run_id verbose deferrable poke_interval max_retries timeout mode
exponential_backoff max_wait soft_fail silent_fail never_fail
aws_conn_id region_name verify botocore_config"""
# Of the Amazon States Language, the Task state and its retriers.
STATE = """Resource Parameters Arguments Credentials Retry Catch ErrorEquals IntervalSeconds
MaxAttempts BackoffRate MaxDelaySeconds JitterStrategy TimeoutSeconds TimeoutSecondsPath
HeartbeatSeconds HeartbeatSecondsPath ResultSelector ResultPath InputPath OutputPath Output
Assign Next End Comment"""
THEIRS = {
    "GlueJobOperator": set(OPERATOR.split()),
    "GlueJobSensor": set(SENSOR.split()),
    "StartJobRun": set(GLUE.operation_model("StartJobRun").input_shape.members),
    "state": set(STATE.split()),
}
SPAN = re.compile(r"`([^`]+)`")


@cache
def flows() -> dict[str, Flow[Any, Any]]:
    """The flow of each deployment of Glue."""
    found = {}
    for deployment in yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]:
        if "glue" in deployment["tags"]:
            path, _, name = deployment["entrypoint"].partition(":")
            module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
            found[deployment["name"]] = getattr(module, name)
    return found


def parameters(deployment: str) -> set[str]:
    return set(flows()[deployment].parameters.properties)


def grouped() -> set[str]:
    """The fields of the groups of glue-job."""
    form = flows()["glue-job"].parameters
    return {
        f"{group}.{field}"
        for group, shown in form.properties.items()
        if "$ref" in shown
        for field in form.definitions[shown["$ref"].rpartition("/")[2]]["properties"]
    }


def names_here() -> set[str]:
    """All that the middle column may name."""
    own = parameters("glue-job")
    names = own | set(flows())
    names |= {f"{name}.{each}" for name in flows() for each in parameters(name)}
    names |= grouped()
    names |= {f"job_definition.{field}" for field in GlueJobDefinition.model_fields}
    names |= {f"aws_credentials.{field}" for field in AwsCredentials.model_fields}
    settings = GLUE.operation_model("CreateJob").input_shape.members
    return names | {f"definition.{setting}" for setting in settings}


def tables(text: str) -> dict[str, list[list[str]]]:
    """The rows of each table by the head of its first column."""
    found: dict[str, list[list[str]]] = {}
    head = ""
    for line in text.splitlines():
        if not line.startswith("|"):
            head = ""
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not head:
            head = cells[0]
            found[head] = []
        elif not set(line) <= set("|- "):
            found[head].append(cells)
    return found


def faults(text: str) -> Iterator[str]:
    known = names_here()
    for head, rows in tables(text).items():
        first = [name for row in rows for name in SPAN.findall(row[0])]
        yield from (f"{head}: twice {name}" for name in {n for n in first if first.count(n) > 1})
        for missing in sorted(THEIRS.get(head, set(first)) ^ set(first)):
            yield f"{head}: {missing} is not in both"
        for row in rows:
            yield from (f"no {name} here" for name in SPAN.findall(row[1]) if name not in known)
            if len(row) > 2 and not SPAN.search(row[1]) and not row[2]:
                yield f"{head}: nothing is said of {row[0]}"


def test_every_parameter_of_theirs_has_a_row_and_every_name_of_ours_exists() -> None:
    assert list(faults(PAGE.read_text())) == []


def test_the_example_is_taken_by_the_form() -> None:
    code = PAGE.read_text().split("```python\n")[2].split("```")[0]
    (call,) = [
        node
        for node in ast.walk(ast.parse(code.replace('"--date": date', '"--date": "2026-01-01"')))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "run_deployment"
    ]
    (argument,) = call.keywords
    flow = flows()["glue-job"]
    assert ast.literal_eval(call.args[0]) == f"{flow.name}/glue-job"
    assert (
        flow.validate_parameters(ast.literal_eval(argument.value))["wait_options"].deadline_minutes
        == 360
    )


def test_all_tables_are_compared() -> None:
    assert set(THEIRS) <= set(tables(PAGE.read_text()))


@pytest.mark.parametrize("deployment", ["glue-job", "glue-run-wait"])
def test_every_parameter_of_ours_is_on_the_page(deployment: str) -> None:
    said = {
        name
        for rows in tables(PAGE.read_text()).values()
        for row in rows
        for name in SPAN.findall(row[1])
    }
    own = parameters(deployment)
    if deployment == "glue-job":
        own = grouped() | {name for name in own if not name.endswith("_options")}
    prefix = "" if deployment == "glue-job" else f"{deployment}."
    assert {name for name in own if prefix + name not in said} == set()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("| `Retry` | `retries` | |", "no retries here"),
        ("| `Retry` | `glue-run-wait.retries` | |", "no glue-run-wait.retries here"),
        ("| `Retry` | `definition.Retries` | |", "no definition.Retries here"),
        ("| `Retry` | | |", "state: nothing is said of `Retry`"),
        ("| `Retries` | `retry_options.retries` | |", "state: Retries is not in both"),
        ("| `Retry`, `Retry` | `retry_options.retries` | |", "state: twice Retry"),
    ],
)
def test_what_the_page_must_not_say_is_found(row: str, told: str) -> None:
    """The check can fail."""
    found = list(faults(f"| state | here | what differs |\n|---|---|---|\n{row}\n"))
    assert told in found
    assert "state: Catch is not in both" in found
