"""A step of `prefect deploy` that refuses to undo what people set.

`prefect deploy` sets parameters, tags, job variables and the concurrency limit of a deployment to
what prefect.yaml says, and to nothing where it says nothing. Schedules alone stay where
prefect.yaml has none. `python -m infra.setup up` keeps all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

PROJECT = Path("prefect.yaml")


class WouldUndo(SystemExit):
    """A deployment has settings that this deploy would take away; it ends the command."""


def keep_what_people_set(deployment: str) -> dict[str, Any]:
    """A build step: go on only where nothing is lost.

    Args:
        deployment: The deployment's name, which is that of its flow, too.

    Raises:
        WouldUndo: Names each setting, what it is and what it would become.
    """
    with get_client(sync_client=True) as client:
        try:
            observed = client.read_deployment_by_name(f"{deployment}/{deployment}")
        except ObjectNotFound:
            return {}
    document = yaml.safe_load(PROJECT.read_text(encoding="utf-8"))
    (entry,) = [each for each in document["deployments"] if each["name"] == deployment]
    if lost := [*_lost(observed.model_dump(mode="json"), entry)]:
        raise WouldUndo(
            f"{deployment}/{deployment} was not deployed, as this would undo what was set: "
            f"{'; '.join(lost)}. python -m infra.setup up keeps it (docs/operations.md)"
        )
    return {}


def _lost(observed: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[str]:
    limit = entry.get("concurrency_limit") or {}
    options = observed.get("concurrency_options") or {}
    pool = entry.get("work_pool") or {}
    pairs = {
        "parameters": (observed["parameters"], entry.get("parameters", {})),
        "tags": (sorted(observed["tags"]), sorted(entry.get("tags", []))),
        "work pool": (observed["work_pool_name"], pool.get("name")),
        "job variables": (observed["job_variables"], pool.get("job_variables", {})),
        "concurrency limit": (
            (observed.get("global_concurrency_limit") or {}).get("limit"),
            limit.get("limit"),
        ),
        "collision strategy": (
            options.get("collision_strategy"),
            limit.get("collision_strategy"),
        ),
    }
    if "schedules" in entry and observed["schedules"]:
        yield "schedules"
    for name, (now, then) in pairs.items():
        if now and now != then:
            yield f"{name} {_changed(now, then) if isinstance(now, dict) else f'{now} → {then}'}"


def _changed(now: Mapping[str, Any], then: Mapping[str, Any] | None) -> str:
    """The names, without the values, which may be long."""
    return ", ".join(name for name in now if now[name] != (then or {}).get(name))
