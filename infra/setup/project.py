"""What `prefect.yaml` and the code say of each deployment, and what an environment adds to it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.templating import apply_values

from flinkglue.errors import InvalidInput
from infra.setup.environment import Deployment, checked_limit
from infra.setup.fields import Fields
from infra.setup.schema_check import why_refused
from infra.setup.yaml_file import read_yaml_file

ROOT = Path(__file__).resolve().parents[2]
_NAME = re.compile(r"[^/%&<>]*[^/%&<>\s'\"][^/%&<>]*")
"""Those that the API takes. It answers 500 to others."""
CODE_FIELDS = ("entrypoint", "pull_steps", "parameter_openapi_schema", "path", "version")


_OF_AN_ENTRY = frozenset(
    {
        "name", "build", "description", "entrypoint", "parameters", "tags", "work_pool",
        "concurrency_limit", "enforce_parameter_schema",
    }
)  # fmt: skip


@dataclass(frozen=True)
class DeploymentSpec:
    """A deployment as it is to be; `name` is FLOW/DEPLOYMENT, `defaults` what prefect.yaml says."""

    name: str
    fields: Fields
    defaults: frozenset[str] = frozenset()


def specs(
    deployments: Mapping[str, Deployment], code_directory: str | None = None
) -> list[DeploymentSpec]:
    """Those of `prefect.yaml`, with what an environment says of them, then its own.

    Args:
        deployments: By name, or by FLOW/DEPLOYMENT for a further deployment of a flow.
        code_directory: Where the code lies for the flow runs; None: this checkout.

    Raises:
        InvalidInput: A name leads to no flow, or a setting is not one that it has.
    """
    document = read_yaml_file("prefect.yaml", ROOT / "prefect.yaml")
    project = entries_of(document)
    pull = PullSteps(document.get("pull") or [], code_directory or str(ROOT))
    given: dict[str, Deployment] = {}
    for name, each in deployments.items():
        full = _full(name, project)
        if full in given:
            raise InvalidInput(f"deployments.{name}", name, f"{full} once, by one of its names")
        given[full] = each
    names = [f"{name}/{name}" for name in project]
    names += [name for name in given if name not in names]
    return [_spec(name, project[name.partition("/")[0]], given.get(name), pull) for name in names]


def entries_of(document: Any) -> dict[str, Mapping[str, Any]]:
    """The deployments of `prefect.yaml` by name.

    Raises:
        InvalidInput: There are none, or two of one name; or one has a setting that belongs into the
            file of an environment, or that `prefect deploy` would read and this would not; or lacks
            one.
    """
    field = "prefect.yaml: deployments"
    given = document.get("deployments") if isinstance(document, Mapping) else None
    if not given:
        raise InvalidInput(field, None, "a list of the deployments")
    found: dict[str, Mapping[str, Any]] = {}
    for entry in map(_entry, given):
        if entry["name"] in found:
            raise InvalidInput(field, entry["name"], "each name once")
        found[entry["name"]] = entry
    return found


def _entry(written: Mapping[str, Any]) -> Mapping[str, Any]:
    given = {key: value for key, value in written.items() if value is not None}
    field = f"prefect.yaml: deployments.{given.get('name')}"
    if unknown := sorted(given.keys() - _OF_AN_ENTRY):
        where = "; set it in the file of an environment (docs/how-to/deployments.md)"
        raise InvalidInput(field, unknown[0], f"{', '.join(sorted(_OF_AN_ENTRY))}{where}")
    if missing := sorted({"name", "entrypoint", "work_pool"} - given.keys()):
        raise InvalidInput(f"{field}.{missing[0]}", None, "a value: it must be there")
    if (limit := given.get("concurrency_limit")) is None:
        return given
    return {**given, "concurrency_limit": checked_limit(f"{field}.concurrency_limit", limit)}


@dataclass(frozen=True)
class PullSteps:
    """The pull steps of `prefect.yaml`, in which {{ $PWD }} stands for the code's directory."""

    steps: list[Any]
    code_directory: str

    def at(self, code_directory: str | None) -> Any:
        """With the directory of one deployment; None: that of all."""
        directory = json.dumps(code_directory or self.code_directory)[1:-1]
        steps = json.loads(json.dumps(self.steps).replace("{{ $PWD }}", directory))
        return apply_values(steps, {}, remove_notset=False)


def _full(name: str, project: Mapping[str, Any]) -> str:
    flow, slash, deployment = name.partition("/")
    if flow not in project or (slash and not _NAME.fullmatch(deployment)):
        raise InvalidInput(
            f"deployments.{name}",
            name,
            f"one of {', '.join(project)}, or FLOW/NAME for a further deployment of one of them, "
            "with a NAME that has no / % & < >",
        )
    return name if slash else f"{name}/{name}"


def _spec(
    name: str, base: Mapping[str, Any], over: Deployment | None, pull: PullSteps
) -> DeploymentSpec:
    own = over.parameters if over else {}
    defaults = frozenset(f"parameters.{key}" for key in base.get("parameters", {}).keys() - own)
    return DeploymentSpec(name, _fields(name, base, over, pull), defaults)


def _fields(
    name: str, base: Mapping[str, Any], over: Deployment | None, pull: PullSteps
) -> dict[str, Any]:
    over = over or Deployment()
    if (flow := flow_of(base["entrypoint"]).name) != base["name"]:
        field = f"prefect.yaml: deployments.{base['name']}.name"
        raise InvalidInput(field, base["name"], f"{flow}, the name of its flow")
    schema = _schema_of(base["entrypoint"])
    pool = base["work_pool"]
    fields: dict[str, Any] = {
        "entrypoint": base["entrypoint"],
        "path": None,
        "pull_steps": pull.at(over.code_directory),
        "parameter_openapi_schema": schema,
        "description": over.description or base.get("description", ""),
        **{f"tags.{tag}": True for tag in sorted({*base.get("tags", ()), *(over.tags or ())})},
        "work_pool_name": over.work_pool or pool["name"],
    }
    for field, value in (("work_queue_name", over.work_queue), ("paused", over.paused)):
        if value is not None:
            fields[field] = value
    fields |= dict(_limit(over.concurrency_limit or base.get("concurrency_limit")))
    variables = dict(pool.get("job_variables", {}))
    env = variables.pop("env", {}) | over.job_variables.get("env", {})
    variables |= {key: value for key, value in over.job_variables.items() if key != "env"}
    fields |= {f"job_variables.{key}": value for key, value in variables.items()}
    fields |= {f"job_variables.env.{key}": value for key, value in env.items()}
    parameters = {**base.get("parameters", {}), **over.parameters}
    check_parameters(f"deployments.{name}.parameters", parameters, schema)
    fields |= {f"parameters.{key}": value for key, value in parameters.items()}
    for slug, schedule in over.schedules.items():
        where = f"deployments.{name}.schedules.{slug}.parameters"
        check_parameters(where, schedule.parameters, schema)
        fields |= {
            f"schedules.{slug}.{key}": value
            for key, value in {
                **schedule.of_prefect(),
                "active": schedule.active,
                "parameters": schedule.parameters,
            }.items()
        }
    return fields


@functools.cache
def flow_of(entrypoint: str) -> Flow[Any, Any]:
    """The flow of this checkout at an entrypoint."""
    return load_flow_from_entrypoint(str(ROOT / entrypoint))


@functools.cache
def _schema_of(entrypoint: str) -> dict[str, Any]:
    return parameter_schema(flow_of(entrypoint)).model_dump(mode="json", exclude_unset=True)


def _limit(given: Any) -> Iterator[tuple[str, Any]]:
    if given is None:
        return
    for field, value in given.model_dump(exclude_none=True).items():
        yield f"concurrency_limit.{field}", value


def check_parameters(field: str, given: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Refuse parameters that the flow does not have, or not with such a value.

    Raises:
        InvalidInput: Names the parameter and what is allowed.
    """
    properties = schema.get("properties", {})
    for name, value in given.items():
        if name not in properties:
            raise InvalidInput(f"{field}.{name}", value, f"one of {', '.join(properties)}")
        if why := why_refused(name, value, schema):
            words = f"what the form takes: {why}{_of_yaml(value, schema['properties'][name])}"
            raise InvalidInput(f"{field}.{name}", value, words)


def _of_yaml(value: Any, schema: Mapping[str, Any]) -> str:
    """What to do about a word that YAML reads as true or false."""
    words = {"yes", "no", "on", "off"} & {*map(str, schema.get("enum", ()))}
    return (
        f". In YAML, put {' and '.join(sorted(words))} in quotes"
        if words and isinstance(value, bool)
        else ""
    )
