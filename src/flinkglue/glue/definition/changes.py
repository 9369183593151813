"""What a definition changes in a job, and what to write for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flinkglue.glue.api.job_update import connections_of
from flinkglue.glue.api.unwritten_fields import kept_by_glue
from flinkglue.glue.definition.shown_values import shown_value
from flinkglue.glue.job_definition import STRUCTURES, JobDefinition
from flinkglue.glue.models import Job
from flinkglue.lifecycle.differences import UNSET, Difference

_BY_WORKERS = ("WorkerType", "NumberOfWorkers")


def desired_settings(job: Job, definition: JobDefinition) -> dict[str, Any]:
    """The settings that the definition names, as they should be: None where one should be gone.

    Args:
        job: The Job structure of GetJob; empty for a job that does not exist.
    """
    desired = {}
    for name, value in definition.settings.items():
        if name in STRUCTURES and isinstance(value, Mapping):
            merged = {**(job.get(name) or {}), **value}
            value = {key: inner for key, inner in merged.items() if inner is not None}
        desired[name] = value
    _keep_connections(job, desired)
    return _writable(job, desired)


def _writable(job: Job, desired: dict[str, Any]) -> dict[str, Any]:
    """Without what Glue works out or keeps by itself, and would refuse beside the rest."""
    by_workers = any(desired.get(name) for name in _BY_WORKERS)
    if desired.get("MaxCapacity") and not by_workers:
        job = {name: value for name, value in job.items() if name not in _BY_WORKERS}
    kept = {row.name for row in kept_by_glue({**job, **desired})}
    return {name: value for name, value in desired.items() if name not in kept}


def _keep_connections(job: Job, desired: dict[str, Any]) -> None:
    """The order of connections belongs to the runs, which choose it; only other names count."""
    named = (desired.get("Connections") or {}).get("Connections") or []
    current = connections_of(job)
    if "Connections" in desired and not named:
        desired["Connections"] = None  # Glue takes no empty list; leaving it out removes all
    elif named and sorted(named) == sorted(current):
        desired["Connections"] = {**desired["Connections"], "Connections": current}


def changes_between(job: Job, definition: JobDefinition) -> tuple[Difference, ...]:
    """What differs, one row per setting, values of secrets hidden.

    Args:
        job: The Job structure of GetJob; empty for a job that does not exist.
    """
    rows: list[Difference] = []
    for name, value in desired_settings(job, definition).items():
        rows += _differences(name, job.get(name), value)
    return tuple(rows)


def _differences(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(after, Mapping | None) and isinstance(before, Mapping | None):
        old, new = before or {}, after or {}
        for key in sorted(old.keys() | new.keys()):
            yield from _differences(f"{path}.{key}", old.get(key), new.get(key))
    elif before != after and not (before in (None, {}, []) and after in (None, {}, [])):
        yield Difference(path, _shown(path, before), _shown(path, after))


def _shown(path: str, value: Any) -> str:
    if value is None:
        return UNSET
    return shown_value(path.partition(".")[2] or path, value)


def updated_body(
    writable: Mapping[str, Any], job: Job, definition: JobDefinition
) -> dict[str, Any]:
    """The JobUpdate structure: the job as it is, with what the definition names."""
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
    tags = {name: value for name, value in definition.tags.items() if value is not None}
    return {**body, **({"Tags": tags} if tags else {})}
