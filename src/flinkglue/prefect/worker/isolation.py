"""Which flow runs get a process of their own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ADOPTIONS_LABEL = "flinkglue.adoptions"
"""How many workers in a row died while the flow run was at work, and did not just wait."""
MAX_ADOPTIONS = 3
_PLACE = ("command", "working_dir")


class NeedsProcess(Exception):
    """This flow run cannot be a thread; the message says why."""


@dataclass(frozen=True)
class RunVariables:
    """The job variables that count for one flow run, as far as this worker uses them.

    Args:
        pull_every_seconds: How long fetched code may be used again.
        cancel_grace_seconds: How long a cancelled run may take to notice.
        needs_process: Why the run cannot be a thread; empty: it can.
    """

    isolation: str
    pull_every_seconds: float
    cancel_grace_seconds: float
    needs_process: str


def run_variables(
    template: Mapping[str, Any],
    deployment: Mapping[str, Any] | None,
    flow_run: Mapping[str, Any] | None,
    environment: Mapping[str, str],
    labels: Mapping[str, Any],
) -> RunVariables:
    """Merge pool, deployment and flow run, and judge."""
    pool = _defaults(template)
    given = _nested(deployment or {}) | _nested(flow_run or {})
    values = {**pool, **given}
    env = {
        **(pool.get("env") or {}),
        **(_nested(deployment or {}).get("env") or {}),
        **(_nested(flow_run or {}).get("env") or {}),
    }
    return RunVariables(
        isolation=str(values.get("isolation", "thread")),
        pull_every_seconds=float(values.get("pull_every_seconds", 0.0)),
        cancel_grace_seconds=float(values.get("cancel_grace_seconds", 10.0)),
        needs_process=_why_a_process(values, env, environment, labels),
    )


def _why_a_process(
    values: Mapping[str, Any],
    env: Mapping[str, Any],
    environment: Mapping[str, str],
    labels: Mapping[str, Any],
) -> str:
    if values.get("isolation") == "process":
        return "its job variable isolation says so"
    for name in _PLACE:
        if values.get(name):
            return f"its job variables set {name}"
    for name, value in env.items():
        wanted = None if value is None else str(value)
        if environment.get(name) != wanted:
            return f"its job variables set {name}, which this worker's environment has otherwise"
    adoptions = labels.get(ADOPTIONS_LABEL, 0)
    if isinstance(adoptions, int) and adoptions >= MAX_ADOPTIONS:
        return f"{adoptions} workers in a row died while it was at work"
    return ""


def _defaults(template: Mapping[str, Any]) -> dict[str, Any]:
    properties = template.get("variables", {}).get("properties", {})
    defaults = {
        name: attributes["default"]
        for name, attributes in properties.items()
        if isinstance(attributes, Mapping) and attributes.get("default") is not None
    }
    fixed = {
        name: value
        for name, value in template.get("job_configuration", {}).items()
        if value is not None and not (isinstance(value, str) and "{{" in value)
    }
    return {**defaults, **fixed}


def _nested(variables: Mapping[str, Any]) -> dict[str, Any]:
    """`env.NAME` beside `env: {NAME: …}`, as Prefect takes both."""
    nested: dict[str, Any] = {name: v for name, v in variables.items() if "." not in name}
    dotted = {
        name.partition(".")[2]: value
        for name, value in variables.items()
        if name.startswith("env.")
    }
    if dotted:
        nested["env"] = {**dotted, **(nested.get("env") or {})}
    return nested
