"""The page of deployments and their parameters, from prefect.yaml and the flows' signatures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from prefect.flows import load_flow_from_entrypoint

from scripts.site.tables import fields_table, models_tables

ROOT = Path(__file__).resolve().parents[2]

_HEAD = """\
# Deployments and parameters

Made from the code when this site is built. Run a deployment from its form in the Prefect UI, or by
name:

```sh
prefect deployment run glue-job/glue-job --params '{"job_name": "orders"}'
```
"""


def parameters_page() -> str:
    """The page as Markdown."""
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    return (
        "\n\n".join([_HEAD, *(text for each in deployments for text in _deployment(each))]) + "\n"
    )


def _deployment(deployment: Mapping[str, Any]) -> Iterator[str]:
    flow = load_flow_from_entrypoint(str(ROOT / deployment["entrypoint"]))
    schema = _with_values(flow.parameters.model_dump(), deployment.get("parameters") or {})
    definitions = schema.get("definitions") or {}
    yield f"## {deployment['name']}"
    yield deployment["description"]
    if schedules := [_schedule(each) for each in deployment.get("schedules", ())]:
        yield f"Schedule: {', '.join(schedules)}."
    yield fields_table(schema, definitions, deployment["name"])
    yield from models_tables(schema, definitions, deployment["name"])


def _with_values(schema: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with the values that a deployment sets as its defaults."""
    fields = schema["properties"]
    set_here = {name: {**fields[name], "default": value} for name, value in values.items()}
    required = [name for name in schema.get("required") or () if name not in values]
    return {**schema, "properties": {**fields, **set_here}, "required": required}


def _schedule(schedule: Mapping[str, Any]) -> str:
    when = f"`{schedule['cron']}`" if "cron" in schedule else f"every {schedule['interval']} s"
    return when if schedule.get("active", True) else f"{when}, inactive until you switch it on"
