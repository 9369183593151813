"""What each feature takes of AWS, as the printed policy has it, the table and the forms say it."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.utilities.callables import parameter_docstrings

from infra.glue.features import Features
from infra.glue.policy import Account, caller_policy
from infra.glue_sample import main

PROJECT = Path(__file__).resolve().parents[4]
PAGE = PROJECT / "docs" / "how-to" / "permissions.md"
SPAN = re.compile(r"`([^`]+)`")
ACTION = re.compile(r"[a-z0-9]+:[A-Z]\w+")
VALUES: dict[str, Any] = {"script_prefix": "s3://bucket/etl", "log_groups": ["/team/etl"]}
OPTIONS = sorted(each.name for each in fields(Features))


def grants(**options: Any) -> set[tuple[str, str]]:
    """Each action with each resource that it is allowed on."""
    policy = caller_policy(Account(), "arn:aws:iam::1:role/job", features=Features(**options))
    return {
        (action, resource)
        for statement in policy["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def added(option: str) -> set[str]:
    """The actions that an option allows, or allows on more."""
    more = grants(**{option: VALUES.get(option, True)}) - grants()
    return {action for action, _ in more}


def table() -> dict[str, tuple[list[str], set[str]]]:
    """For each option of the command, what it is for and what it adds."""
    section = PAGE.read_text().split("### What a Glue feature adds to the policy\n")[1]
    found = {}
    for line in section.split("\n#")[0].splitlines():
        if line.startswith("| `--"):
            option, what_for, adds = (cell.strip() for cell in line.strip("|").split(" | "))
            found[option.strip("`")] = (SPAN.findall(what_for), set(ACTION.findall(adds)))
    return found


def described(name: str) -> str:
    """What the form says: of a parameter, or of the whole flow."""
    deployment, _, parameter = name.partition(".")
    entries = yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]
    (entry,) = [each for each in entries if each["name"] == deployment]
    path, _, flow_name = entry["entrypoint"].partition(":")
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    flow = getattr(module, flow_name)
    docstring = inspect.getdoc(flow.fn) or ""
    if not parameter:
        return docstring
    group, _, field = parameter.rpartition(".")
    if not group:
        return parameter_docstrings(docstring)[parameter]
    definition = flow.parameters.properties[group]["$ref"].rpartition("/")[2]
    return str(flow.parameters.definitions[definition]["properties"][field]["description"])


def test_the_table_has_every_option_of_the_policy() -> None:
    assert sorted(table()) == sorted(f"--{name.replace('_', '-')}" for name in OPTIONS)


@pytest.mark.parametrize("option", OPTIONS)
def test_the_table_names_what_an_option_adds(option: str) -> None:
    _, adds = table()[f"--{option.replace('_', '-')}"]
    assert adds == added(option) != set()


@pytest.mark.parametrize("option", OPTIONS)
def test_the_form_of_the_feature_names_the_permission(option: str) -> None:
    features, _ = table()[f"--{option.replace('_', '-')}"]
    assert features
    for feature in features:
        said = described(feature)
        assert {each for each in added(option) if each not in said} == set(), feature


@pytest.mark.parametrize("option", OPTIONS)
def test_the_command_prints_it(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    value = VALUES.get(option, [])
    given = [f"--{option.replace('_', '-')}", *([value] if isinstance(value, str) else value)]
    assert main(["policy", *given]) == 0
    printed = capsys.readouterr().out
    assert all(f'"{action}"' in printed for action in added(option))


PARAMETERS: dict[str, Any] = {
    "job_name": "orders",
    "connection_names": "a,b",
    "reset_bookmark": "true",
    "check_security_groups": True,
    "read_all_connections": False,
    "arguments": {"--continuous-log-logGroup": "/team/orders"},
    "job_definition": {
        "definition": {
            "Name": "orders",
            "Tags": {"team": "orders"},
            "DefaultArguments": {"--custom-logGroup-prefix": "/aws-glue/mine"},
        },
        "script": "orders.py",
        "script_prefix": "s3://bucket/etl",
    },
}


def test_the_policy_is_printed_for_the_parameters_of_a_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What they switch on, and no more, for the job and the connections that they name."""
    assert main(["policy", "--parameters", json.dumps(PARAMETERS)]) == 0
    features = Features(
        reset_bookmark=True,
        check_security_groups=True,
        deploy_job=True,
        job_tags=True,
        script_prefix="s3://bucket/etl",
        log_groups=("/team/orders",),
    )
    role = Account().role_arn("flinkglue-sample-job")
    expected = caller_policy(Account(), role, "orders", ["a", "b"], features)
    assert json.loads(capsys.readouterr().out) == expected


def test_the_parameters_of_a_plain_run_add_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    plain = {"job_name": "AirflowBlogJob", "connection_names": None, "wait_for_end": False}
    assert main(["policy", "--parameters", json.dumps(plain)]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(
        (PROJECT / "infra" / "iam_policy.json").read_text()
    )


@pytest.mark.parametrize(
    "parameters",
    ["{", "[]", '"x"', '{"reset_bookmark": "perhaps"}', '{"connection_names": ["a,b"]}'],
)
def test_parameters_that_are_none_are_refused(
    parameters: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["policy", "--parameters", parameters])
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == 2
    assert "--parameters" in capsys.readouterr().err
