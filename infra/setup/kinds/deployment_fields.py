"""The fields of deployments by path, and the bodies that the API takes for them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from infra.setup.fields import ABSENT, Fields
from infra.setup.project import CODE_FIELDS

_PLAIN = ("description", "work_pool_name", "work_queue_name", "paused")
_OPTIONS = ("collision_strategy", "grace_period_seconds")
_WHEN_ABSENT = {"paused": False}
"""What a field is that was never set, where the API takes no null."""


def fields_of(raw: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields of a deployment of the API, by path."""
    for name in (*CODE_FIELDS, *_PLAIN):
        if name in raw:
            yield name, raw[name]
    for tag in raw.get("tags") or ():
        yield f"tags.{tag}", True  # each for itself: people add their own
    limit = raw.get("global_concurrency_limit") or {}
    if limit:
        yield "concurrency_limit.limit", limit["limit"]
    for name in _OPTIONS:
        if (value := (raw.get("concurrency_options") or {}).get(name)) is not None:
            yield f"concurrency_limit.{name}", value
    variables = dict(raw.get("job_variables") or {})
    for key, value in (variables.pop("env", None) or {}).items():
        yield f"job_variables.env.{key}", value
    for key, value in variables.items():
        yield f"job_variables.{key}", value
    for key, value in (raw.get("parameters") or {}).items():
        yield f"parameters.{key}", value
    for schedule in raw.get("schedules") or ():
        if schedule["slug"]:  # others were made in the UI, and stay
            for key, value in schedule_fields(schedule):
                yield f"schedules.{schedule['slug']}.{key}", value


def schedule_fields(schedule: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields of a schedule of the API."""
    for key, value in schedule["schedule"].items():
        if value is not None:
            yield key, value
    yield "active", schedule["active"]
    yield "parameters", schedule.get("parameters") or {}


def schedules_of(fields: Fields) -> Iterator[tuple[str, dict[str, Any]]]:
    """The parts of each schedule that is among the fields."""
    found: dict[str, dict[str, Any]] = {}
    for path, value in fields.items():
        if path.startswith("schedules."):
            slug, _, part = path.removeprefix("schedules.").rpartition(".")
            found.setdefault(slug, {})[part] = value
    yield from found.items()


def merged_schedule(before: Fields, part: Fields) -> dict[str, Any]:
    """The fields of a schedule after a change."""
    merged = {**before, **part}
    kinds = {"cron", "interval", "rrule"}
    if named := {key for key in kinds if part.get(key, ABSENT) is not ABSENT}:
        for other in kinds - named:  # a schedule is of one kind
            merged.pop(other, None)
        if "interval" not in named:
            merged.pop("anchor_date", None)
        if "cron" not in named:
            merged.pop("day_or", None)
    return {key: value for key, value in merged.items() if value is not ABSENT}


def schedule_body(before: Fields, part: Fields) -> dict[str, Any]:
    """What the API takes for a schedule."""
    merged = merged_schedule(before, part)
    active, parameters = merged.pop("active", True), merged.pop("parameters", {})
    return {"schedule": merged, "active": active, "parameters": parameters}


def body_of(before: Fields, changed: Fields) -> dict[str, Any]:
    """What the API takes for changed fields; maps are sent whole, with what was there."""
    body: dict[str, Any] = {
        path: _WHEN_ABSENT.get(path) if value is ABSENT else value
        for path, value in changed.items()
        if path in _PLAIN or path in CODE_FIELDS
    }
    now = {key: value for key, value in {**before, **changed}.items() if value is not ABSENT}
    if "work_queue_name" in changed and "work_pool_name" in now:  # without it, one of no pool
        body["work_pool_name"] = now["work_pool_name"]
    if any(path.startswith("tags.") for path in changed):
        body["tags"] = sorted(_below("tags.", now))
    if any(path.startswith("parameters.") for path in changed):
        body["parameters"] = _below("parameters.", now)
    if any(path.startswith("job_variables.") for path in changed):
        env = _below("job_variables.env.", now)
        rest = _below("job_variables.", now)
        rest = {key: value for key, value in rest.items() if not key.startswith("env.")}
        body["job_variables"] = rest | ({"env": env} if env else {})
    if any(path.startswith("concurrency_limit.") for path in changed):
        options = _below("concurrency_limit.", now)
        body["concurrency_limit"] = options.pop("limit", None)
        body["concurrency_options"] = options if body["concurrency_limit"] else None
    return body


def _below(prefix: str, fields: Fields) -> dict[str, Any]:
    return {
        path.removeprefix(prefix): value
        for path, value in fields.items()
        if path.startswith(prefix)
    }
