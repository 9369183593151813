"""Which flow runs get a process of their own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ADOPTIONS_LABEL = "flinkglue.adoptions"
"""How many workers in a row died while the flow run was at work, and did not just wait."""
MAX_ADOPTIONS = 3
_PLACE = ("command", "working_dir")
_ISOLATIONS = ("thread", "process")


PULL_EVERY_AT_MOST = 86400.0
CANCEL_GRACE_AT_MOST = 3600.0


class NeedsProcess(Exception):
    """This flow run cannot be a thread; the message says why."""


class BadVariable(ValueError):
    """A job variable has a value that is not allowed; the message says which, and what is."""


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
    """Merge pool, deployment and flow run, and judge.

    Raises:
        BadVariable: One of them cannot be used.
    """
    sources = [_defaults(template), *(_nested(each or {}) for each in (deployment, flow_run))]
    values: dict[str, Any] = {}
    env: dict[str, Any] = {}
    for source in sources:
        values |= source
        env |= _environment_in(source)
    pull_every = _number(values, "pull_every_seconds", 0.0)
    if not 0 <= pull_every <= PULL_EVERY_AT_MOST:
        raise _bad_number(values, "pull_every_seconds", f"0 to {PULL_EVERY_AT_MOST:g}")
    cancel_grace = _number(values, "cancel_grace_seconds", 10.0)
    if not 0 < cancel_grace <= CANCEL_GRACE_AT_MOST:
        raise _bad_number(values, "cancel_grace_seconds", f"above 0 to {CANCEL_GRACE_AT_MOST:g}")
    isolation = values.get("isolation") or "thread"
    if isolation not in _ISOLATIONS:
        raise BadVariable(
            f"job variable isolation is {isolation!r}; allowed are {' or '.join(_ISOLATIONS)}"
        )
    return RunVariables(
        isolation=isolation,
        pull_every_seconds=pull_every,
        cancel_grace_seconds=cancel_grace,
        needs_process=_why_a_process(values, env, environment, labels),
    )


def _number(values: Mapping[str, Any], name: str, default: float) -> float:
    """The value, or what is in no range if it is no number."""
    value = values.get(name)
    try:
        return default if value is None else float(value)
    except (TypeError, ValueError):
        return float("nan")


def _bad_number(values: Mapping[str, Any], name: str, allowed: str) -> BadVariable:
    return BadVariable(
        f"job variable {name} is {values[name]!r}; allowed is a number of seconds, {allowed}"
    )


def _environment_in(source: Mapping[str, Any]) -> Mapping[str, Any]:
    env = source.get("env") or {}
    if not isinstance(env, Mapping):  # its value may be a secret
        raise BadVariable(
            f"job variable env is of type {type(env).__name__}; allowed are names and their values"
        )
    return env


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
        nested["env"] = {**dotted, **_environment_in(nested)}
    return nested
