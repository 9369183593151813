"""A step of `prefect deploy` that refuses to undo what people set.

`prefect deploy` sets parameters, tags, job variables and the concurrency limit of a deployment to
what prefect.yaml says, and to nothing where it says nothing. Schedules alone stay where
prefect.yaml has none. `python -m infra.setup up` keeps all of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from flinkglue.prefect.store.server_failures import check_absent

PROJECT = Path("prefect.yaml")
_ABSENT = object()


class WouldUndo(SystemExit):
    """A deployment has settings that this deploy would take away; it ends the command."""


class UnknownDeployment(SystemExit):
    """A deployment was renamed, or copied, and its build step was not."""

    def __init__(self, deployment: str) -> None:
        super().__init__(
            f"Not deployed: prefect.yaml has no deployment {deployment}, which a build step names. "
            "Give the step the name of its deployment, which is that of its flow"
        )


def keep_what_people_set(deployment: str) -> dict[str, Any]:
    """A build step: go on only where nothing is lost, with any deployment of the command.

    Args:
        deployment: The deployment's name, which is that of its flow, too.

    Raises:
        WouldUndo: Names each deployment and setting, what it is and what it would become.
        UnknownDeployment: prefect.yaml has no such deployment.
        ServiceUnavailable: A gateway answered that finds no server.
    """
    document = yaml.safe_load(PROJECT.read_text(encoding="utf-8"))
    entries = {each["name"]: each for each in document["deployments"]}
    if deployment not in entries:
        raise UnknownDeployment(deployment)
    lost: dict[str, list[str]] = {}
    with get_client(sync_client=True) as client:
        for name in to_check(deployment, [*entries], sys.argv):
            try:
                observed = client.read_deployment_by_name(f"{name}/{name}")
            except ObjectNotFound as error:
                check_absent("read a deployment", name, error)
                continue
            if of_it := [*settings_lost(observed.model_dump(mode="json"), entries[name])]:
                lost[name] = of_it
    if lost:
        raise would_undo(lost)
    return {}


def to_check(deployment: str, known: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """The deployments that are checked before this one: all of the command, when it is the first.

    A step is given its own deployment alone, so which others follow only the command line says. The
    first of them ends the command before anything is deployed.

    Args:
        known: The deployments of prefect.yaml, in its order.
        arguments: The command line.
    """
    named = [name for each in arguments for name in known if each in (name, f"{name}/{name}")]
    together = [*known] if "--all" in arguments else named
    return together if together[:1] == [deployment] else [deployment]


def would_undo(lost: Mapping[str, Sequence[str]]) -> WouldUndo:
    """The refusal, which names the deployments and their settings."""
    named = (f"{name}/{name} ({'; '.join(settings)})" for name, settings in lost.items())
    return WouldUndo(
        f"Not deployed, as this would undo what was set: {', '.join(named)}. "
        "python -m infra.setup up keeps it (docs/how-to/deployments.md)"
    )


def settings_lost(observed: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[str]:
    """What a deploy would take away, one for each kind of setting."""
    limit = entry.get("concurrency_limit") or {}
    limit = limit if isinstance(limit, Mapping) else {"limit": limit}
    options = observed.get("concurrency_options") or {}
    pool = entry.get("work_pool") or {}
    pairs = {
        "parameters": (observed["parameters"], entry.get("parameters") or {}),
        "tags": (dict.fromkeys(observed["tags"]), dict.fromkeys(entry.get("tags") or ())),
        "work pool": (observed["work_pool_name"], pool.get("name")),
        "job variables": (observed["job_variables"], pool.get("job_variables") or {}),
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
        if isinstance(now, dict):
            if changed := [*_changed(now, then)]:
                yield f"{name} {', '.join(changed)}"
        elif now and now != then:
            yield f"{name} {now} → {then or 'none'}"


def _changed(now: Mapping[str, Any], then: Any, within: str = "") -> Iterator[str]:
    """The names, without the values, which may be long; what is only added is not among them."""
    for name, value in now.items():
        after = then.get(name, _ABSENT)
        if isinstance(value, Mapping) and isinstance(after, Mapping):
            yield from _changed(value, after, f"{within}{name}.")
        elif value != after:
            yield within + name
