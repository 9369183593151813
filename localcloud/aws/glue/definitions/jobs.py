"""Glue job definitions, stored whole, so that no field is ever lost."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any

from localcloud.aws.glue.connections import Connections
from localcloud.aws.glue.definitions.job_definition import (
    check_definition,
    connection_names,
    described,
)
from localcloud.aws.glue.definitions.validation import glue_model
from localcloud.aws.glue.errors import GlueError, entity_not_found, invalid_input
from localcloud.aws.glue.paging import page
from localcloud.aws.glue.settings import GlueSettings
from localcloud.aws.glue.timeline import Timeline

_PAGE_SIZE = 100


class Jobs:
    """The job definitions of one account and region.

    Args:
        connections: What a job's connection list may name.
        timeline: Its lock guards the definitions; its clock dates them.
        settings: How long an update works.
        sleep: Waits while an update works.
    """

    def __init__(
        self,
        connections: Connections,
        timeline: Timeline,
        settings: GlueSettings,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connections = connections
        self._timeline = timeline
        self._settings = settings
        self._sleep = sleep
        self._jobs: dict[str, dict[str, Any]] = {}
        self._being_updated: set[str] = set()
        self._updatable = tuple(glue_model().shape_for("JobUpdate").members)

    def find(self, job_name: str) -> dict[str, Any] | None:
        """A copy of the stored definition, None if there is none of that name."""
        with self._timeline.lock:
            return copy.deepcopy(self._jobs.get(job_name))

    def create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """CreateJob."""
        name = request["Name"]
        definition = self._definition(request)
        with self._timeline.lock:
            if name in self._jobs:
                raise GlueError("AlreadyExistsException", f"Job {name} already exists.")
            check_definition(definition)
            missing = self._missing_connections(definition)
            if missing:
                raise invalid_input(f"Connection {missing[0]} not found.")
            now = self._timeline.now()
            self._jobs[name] = {
                "Name": name,
                **definition,
                "CreatedOn": now,
                "LastModifiedOn": now,
            }
        return {"Name": name}

    def update(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """UpdateJob: the whole definition is replaced, except for an omitted GlueVersion."""
        name = request["JobName"]
        definition = self._definition(request["JobUpdate"])
        self._begin_update(name, definition)
        try:
            self._sleep(self._settings.update_seconds)
            with self._timeline.lock:
                self._replace(name, definition)
        finally:
            with self._timeline.lock:
                self._being_updated.discard(name)
        return {"JobName": name}

    def get(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """GetJob."""
        job = self.find(request["JobName"])
        if job is None:
            raise _job_not_found(request["JobName"])
        return {"Job": described(job)}

    def get_all(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """GetJobs."""
        names, next_token = self._page(request)
        jobs = [described(self._jobs[name]) for name in names]
        return {"Jobs": jobs} | ({"NextToken": next_token} if next_token else {})

    def list_names(
        self, request: Mapping[str, Any], is_tagged: Callable[[str], bool]
    ) -> dict[str, Any]:
        """ListJobs, of those jobs that carry the tags asked for."""
        names, next_token = self._page(request, is_tagged)
        return {"JobNames": names} | ({"NextToken": next_token} if next_token else {})

    def batch_get(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """BatchGetJobs."""
        with self._timeline.lock:
            found = [name for name in request["JobNames"] if name in self._jobs]
            return {
                "Jobs": [copy.deepcopy(described(self._jobs[name])) for name in found],
                "JobsNotFound": [name for name in request["JobNames"] if name not in found],
            }

    def delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """DeleteJob; no error when there is no such job."""
        with self._timeline.lock:
            self._jobs.pop(request["JobName"], None)
        return {"JobName": request["JobName"]}

    def set_members(self, job_name: str, members: Mapping[str, Any]) -> None:
        """Give a job members as a service has them that is newer than botocore's model of it.

        GetJob shows them, and an UpdateJob without them removes them, as with all other members.
        """
        with self._timeline.lock:
            if job_name not in self._jobs:
                raise _job_not_found(job_name)
            self._jobs[job_name] |= copy.deepcopy(dict(members))

    def _definition(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return {name: request[name] for name in self._updatable if name in request}

    def _missing_connections(self, definition: Mapping[str, Any]) -> list[str]:
        return [name for name in connection_names(definition) if name not in self._connections]

    def _begin_update(self, name: str, definition: Mapping[str, Any]) -> None:
        with self._timeline.lock:
            job = self._jobs.get(name)
            if job is None:
                raise _job_not_found(name)
            # An omitted GlueVersion stays as it was.
            kept = {key: job[key] for key in ("GlueVersion",) if key in job}
            check_definition({**kept, **definition}, before=job)
            missing = self._missing_connections(definition)
            if missing:
                raise entity_not_found(f"Connection {missing[0]} not found.")
            if name in self._being_updated:
                raise GlueError(
                    "ConcurrentModificationException",
                    f"Job {name} is being modified by another request. Try again later.",
                )
            self._being_updated.add(name)

    def _replace(self, name: str, definition: Mapping[str, Any]) -> None:
        job = self._jobs.get(name)
        if job is None:
            raise _job_not_found(name)
        kept = {key: job[key] for key in ("Name", "CreatedOn", "GlueVersion") if key in job}
        self._jobs[name] = {**kept, **definition, "LastModifiedOn": self._timeline.now()}

    def _page(
        self, request: Mapping[str, Any], is_shown: Callable[[str], bool] = lambda name: True
    ) -> tuple[list[str], str | None]:
        with self._timeline.lock:
            names = sorted(filter(is_shown, self._jobs))
        max_results = request.get("MaxResults", _PAGE_SIZE)
        return page(names, str, request.get("NextToken"), max_results)


def _job_not_found(job_name: str) -> GlueError:
    return entity_not_found(f"Job {job_name} not found.")
