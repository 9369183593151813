"""Deployments, with their parameters, schedules and limits field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.setup.fields import ABSENT, FieldChange, Fields
from infra.setup.kinds.kind import Kind, Observed
from infra.setup.project import CODE_FIELDS, DeploymentSpec
from infra.setup.server import Server

EARLIER_FLOWS = {
    "flink-cluster-create": "create-flink-cluster",
    "flink-cluster-delete": "delete-flink-cluster",
    "flink-jar-upload": "upload-flink-jar",
    "flink-job-submit": "submit-flink-job",
    "glue-job": "glue-vpc-failover",
}
"""What flows were called before they had the names of their deployments."""
_SETTINGS = ("parameters.", "schedules.", "concurrency_limit.", "job_variables.")
_PLAIN = ("description", "tags", "work_pool_name", "work_queue_name", "paused")
_OPTIONS = ("collision_strategy", "grace_period_seconds")


class Deployments(Kind):
    """Deployments of the flows."""

    noun = "deployment"
    of_code = frozenset(CODE_FIELDS)
    of_checkout = frozenset({"pull_steps"})

    def __init__(self, server: Server, wanted: Sequence[DeploymentSpec]) -> None:
        self._server = server
        self._desired = {each.name: each.fields for each in wanted}
        self._defaults = {each.name: each.defaults for each in wanted}

    def desired(self) -> Mapping[str, Fields]:
        return self._desired

    def secret(self, name: str) -> frozenset[str]:
        fields = self._desired.get(name, {})
        return frozenset(path for path in fields if path.startswith("job_variables.env."))

    def observe(self, name: str) -> Observed | None:
        raw = self._server.get("/deployments/name/{}/{}", *name.split("/"))
        return None if raw is None else Observed(dict(_flat(raw)), raw)

    def creation_note(self, name: str) -> str:
        flow, _, deployment = name.partition("/")
        if self._earlier(name) is None:
            return ""
        return f"with the settings of {EARLIER_FLOWS[flow]}/{deployment}, which is paused"

    def create(self, name: str, fields: Fields) -> None:
        flow, _, deployment = name.partition("/")
        unnamed: list[Any] = []
        if earlier := self._earlier(name):
            settings = {k: v for k, v in earlier.fields.items() if k.startswith(_SETTINGS)}
            defaults = {path: fields[path] for path in self._defaults[name]}
            fields = {**settings, **fields, **{k: settings.get(k, v) for k, v in defaults.items()}}
            unnamed = [
                {key: each[key] for key in ("schedule", "active", "parameters")}
                for each in earlier.raw["schedules"]
                if not each["slug"]
            ]
            # First, so that no schedule is there twice; it can still be run by hand.
            self._server.patch("/deployments/{}", earlier.raw["id"], body={"paused": True})
        flow_id = self._server.post("/flows/", body={"name": flow})["id"]
        self._server.post(
            "/deployments/",
            body={
                "flow_id": flow_id,
                "name": deployment,
                "enforce_parameter_schema": True,
                **_body({}, fields),
                "schedules": unnamed
                + [{"slug": slug, **_schedule_body({}, part)} for slug, part in _schedules(fields)],
            },
        )

    def update(self, name: str, observed: Observed, changes: Sequence[FieldChange]) -> None:
        deployment_id = observed.raw["id"]
        after = {each.path: each.after for each in changes}
        plain = {path: value for path, value in after.items() if not path.startswith("schedules.")}
        if plain:
            self._server.patch("/deployments/{}", deployment_id, body=_body(observed.fields, plain))
        known = {each["slug"]: each for each in observed.raw["schedules"] if each["slug"]}
        for slug, part in _schedules(after):
            self._set_schedule(deployment_id, slug, known.get(slug), part)

    def delete(self, name: str) -> None:
        if observed := self.observe(name):
            self._server.delete("/deployments/{}", observed.raw["id"])

    def _earlier(self, name: str) -> Observed | None:
        """The deployment of the same name when its flow was called otherwise."""
        flow, _, deployment = name.partition("/")
        earlier = EARLIER_FLOWS.get(flow)
        return self.observe(f"{earlier}/{deployment}") if earlier else None

    def _set_schedule(
        self, deployment_id: str, slug: str, known: Mapping[str, Any] | None, part: Fields
    ) -> None:
        if known is None:
            body = [{"slug": slug, **_schedule_body({}, part)}]
            self._server.post("/deployments/{}/schedules", deployment_id, body=body)
            return
        merged = _merged(dict(_schedule_parts(known)), part)
        path = "/deployments/{}/schedules/{}"
        if not {"cron", "interval", "rrule"} & merged.keys():  # all of it is gone from the file
            self._server.delete(path, deployment_id, known["id"])
        else:
            body = _schedule_body(dict(_schedule_parts(known)), part)
            self._server.patch(path, deployment_id, known["id"], body=body)


def _flat(raw: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields of a deployment of the API, by path."""
    for name in (*CODE_FIELDS, *_PLAIN):
        if name in raw:
            yield name, sorted(raw[name]) if name == "tags" else raw[name]
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
            for key, value in _schedule_parts(schedule):
                yield f"schedules.{schedule['slug']}.{key}", value


def _schedule_parts(schedule: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in schedule["schedule"].items():
        if value is not None:
            yield key, value
    yield "active", schedule["active"]
    yield "parameters", schedule.get("parameters") or {}


def _schedules(fields: Fields) -> Iterator[tuple[str, dict[str, Any]]]:
    """The parts of each schedule that is among the fields."""
    found: dict[str, dict[str, Any]] = {}
    for path, value in fields.items():
        if path.startswith("schedules."):
            slug, _, part = path.removeprefix("schedules.").rpartition(".")
            found.setdefault(slug, {})[part] = value
    yield from found.items()


def _merged(before: Fields, part: Fields) -> dict[str, Any]:
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


def _schedule_body(before: Fields, part: Fields) -> dict[str, Any]:
    merged = _merged(before, part)
    active, parameters = merged.pop("active", True), merged.pop("parameters", {})
    return {"schedule": merged, "active": active, "parameters": parameters}


def _body(before: Fields, changed: Fields) -> dict[str, Any]:
    """What the API takes for changed fields; maps are sent whole, with what was there."""
    body: dict[str, Any] = {
        path: None if value is ABSENT else value
        for path, value in changed.items()
        if path in _PLAIN or path in CODE_FIELDS
    }
    now = {key: value for key, value in {**before, **changed}.items() if value is not ABSENT}
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
