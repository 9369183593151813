"""The Prefect server's deployments on the wire, as far as they are set up.

As in prefect.server.api.deployments of 3.8: a creation is checked by DeploymentCreate (422), a
change by DeploymentUpdate (422) and then by the schema, with the parameters that are there (409).
"""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import uuid4

import httpx
from prefect.server.schemas.actions import DeploymentCreate, DeploymentUpdate
from prefect.utilities.schema_tools.validation import ValidationError, validate

from infra.setup.kinds.work_pools import PROCESS_TEMPLATE
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import FakeVariables

_AT_FIRST: dict[str, Any] = {
    "paused": False,
    "schedules": [],
    "parameters": {},
    "tags": [],
    "job_variables": {},
    "description": None,
    "version": None,
    "global_concurrency_limit": None,
    "concurrency_options": None,
    "enforce_parameter_schema": True,
    "parameter_openapi_schema": {},
}


_TEMPLATE = json.loads(PROCESS_TEMPLATE.read_text())


class FakeDeployments(FakeVariables):
    """The server. `fails_at` are requests, by method and path, that it refuses."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self.deployments: dict[str, dict[str, Any]] = {}
        self.pools: dict[str, dict[str, Any]] = {"flinkglue": {"base_job_template": _TEMPLATE}}
        self.fails_at: set[str] = set()

    def has(self, name: str, /, **fields: Any) -> dict[str, Any]:
        """Let there be one, of whatever version."""
        row = {**_AT_FIRST, "id": str(uuid4()), **fields}
        row["schedules"] = [
            {"id": str(uuid4()), "slug": None, "active": True, "parameters": {}, **each}
            for each in row["schedules"]
        ]
        self.deployments[name] = row
        return row

    def running(self) -> dict[str, int]:
        """How many schedules of each deployment make flow runs."""
        return {
            name: sum(each["active"] for each in row["schedules"])
            for name, row in self.deployments.items()
            if not row["paused"]
        }

    def _handled(self, request: httpx.Request) -> tuple[int, Any]:
        path = request.url.path.removeprefix("/api")
        body = json.loads(request.content) if request.content else {}
        if path.startswith("/work_pools/"):
            found = self.pools.get(path.removeprefix("/work_pools/"))
            return (200, found) if found else (404, {"detail": "Worker pool not found"})
        if not path.startswith(("/deployments/", "/flows/")):
            return super()._handled(request)
        pattern = re.sub("[0-9a-f-]{36}", "ID", path)
        if f"{request.method} {pattern}" in self.fails_at:
            return 403, {"detail": "not now"}
        if path == "/flows/":
            return 201, {"id": str(uuid4()), "name": self._flow(body["name"])}
        if match := re.fullmatch("/deployments/name/(.+)", path):
            found = self.deployments.get(match[1])
            return (200, found) if found else (404, {"detail": "Deployment not found"})
        if path == "/deployments/":
            return self._created(body)
        row = next(row for row in self.deployments.values() if row["id"] in path)
        return self._changed(request.method, path.split("/")[3:], row, body)

    def _flow(self, name: str) -> str:
        self._last_flow = name
        return name

    def _created(self, body: dict[str, Any]) -> tuple[int, Any]:
        try:
            DeploymentCreate.model_validate(dict(body))
        except ValueError as error:
            return 422, {"detail": str(error)}
        body = dict(body)
        body.pop("concurrency_limit", None)
        return 201, self.has(f"{self._last_flow}/{body['name']}", **body)

    def _changed(
        self, method: str, rest: list[str], row: dict[str, Any], body: Any
    ) -> tuple[int, Any]:
        if method == "POST":
            row["schedules"] += [{"id": str(uuid4()), "parameters": {}, **each} for each in body]
            return 201, row["schedules"]
        if rest[:1] == ["schedules"]:
            for each in row["schedules"]:
                if each["id"] == rest[1]:
                    each |= body
            return 204, None
        assert method == "PATCH"
        try:
            DeploymentUpdate.model_validate(dict(body))
            after = {**row, **body}
            if after["enforce_parameter_schema"]:
                schema = after["parameter_openapi_schema"]
                validate(after["parameters"], schema, raise_on_error=True, ignore_required=True)
        except ValidationError as error:
            return 409, {"detail": f"Error updating deployment: {error}"}
        except ValueError as error:
            return 422, {"detail": str(error)}
        row |= body
        return 204, None
