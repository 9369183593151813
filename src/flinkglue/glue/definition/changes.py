"""What a definition changes in a job, and what to write for it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from flinkglue.glue.definition.document import JobDefinition
from flinkglue.glue.job_update import connections_of
from flinkglue.lifecycle.differences import UNSET, Difference
from flinkglue.lifecycle.sensitive import HIDDEN, is_sensitive

_STRUCTURES = frozenset(
    {"Command", "Connections", "ExecutionProperty", "NotificationProperty", "SourceControlDetails"}
)
"""Settings of which a definition may give some members; of a map such as DefaultArguments, all."""
_BY_WORKERS = ("WorkerType", "NumberOfWorkers")


def desired_settings(job: Mapping[str, Any], definition: JobDefinition) -> dict[str, Any]:
    """The settings that the definition names, as they should be: None where one should be gone.

    Args:
        job: The Job structure of GetJob; empty for a job that does not exist.
        definition: The definition.
    """
    desired = {}
    for name, value in definition.settings.items():
        if name in _STRUCTURES and isinstance(value, Mapping):
            merged = {**(job.get(name) or {}), **value}
            value = {key: inner for key, inner in merged.items() if inner is not None}
        desired[name] = value
    _keep_connection_order(job, desired)
    return desired


def _keep_connection_order(job: Mapping[str, Any], desired: dict[str, Any]) -> None:
    """The order of connections belongs to the runs, which choose it; only other names count."""
    named = (desired.get("Connections") or {}).get("Connections") or []
    current = connections_of(job)
    if named and sorted(named) == sorted(current):
        desired["Connections"] = {**desired["Connections"], "Connections": current}


def changes_between(job: Mapping[str, Any], definition: JobDefinition) -> tuple[Difference, ...]:
    """What differs, one row per setting, values of secrets hidden.

    Args:
        job: The Job structure of GetJob; empty for a job that does not exist.
        definition: The definition.
    """
    rows: list[Difference] = []
    for name, value in desired_settings(job, definition).items():
        rows += _differences(name, job.get(name), value)
    return tuple(rows)


def _differences(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(after, Mapping) and isinstance(before, Mapping | None):
        old = before or {}
        for key in sorted(old.keys() | after.keys()):
            yield from _differences(f"{path}.{key}", old.get(key), after.get(key))
    elif before != after and not (before in (None, {}, []) and after in (None, {}, [])):
        yield Difference(path, _shown(path, before), _shown(path, after))


def _shown(path: str, value: Any) -> str:
    if value is None:
        return UNSET
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return HIDDEN if is_sensitive(path.rpartition(".")[2], text) else text


def updated_body(
    writable: Mapping[str, Any], job: Mapping[str, Any], definition: JobDefinition
) -> dict[str, Any]:
    """The JobUpdate structure: the job as it is, with what the definition names.

    Args:
        writable: What UpdateJob takes of the job as it is.
        job: The Job structure of GetJob.
        definition: The definition.
    """
    desired = desired_settings(job, definition)
    # Glue refuses both ways of giving a job its capacity at once.
    dropped = {name for name, value in desired.items() if value is None}
    if any(desired.get(name) for name in _BY_WORKERS):
        dropped.add("MaxCapacity")
    elif desired.get("MaxCapacity"):
        dropped.update(_BY_WORKERS)
    return {name: value for name, value in {**writable, **desired}.items() if name not in dropped}


def created_body(definition: JobDefinition) -> dict[str, Any]:
    """The parameters of CreateJob beside ``Name``."""
    settings = desired_settings({}, definition)
    body = {name: value for name, value in settings.items() if value is not None}
    return {**body, **({"Tags": dict(definition.tags)} if definition.tags else {})}
