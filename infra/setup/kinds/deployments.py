"""Deployments, with their parameters, schedules and limits field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from flinkglue.errors import InvalidInput
from infra.setup.fields import FieldChange, Fields
from infra.setup.kinds.deployment_fields import (
    body_of,
    fields_of,
    merged_schedule,
    schedule_body,
    schedule_fields,
    schedules_of,
)
from infra.setup.kinds.kind import Kind, Observed
from infra.setup.kinds.saved_parameters import Placed, SavedParameters
from infra.setup.kinds.used_pools import UsedPools
from infra.setup.project import CODE_FIELDS, DeploymentSpec, flow_of
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
_TAKES_OVER = {True: "takes over a paused deployment", False: "takes over a deployment"}
"""The version of a deployment that is not yet the one that runs, by whether it is to be paused."""
TAKEN_OVER = "settings_taken_over"
"""Whether the deployment of the earlier name is paused, and this one runs."""


class Deployments(Kind):
    """Deployments of the flows.

    Args:
        server: The server.
        wanted: What an environment says of them.
        pools: Work pools that are set up before them, by name.
    """

    noun = "deployment"
    of_code = frozenset({*CODE_FIELDS, TAKEN_OVER})
    of_checkout = frozenset({"pull_steps"})

    def __init__(
        self,
        server: Server,
        wanted: Sequence[DeploymentSpec],
        pools: Mapping[str, Fields] = MappingProxyType({}),
    ) -> None:
        self._server = server
        self._pools = UsedPools(server, pools)
        self._desired = {each.name: {**each.fields, **_taken_over(each.name)} for each in wanted}
        self._defaults = {each.name: each.defaults for each in wanted}

    def desired(self) -> Mapping[str, Fields]:
        return self._desired

    def secret(self, name: str) -> frozenset[str]:
        fields = self._desired.get(name, {})
        return frozenset(path for path in fields if path.startswith("job_variables.env."))

    def observe(self, name: str) -> Observed | None:
        """With the parameters where the flow has them now."""
        raw = self._read(name)
        if raw is None:
            return None
        placed = self._placed(name, raw)
        fields = dict(fields_of({**raw, **placed.body}))
        if TAKEN_OVER in self._desired.get(name, ()):
            fields[TAKEN_OVER] = raw.get("version") not in _TAKES_OVER.values()
        return Observed(fields, raw)

    def shown(self, change: FieldChange) -> tuple[str, str, str]:
        if change.path != "pull_steps":
            return change.shown()
        return change.path, _steps_in_words(change.before), _steps_in_words(change.after)

    def creation_note(self, name: str) -> str:
        flow, _, deployment = name.partition("/")
        if self._earlier(name) is None:
            return ""
        return f"with the settings of {EARLIER_FLOWS[flow]}/{deployment}, which is paused"

    def check(self, name: str, observed: Observed | None, changes: Sequence[FieldChange]) -> None:
        if observed is not None:
            after = {each.path: each.after for each in changes}
            _check_schedules(name, observed.raw, after)
            if any(not path.startswith("schedules.") for path in after):
                fields = {**observed.fields, **after}
                named = {path: fields[path] for path in self._desired[name] if path in fields}
                self._pools.check(name, named, after.keys())
                self._placed(name, observed.raw).check(name, name, after)
            return
        self._pools.check(name, self._desired[name], self._desired[name].keys())
        if earlier := self._earlier(name):
            given = self._desired[name].keys() - self._defaults[name]
            self._placed(name, earlier).check(name, _earlier_name(name), given)

    def create(self, name: str, fields: Fields) -> None:
        flow, _, deployment = name.partition("/")
        earlier = self._earlier(name)
        unnamed: list[Any] = []
        if earlier:
            fields, unnamed = self._with_settings(name, fields, earlier)
        schedules = [
            {"slug": slug, **schedule_body({}, part)} for slug, part in schedules_of(fields)
        ]
        body = {**body_of({}, fields), "schedules": unnamed + schedules}
        if earlier:  # paused, so that no schedule is there twice
            version = _TAKES_OVER[bool(body.get("paused"))]
            body |= {"paused": True, "version": version}
        flow_id = self._server.post("/flows/", body={"name": flow})["id"]
        ours = {"flow_id": flow_id, "name": deployment, "enforce_parameter_schema": True}
        created = self._server.post("/deployments/", body={**ours, **body})
        if earlier:
            self._take_over(name, created["id"], version, earlier)

    def update(self, name: str, observed: Observed, changes: Sequence[FieldChange]) -> None:
        deployment_id = observed.raw["id"]
        after = {each.path: each.after for each in changes}
        is_taken_over = after.pop(TAKEN_OVER, None) is None
        plain = {path: value for path, value in after.items() if not path.startswith("schedules.")}
        if plain:
            moved = self._placed(name, observed.raw).body
            body = body_of(observed.fields, plain)
            if "parameters" in moved:
                body = {"parameters": moved["parameters"], **body}
            self._server.patch("/deployments/{}", deployment_id, body=body)
            for each in moved.get("schedules", ()):
                path = "/deployments/{}/schedules/{}"
                parameters = {"parameters": each["parameters"]}
                self._server.patch(path, deployment_id, each["id"], body=parameters)
        known = {each["slug"]: each for each in observed.raw["schedules"] if each["slug"]}
        for slug, part in schedules_of(after):
            self._set_schedule(deployment_id, slug, known.get(slug), part)
        if not is_taken_over:
            version = observed.raw["version"]
            self._take_over(name, deployment_id, version, self._earlier(name))

    def delete(self, name: str) -> None:
        if raw := self._read(name):
            self._server.delete("/deployments/{}", raw["id"])

    def _read(self, name: str) -> Any:
        return self._server.get("/deployments/name/{}/{}", *name.split("/"))

    def _earlier(self, name: str) -> Any:
        """The deployment of the same name when its flow was called otherwise."""
        return self._read(_earlier_name(name)) if _taken_over(name) else None

    def _placed(self, name: str, raw: Mapping[str, Any]) -> Placed:
        if name not in self._desired:
            return Placed({}, {})
        fields = self._desired[name]
        flow = flow_of(fields["entrypoint"])
        placing = getattr(flow, "in_their_places", dict)
        return SavedParameters(placing, fields["parameter_openapi_schema"]).placed(raw)

    def _with_settings(
        self, name: str, fields: Fields, earlier: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[Any]]:
        """The fields with the settings of the earlier deployment; and its schedules without name.

        What the file names comes from the file.
        """
        earlier = {**earlier, **self._placed(name, earlier).body}
        named = {f"schedules.{slug}." for slug, _ in schedules_of(fields)}
        settings = {
            path: value
            for path, value in fields_of(earlier)
            if (path.startswith(_SETTINGS) and not path.startswith((*named,))) or path == "paused"
        }
        defaults = {path: settings.get(path, fields[path]) for path in self._defaults[name]}
        unnamed = [
            {key: each[key] for key in ("schedule", "active", "parameters")}
            for each in earlier["schedules"]
            if not each["slug"]
        ]
        return {**settings, **fields, **defaults}, unnamed

    def _take_over(self, name: str, deployment_id: str, version: str, earlier: Any) -> None:
        """Pause the earlier one, which can still be run by hand, and let this one run."""
        if earlier:
            self._server.patch("/deployments/{}", earlier["id"], body={"paused": True})
        paused = self._desired[name].get("paused", version == _TAKES_OVER[True])
        body = {"paused": paused, "version": None}
        self._server.patch("/deployments/{}", deployment_id, body=body)

    def _set_schedule(
        self, deployment_id: str, slug: str, known: Mapping[str, Any] | None, part: Fields
    ) -> None:
        if known is None:
            body = [{"slug": slug, **schedule_body({}, part)}]
            self._server.post("/deployments/{}/schedules", deployment_id, body=body)
            return
        before = dict(schedule_fields(known))
        path = "/deployments/{}/schedules/{}"
        # Where neither is left, all of it is gone from the file.
        if not {"cron", "interval", "rrule"} & merged_schedule(before, part).keys():
            self._server.delete(path, deployment_id, known["id"])
        else:
            self._server.patch(path, deployment_id, known["id"], body=schedule_body(before, part))


def _check_schedules(name: str, raw: Mapping[str, Any], after: Fields) -> None:
    """What is left of a schedule that somebody deleted makes none."""
    there = {each["slug"] for each in raw["schedules"]}
    for slug, part in schedules_of(after):
        if slug not in there and not {"cron", "interval", "rrule"} & part.keys():
            raise InvalidInput(
                f"deployments.{name}.schedules.{slug}",
                sorted(part),
                "nothing, as somebody deleted this schedule on the server: take it out of the "
                "file, or give --overwrite to create it again",
            )


def _steps_in_words(pull_steps: Any) -> str:
    """Where the code is, if they say no more; else their names, as they may hold a token."""
    match pull_steps:
        case [{"prefect.deployments.steps.set_working_directory": {"directory": str(directory)}}]:
            return directory
        case list():
            names = [name.rpartition(".")[2] for step in pull_steps for name in step]
            return ", ".join(names) or "none"
    return "none"


def _taken_over(name: str) -> dict[str, bool]:
    return {TAKEN_OVER: True} if name.partition("/")[0] in EARLIER_FLOWS else {}


def _earlier_name(name: str) -> str:
    flow, _, deployment = name.partition("/")
    return f"{EARLIER_FLOWS[flow]}/{deployment}"
