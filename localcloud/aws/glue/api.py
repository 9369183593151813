"""The wire of AWS Glue: JSON 1.1 in, JSON 1.1 out."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

from moto.glue.models import GlueBackend
from werkzeug.wrappers import Request, Response

from localcloud.aws.glue.connections import Connections
from localcloud.aws.glue.definitions.jobs import Jobs
from localcloud.aws.glue.definitions.validation import checked_input
from localcloud.aws.glue.errors import GlueError
from localcloud.aws.glue.runs.bookmarks import Bookmarks
from localcloud.aws.glue.runs.runs import Runs
from localcloud.aws.glue.timeline import Timeline
from localcloud.web.wire import Environ, request_detail

Handler = Callable[[Mapping[str, Any]], dict[str, Any]]

DESCRIPTIONS = {
    "CreateJob": "stores every field; refuses what such a job cannot have",
    "UpdateJob": "replaces the definition; overlapping updates of a job are refused",
    "GetJob": "with the defaults and the computed MaxCapacity and AllocatedCapacity",
    "GetJobs": "by name, 100 a page",
    "ListJobs": "by name, with the requested tags",
    "BatchGetJobs": "existing ones, and the names of the others",
    "DeleteJob": "stops its runs and forgets them",
    "StartJobRun": "takes the first connection in list order that has a free address",
    "GetJobRun": "state, times, error text as the run engine left them",
    "GetJobRuns": "newest first, each list_lag_seconds late; pages stay right while runs are added",
    "GetJobBookmark": "after a run with bookmarks enabled has succeeded; without its state",
    "ResetJobBookmark": "the next run counts from nothing",
    "BatchStopJobRun": "asynchronous: STOPPING, then STOPPED; the script is ended",
    "CreateConnection": "READY at once",
    "GetConnection": "HidePassword leaves the password out",
    "GetConnections": "filtered by ConnectionType, MatchCriteria, ConnectionSchemaVersion",
    "UpdateConnection": "replaces the definition",
    "DeleteConnection": "jobs keep the name; their runs skip it",
    "BatchDeleteConnection": "existing ones, and an error for each of the others",
    "TestConnection": "looks the subnet up; nothing behind it is tried",
}
"""The operations served here rather than by moto, and what is worth knowing of each."""


class GlueApi:
    """Jobs, connections and runs as a WSGI application.

    Args:
        jobs: Job definitions.
        connections: Connections.
        runs: Runs.
        timeline: Its lock is held while a call changes or reads them.
        tags: Moto's Glue, which keeps the tags of all Glue resources.
        region: The only region of the account.
        account_id: For the resource names that tags are kept under.
    """

    def __init__(
        self,
        jobs: Jobs,
        connections: Connections,
        runs: Runs,
        timeline: Timeline,
        tags: GlueBackend,
        region: str,
        account_id: str,
    ) -> None:
        self._jobs = jobs
        self._connections = connections
        self._runs = runs
        bookmarks = Bookmarks(jobs, runs)
        self._timeline = timeline
        self._tags = tags
        self._resource_prefix = f"arn:aws:glue:{region}:{account_id}"
        self._handlers: dict[str, Handler] = {
            "CreateJob": self._create_job,
            "UpdateJob": jobs.update,
            "GetJob": jobs.get,
            "GetJobs": jobs.get_all,
            "ListJobs": self._list_jobs,
            "BatchGetJobs": jobs.batch_get,
            "DeleteJob": self._delete_job,
            "StartJobRun": runs.start,
            "GetJobRun": runs.get,
            "GetJobRuns": runs.get_all,
            "GetJobBookmark": bookmarks.get,
            "ResetJobBookmark": bookmarks.reset,
            "BatchStopJobRun": runs.batch_stop,
            "CreateConnection": self._create_connection,
            "GetConnection": connections.get,
            "GetConnections": connections.get_all,
            "UpdateConnection": connections.update,
            "DeleteConnection": self._delete_connection,
            "BatchDeleteConnection": self._batch_delete_connection,
            "TestConnection": connections.test,
        }

    def serves(self, operation_name: str) -> bool:
        """Whether the operation is served here rather than by moto."""
        return operation_name in self._handlers

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        operation_name = request.headers["X-Amz-Target"].rsplit(".", 1)[-1]
        try:
            parameters = checked_input(operation_name, _parsed(request.get_data()))
            answer = self._call(operation_name, parameters)
            if "JobRunId" in answer:
                request_detail(environ)["job_run_id"] = answer["JobRunId"]
            response = json_response(answer, 200)
        except GlueError as error:
            request_detail(environ)["error"] = error.code
            response = json_error(error.code, error.message, error.status)
        return response(environ, start_response)

    def _call(self, operation_name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        # An update takes its time, and what comes meanwhile must be seen to collide with it.
        takes_time = operation_name == "UpdateJob"
        with nullcontext() if takes_time else self._timeline.lock:
            return self._handlers[operation_name](parameters)

    def _create_job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._jobs.create(request)
        self._tag("job", request["Name"], request)
        return answer

    def _list_jobs(self, request: Mapping[str, Any]) -> dict[str, Any]:
        wanted = request.get("Tags", {})

        def is_tagged(job_name: str) -> bool:
            tags = self._tags.get_tags(self._resource_name("job", job_name))
            return wanted.items() <= tags.items()

        return self._jobs.list_names(request, is_tagged)

    def _delete_job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._runs.forget(request["JobName"])
        self._untag("job", request["JobName"])
        return self._jobs.delete(request)

    def _create_connection(self, request: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._connections.create(request)
        self._tag("connection", request["ConnectionInput"]["Name"], request)
        return answer

    def _delete_connection(self, request: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._connections.delete(request)
        self._untag("connection", request["ConnectionName"])
        return answer

    def _batch_delete_connection(self, request: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._connections.batch_delete(request)
        for name in answer["Succeeded"]:
            self._untag("connection", name)
        return answer

    def _tag(self, kind: str, name: str, request: Mapping[str, Any]) -> None:
        self._tags.tag_resource(self._resource_name(kind, name), request.get("Tags", {}))

    def _untag(self, kind: str, name: str) -> None:
        resource_name = self._resource_name(kind, name)
        self._tags.untag_resource(resource_name, list(self._tags.get_tags(resource_name)))

    def _resource_name(self, kind: str, name: str) -> str:
        return f"{self._resource_prefix}:{kind}/{name}"


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except ValueError:
        raise GlueError("SerializationException", "The request is not JSON.") from None


def json_response(answer: Mapping[str, Any], status: int) -> Response:
    """An answer in JSON 1.1."""
    return Response(
        json.dumps(answer),
        status=status,
        headers={"x-amzn-RequestId": str(uuid.uuid4())},
        content_type="application/x-amz-json-1.1",
    )


def json_error(code: str, message: str, status: int) -> Response:
    """An error in JSON 1.1."""
    response = json_response({"__type": code, "Message": message, "message": message}, status)
    response.headers["x-amzn-ErrorType"] = code
    return response
